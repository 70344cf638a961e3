//! Where the instances of one fault come from: with its config, its grants and the place it strikes.

use std::sync::Arc;

use async_trait::async_trait;

use super::{cast::Part, place::Place};
use crate::{
    capability::{FaultInstance, FaultPlugin, FaultPorts},
    faults::{Armory, Journal},
    plugin::Tenant,
};

pub(super) struct Rack {
    plugin: FaultPlugin,
    /// The fault's config, as its plugin takes it.
    json: String,
    tenant: Arc<Tenant>,
    ports: FaultPorts,
}

impl Rack {
    pub(super) fn new<C>(
        part: &Part<FaultPlugin, C>,
        tenant: Arc<Tenant>,
        name: &str,
        place: &Place,
        journal: Arc<Journal>,
    ) -> Self {
        let ports = FaultPorts {
            fault: name.to_owned(),
            environment: place.environment.clone(),
            journal,
            credentials: place.credentials.clone(),
        };
        Self { plugin: part.plugin.clone(), json: part.json.clone(), tenant, ports }
    }
}

#[async_trait]
impl Armory for Rack {
    async fn instance(&self) -> Result<FaultInstance, String> {
        let instance = self.plugin.instantiate(&self.tenant, self.ports.clone()).await;
        let mut instance = instance.map_err(|error| error.to_string())?;
        instance.configure(&self.json).await.map_err(|error| error.to_string())?;
        Ok(instance)
    }
}
