//! Where a run happens: makes the environment that the config names, or attaches to it.

use std::{collections::BTreeMap, sync::Arc};

use super::{Cast, unfinished::Lasting};
use crate::{
    config::{Credential, EnvironmentKind, RunConfig, resolve_credentials},
    environment::{
        Calls, Elsewhere, Environment, EnvironmentError, ObjectGrant,
        kubernetes::Kubernetes,
        lab::{Lab, LabOptions, Stack, socket_path},
    },
    observe::{Clock, Fact, Severity, Stream},
};

/// An environment, and the credentials that hold in it.
pub(crate) struct Place {
    pub environment: Arc<dyn Environment>,
    pub credentials: Arc<BTreeMap<String, Credential>>,
    /// Set if it outlives this process.
    pub lasting: Option<Lasting>,
}

/// What is known of the environment without touching it: of a lab its stack file, of a cluster all that
/// can be asked, with the credentials that it keeps.
pub(crate) async fn planned(config: &RunConfig) -> Result<Place, String> {
    let environment: Arc<dyn Environment> = match &config.environment.kind {
        EnvironmentKind::Url { url } => Arc::new(Elsewhere::at(url.clone())),
        EnvironmentKind::Lab { stack } => Arc::new(Stack::load(stack).map_err(text)?.planned()),
        EnvironmentKind::Kubernetes(settings) => {
            // Nothing is told before a run begins.
            let stream = Stream::new(Clock::start());
            let cluster = Arc::new(Kubernetes::connect(settings, stream).await.map_err(text)?);
            let secrets = match cluster_secrets(config, &cluster).await {
                Ok(secrets) => secrets,
                // Missing rights are told all together by whoever asks for them.
                Err(EnvironmentError::Other(_)) => BTreeMap::new(),
                Err(error) => return Err(text(error)),
            };
            // Passwords from elsewhere need not be there for a plan.
            let credentials = Arc::new(resolve_credentials(config, &secrets).unwrap_or_default());
            return Ok(Place { environment: cluster, credentials, lasting: None });
        }
    };
    Ok(Place { environment, credentials: Arc::default(), lasting: None })
}

/// Opens the environment for a run. An error is the reason why it is not ready.
pub(crate) async fn open(
    config: &RunConfig,
    cast: &Cast,
    run: &str,
    stream: &Stream,
) -> Result<Place, String> {
    match &config.environment.kind {
        EnvironmentKind::Url { url } => place(config, Arc::new(Elsewhere::at(url.clone())), BTreeMap::new()),
        EnvironmentKind::Lab { stack } => {
            let stack = Stack::load(stack).map_err(text)?;
            let (lab, kept_up) = lab(&stack, stream).await.map_err(text)?;
            if kept_up {
                lab.claim(run).await.map_err(text)?;
            }
            let opened = lab_place(config, Arc::new(lab)).await?;
            let lasting = kept_up.then(|| Lasting::Lab(stack.name().to_owned()));
            Ok(Place { lasting, ..opened })
        }
        EnvironmentKind::Kubernetes(settings) => {
            let cluster = Kubernetes::connect(settings, stream.clone()).await.map_err(text)?;
            cluster.ensure_permitted(&calls(config, cast)).await.map_err(text)?;
            let cluster = Arc::new(cluster);
            let opened = cluster_place(config, cluster.clone()).await?;
            cluster.claim(run).await.map_err(text)?;
            Ok(Place { lasting: Some(Lasting::Kubernetes(settings.clone())), ..opened })
        }
    }
}

/// A lab with the secrets that it made up.
pub(super) async fn lab_place(config: &RunConfig, lab: Arc<Lab>) -> Result<Place, String> {
    let mut secrets = BTreeMap::new();
    for name in config.lab_secrets() {
        secrets.insert(name.to_owned(), lab.secret(name).await.map_err(text)?);
    }
    place(config, lab, secrets)
}

/// A cluster with the secrets that its namespace keeps.
pub(super) async fn cluster_place(config: &RunConfig, cluster: Arc<Kubernetes>) -> Result<Place, String> {
    let secrets = cluster_secrets(config, &cluster).await.map_err(text)?;
    place(config, cluster, secrets)
}

async fn cluster_secrets(
    config: &RunConfig,
    cluster: &Kubernetes,
) -> Result<BTreeMap<String, String>, EnvironmentError> {
    let mut secrets = BTreeMap::new();
    for key in config.cluster_secrets() {
        secrets.insert(key.to_string(), cluster.secret(&key.name, &key.key).await?);
    }
    Ok(secrets)
}

fn place(
    config: &RunConfig,
    environment: Arc<dyn Environment>,
    supplied: BTreeMap<String, String>,
) -> Result<Place, String> {
    let credentials = resolve_credentials(config, &supplied).map_err(|errors| errors.render(false))?;
    Ok(Place { environment, credentials: Arc::new(credentials), lasting: None })
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// What the run's faults and its profile can ask of the environment, by what their components import and
/// the config grants.
pub fn calls(config: &RunConfig, cast: &Cast) -> Calls {
    let faults = cast.faults.iter().map(|part| part.plugin.plugin());
    let plugins: Vec<_> = faults.chain(cast.profile.iter().map(|part| part.plugin.plugin())).collect();
    let secrets = config.cluster_secrets().map(|key| key.name.clone()).collect();
    let mut calls = Calls { secrets, ..Calls::default() };
    for plugin in plugins {
        let imported = |interface: &str| -> Vec<&str> {
            let prefix = format!("{interface}/");
            plugin.imports.iter().filter_map(|call| call.strip_prefix(&prefix)).collect()
        };
        calls.cluster.extend(imported("cluster").into_iter().map(str::to_owned));
        calls.connections |= !imported("sql").is_empty() || !imported("redis").is_empty();
        if !imported("kube").is_empty() {
            let granted = config.plugins.get(&plugin.name).map(|source| source.grants.kube.as_slice());
            let granted =
                granted.unwrap_or_default().iter().filter_map(|text| text.parse::<ObjectGrant>().ok());
            calls.objects.extend(granted.map(|grant| grant.object().clone()));
        }
    }
    calls
}

/// The lab that somebody keeps up, or one of the run's own; and whether it is the former.
async fn lab(stack: &Stack, stream: &Stream) -> crate::environment::Result<(Lab, bool)> {
    let socket = socket_path(stack.name());
    if let Some(lab) = Lab::attach(&socket, stream.clone()).await? {
        let message = format!("uses the lab that is kept up at {}", socket.display());
        stream.tell(Fact::Finding { source: "lab".to_owned(), severity: Severity::Note, message });
        return Ok((lab, true));
    }
    Lab::start(stack, stream.clone(), LabOptions::default()).await.map(|lab| (lab, false))
}
