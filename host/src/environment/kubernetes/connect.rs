//! Reaching the API server: with the kubeconfig's context, or as a pod with its own account.

use std::{path::Path, time::Duration};

use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};

use super::{
    ClusterConfig, Kubernetes,
    error::{ask, chain},
};
use crate::{
    environment::{EnvironmentError, Result},
    observe::Stream,
};

/// How long a connection to the API server may take to come about.
const CONNECTED_WITHIN: Duration = Duration::from_secs(5);

/// Where a pod finds the token of its account.
const TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

impl Kubernetes {
    /// Reaches the cluster and finds the target. Nothing is changed.
    pub async fn connect(config: &ClusterConfig, stream: Stream) -> Result<Self> {
        let mut cluster = Self::reach(config, stream).await?;
        cluster.base_url = super::target::base_url(&cluster.client, config, cluster.inside).await?;
        Ok(cluster)
    }

    /// Reaches the cluster, whether the target is there or not.
    pub async fn reach(config: &ClusterConfig, stream: Stream) -> Result<Self> {
        let inside = inside();
        let client = client(&config.context, inside).await?;
        let context = if inside { "this cluster" } else { config.context.as_str() };
        ask(&format!("the API server of {context}"), client.apiserver_version()).await?;
        Ok(Self {
            client,
            config: config.clone(),
            inside,
            base_url: String::new(),
            stream,
            claimed: std::sync::OnceLock::new(),
            forwards: std::sync::Mutex::default(),
            sampled: tokio::sync::Mutex::default(),
        })
    }
}

/// Is this process a pod with an account?
fn inside() -> bool {
    std::env::var_os("KUBERNETES_SERVICE_HOST").is_some() && Path::new(TOKEN).exists()
}

pub(super) async fn client(context: &str, inside: bool) -> Result<Client> {
    let mut config = match inside {
        true => Config::incluster().map_err(|error| unusable(&chain(&error)))?,
        false => from_kubeconfig(context).await?,
    };
    config.connect_timeout = Some(CONNECTED_WITHIN);
    // Whoever evicts wants to hear of a disruption budget, and every caller has a bound of its own.
    config.default_retry = false;
    Client::try_from(config).map_err(|error| unusable(&chain(&error)))
}

async fn from_kubeconfig(context: &str) -> Result<Config> {
    let known = Kubeconfig::read().map_err(|error| unusable(&chain(&error)))?;
    if !known.contexts.iter().any(|one| one.name == context) {
        let names: Vec<_> = known.contexts.iter().map(|one| one.name.as_str()).collect();
        let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        return Err(unusable(&format!("it has no context '{context}'; it has: {names}")));
    }
    let options = KubeConfigOptions { context: Some(context.to_owned()), ..KubeConfigOptions::default() };
    let config = Config::from_custom_kubeconfig(known, &options).await;
    config.map_err(|error| unusable(&chain(&error)))
}

fn unusable(because: &str) -> EnvironmentError {
    EnvironmentError::Unreachable(format!(
        "the kubeconfig ($KUBECONFIG, or ~/.kube/config) does not lead to a cluster: {because}"
    ))
}
