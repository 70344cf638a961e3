//! What `monitor`, `results` and `cleanup` are told: whose Job it is about.

use std::path::PathBuf;

use super::{
    Exit,
    run::{complain, complain_at_lines},
};
use crate::{
    config::{self, EnvironmentKind, LoadOptions, RunConfig},
    environment::kubernetes::{ClusterConfig, RunJob},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Whose {
    /// The run config that the Job was made from.
    config: PathBuf,
    /// The environment, in place of the config's own.
    #[arg(long, value_name = "NAME")]
    env: Option<String>,
    /// Overrides a value of the config: environments.k3d.context=other
    #[arg(long, value_name = "PATH=VALUE")]
    set: Vec<String>,
    /// Lets it touch this context of the kubeconfig although it is protected.
    #[arg(long, value_name = "NAME")]
    allow_context: Option<String>,
}

impl Whose {
    /// Reaches the cluster and goes on with the Job there, whether it is there or not; or says what is wrong.
    pub(crate) fn with_job(self, go_on: impl AsyncFnOnce(RunJob) -> Exit) -> Exit {
        let options = LoadOptions {
            environment: self.env,
            set: self.set,
            allow_context: self.allow_context,
            ..LoadOptions::default()
        };
        let config = match config::load(&self.config, &options) {
            Ok(config) => config,
            Err(errors) => return complain_at_lines(&errors),
        };
        let cluster = match cluster_of(&config) {
            Ok(cluster) => cluster,
            Err(exit) => return exit,
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = match runtime {
            Ok(runtime) => runtime,
            Err(error) => return complain(Exit::Internal, &format!("no runtime: {error}")),
        };
        runtime.block_on(async {
            match RunJob::reach(cluster, &config.name).await {
                Ok(job) => go_on(job).await,
                Err(error) => complain(Exit::NotReady, &error.to_string()),
            }
        })
    }
}

/// The cluster of a run config, or the complaint that it has none.
pub(crate) fn cluster_of(config: &RunConfig) -> Result<&ClusterConfig, Exit> {
    match &config.environment.kind {
        EnvironmentKind::Kubernetes(cluster) => Ok(cluster),
        EnvironmentKind::Lab { .. } | EnvironmentKind::Url { .. } => {
            let name = &config.environment.name;
            let message =
                format!("environment `{name}` is no cluster; --env picks one of kind \"kubernetes\"");
            Err(complain(Exit::Usage, &message))
        }
    }
}
