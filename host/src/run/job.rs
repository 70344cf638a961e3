//! What makes a run config run inside its cluster.

use super::{Cast, calls};
use crate::{
    config::{ConfigErrors, RunConfig, bundle},
    environment::{
        EnvironmentError,
        kubernetes::{ClusterConfig, JobSettings, MOST_FILES, render_job, rights},
    },
};

/// What the command line adds to a run config.
#[derive(Debug, Clone)]
pub struct JobOrder {
    /// What `host run` is told there beside the run config and its environment.
    pub options: Vec<String>,
    pub image: String,
    /// Makes it a CronJob.
    pub schedule: Option<String>,
    /// Absent: the cluster's default.
    pub storage_class: Option<String>,
    pub results_size: String,
}

/// Why there is nothing to apply.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// The config is at fault.
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    /// The order is at fault.
    #[error(transparent)]
    Order(#[from] EnvironmentError),
}

/// All objects of the Job, as YAML: the same config with the same plugins, and the rights that these take.
pub fn job_manifests(
    config: &RunConfig,
    cluster: &ClusterConfig,
    cast: &Cast,
    order: JobOrder,
) -> Result<String, JobError> {
    let files = bundle(config, MOST_FILES)?;
    let own = config.path.file_name().unwrap_or_default();
    let mut options = vec!["--env".to_owned(), config.environment.name.clone()];
    options.extend(order.options);
    Ok(render_job(&JobSettings {
        name: config.name.clone(),
        namespace: cluster.namespace.clone(),
        image: order.image,
        rights: rights(cluster, &calls(config, cast)),
        files,
        config: own.to_string_lossy().into_owned(),
        options,
        schedule: order.schedule,
        storage_class: order.storage_class,
        results_size: order.results_size,
    })?)
}
