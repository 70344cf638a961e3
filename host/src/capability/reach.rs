//! What a fault reaches: the run's environment, its journal, and credentials by name.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use assay_bindings::imports::types::Failure;

use super::{
    failure::from_environment,
    grant::{Capability, ObjectsGrant, SelectorGrant},
    ports,
};
use crate::{
    config::Credential,
    environment::{Environment, Instance, Inverse, Selector},
    plugin::Tenant,
};

/// What the capabilities of one fault share.
pub(crate) struct Reach {
    /// The fault's name in the run config.
    pub(crate) fault: String,
    pub(crate) environment: Arc<dyn Environment>,
    journal: Arc<dyn ports::Journal>,
    credentials: Arc<BTreeMap<String, Credential>>,
    pub(crate) cluster: SelectorGrant,
    pub(crate) sql: SelectorGrant,
    pub(crate) redis: SelectorGrant,
    pub(crate) kube: ObjectsGrant,
    /// Does an export run that may change things? The others only look.
    may_change: AtomicBool,
}

impl Reach {
    pub(crate) fn new(
        tenant: &Tenant,
        fault: String,
        environment: Arc<dyn Environment>,
        journal: Arc<dyn ports::Journal>,
        credentials: Arc<BTreeMap<String, Credential>>,
    ) -> Self {
        Self {
            fault,
            environment,
            journal,
            credentials,
            cluster: SelectorGrant::of(tenant, Capability::Cluster),
            sql: SelectorGrant::of(tenant, Capability::Sql),
            redis: SelectorGrant::of(tenant, Capability::Redis),
            kube: ObjectsGrant::of(tenant),
            may_change: AtomicBool::new(false),
        }
    }

    /// An export begins that may change things, or one that may not.
    pub(crate) fn allow_changes(&self, allowed: bool) {
        self.may_change.store(allowed, Relaxed);
    }

    /// Refuses changes outside the exports that are for them: a preview that changed something could
    /// not be undone, because nobody expects it to.
    pub(crate) fn ensure_may_change(&self, act: &str) -> Result<(), Failure> {
        match self.may_change.load(Relaxed) {
            true => Ok(()),
            false => Err(Failure::Invalid(format!("{act} changes things; only inject and revert may"))),
        }
    }

    /// Writes an inverse to the journal, here and where the environment keeps it; what cannot be
    /// written down is not done.
    pub(crate) async fn journal(&self, inverse: &Inverse) -> Result<(), Failure> {
        let not_done = |error: &dyn std::fmt::Display| {
            Failure::Other(format!("not done, because the journal cannot be written: {error}"))
        };
        self.journal.before(&self.fault, inverse).map_err(|error| not_done(&error))?;
        let kept = self.environment.keep_journal(&|| self.journal.pending_lines()).await;
        kept.map_err(|error| not_done(&error))
    }

    /// One instance by its name, if the grant covers it.
    pub(crate) async fn instance(&self, grant: &SelectorGrant, name: &str) -> Result<Instance, Failure> {
        let what = format!("instance '{name}'");
        let named = format!("name={name}");
        if grant.is_empty() {
            return Err(grant.denial(&what, &named));
        }
        let selector = selector(&named)?;
        let found = self.environment.instances(&selector).await.map_err(from_environment)?;
        let instance = found
            .into_iter()
            .find(|instance| instance.name == name)
            .ok_or(Failure::NotFound(what.clone()))?;
        match grant.covers(&instance.name, &instance.labels) {
            true => Ok(instance),
            false => Err(grant.denial(&what, &named)),
        }
    }

    /// A credential by its name. The plugin never sees the value, and neither does the failure.
    pub(crate) fn credential(&self, name: &str) -> Result<&Credential, Failure> {
        self.credentials.get(name).ok_or_else(|| {
            let known: Vec<_> = self.credentials.keys().map(String::as_str).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            Failure::NotFound(format!(
                "credentials '{name}': there is no [credentials.{name}]; there are: {known}"
            ))
        })
    }
}

/// A selector as a plugin wrote it.
pub(crate) fn selector(text: &str) -> Result<Selector, Failure> {
    text.parse().map_err(|error| Failure::Invalid(format!("{error}")))
}
