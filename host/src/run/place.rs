//! Where a run happens: makes the environment that the config names, or attaches to it.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    config::{Credential, EnvironmentKind, RunConfig, resolve_credentials},
    environment::{
        Elsewhere, Environment,
        lab::{Lab, LabOptions, Stack, socket_path},
    },
    observe::{Fact, Severity, Stream},
};

/// An environment, and the credentials that hold in it.
pub(crate) struct Place {
    pub environment: Arc<dyn Environment>,
    pub credentials: Arc<BTreeMap<String, Credential>>,
}

/// What is known of the environment without touching it.
pub fn planned(config: &RunConfig) -> Result<Arc<dyn Environment>, String> {
    match &config.environment.kind {
        EnvironmentKind::Url { url } => Ok(Arc::new(Elsewhere::at(url.clone()))),
        EnvironmentKind::Lab { stack } => {
            Ok(Arc::new(Stack::load(stack).map_err(|error| error.to_string())?.planned()))
        }
    }
}

/// Opens the environment. An error is the reason why it is not ready.
pub(crate) async fn open(config: &RunConfig, stream: &Stream) -> Result<Place, String> {
    match &config.environment.kind {
        EnvironmentKind::Url { url } => {
            let credentials =
                resolve_credentials(config, &BTreeMap::new()).map_err(|errors| errors.render(false))?;
            Ok(Place {
                environment: Arc::new(Elsewhere::at(url.clone())),
                credentials: Arc::new(credentials),
            })
        }
        EnvironmentKind::Lab { stack } => {
            let stack = Stack::load(stack).map_err(|error| error.to_string())?;
            let lab = lab(&stack, stream).await.map_err(|error| error.to_string())?;
            let mut secrets = BTreeMap::new();
            for name in config.lab_secrets() {
                let value = lab.secret(name).await.map_err(|error| error.to_string())?;
                secrets.insert(name.to_owned(), value);
            }
            let credentials = resolve_credentials(config, &secrets).map_err(|errors| errors.render(false))?;
            Ok(Place { environment: Arc::new(lab), credentials: Arc::new(credentials) })
        }
    }
}

/// The lab that somebody keeps up, or one of the run's own.
async fn lab(stack: &Stack, stream: &Stream) -> crate::environment::Result<Lab> {
    let socket = socket_path(stack.name());
    if let Some(lab) = Lab::attach(&socket, stream.clone()).await? {
        let message = format!("uses the lab that is kept up at {}", socket.display());
        stream.tell(Fact::Finding { source: "lab".to_owned(), severity: Severity::Note, message });
        return Ok(lab);
    }
    Lab::start(stack, stream.clone(), LabOptions::default()).await
}
