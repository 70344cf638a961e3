//! A run inside the cluster: a Job, or by a schedule a CronJob, that runs the same config there.
//!
//! [`manifest`] says what makes it, and a person applies that. Everything of it is named after the run
//! config and carries the same labels, and by these it is found again: [`follow`] passes on what its run
//! says, [`fetch`] brings home what it wrote, [`remove`] takes all of it away.

mod fetch;
mod files;
mod follow;
mod log;
mod manifest;
mod remove;

use k8s_openapi::{
    api::{
        batch::v1::{CronJob, Job},
        core::v1::Pod,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
    jiff::Timestamp,
};
use kube::api::ListParams;

use super::{ClusterConfig, Kubernetes, MANAGED_BY, error::ask, view};
use crate::{
    environment::{EnvironmentError, Result},
    observe::{Clock, Labels, Stream},
};

pub use files::MOST_FILES;
pub use follow::Ended;
pub use manifest::{JobSettings, render_job};
pub use remove::Removal;

/// Names the run config, on all that belongs to its Job.
const INSTANCE: &str = "app.kubernetes.io/instance";

/// Says what a pod is for: [`RUN`] or [`READER`].
const COMPONENT: &str = "app.kubernetes.io/component";
const RUN: &str = "run";
const READER: &str = "reader";

/// On the claim: the image that can read what lies on it.
const IMAGE: &str = "assay/image";

/// The container in which `host` runs.
const CONTAINER: &str = "host";

/// Where the volume with the run directories is.
const RESULTS: &str = "/results";

/// What the objects of one run config's Job are called.
#[derive(Debug, Clone)]
struct Names {
    /// The run config's name.
    config: String,
    /// Of the Job or CronJob, the ServiceAccount and its Role.
    job: String,
    /// Of the ConfigMap with the run config.
    files: String,
    /// Of the claim with the run directories.
    results: String,
    /// Of the ClusterRole.
    cluster_role: String,
}

impl Names {
    fn of(config: &str, namespace: &str) -> Self {
        Self {
            config: config.to_owned(),
            job: format!("assay-{config}"),
            files: format!("assay-{config}-config"),
            results: format!("assay-{config}-results"),
            // Names of namespaces and run configs have no colon, so this one is unique.
            cluster_role: format!("assay:{namespace}:{config}"),
        }
    }

    fn labels(&self) -> Labels {
        let (managed_by, assay) = MANAGED_BY;
        let labels =
            [("app.kubernetes.io/name", assay), (INSTANCE, self.config.as_str()), (managed_by, assay)];
        labels.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    /// Those of a pod.
    fn pod_labels(&self, component: &str) -> Labels {
        let mut labels = self.labels();
        labels.insert(COMPONENT.to_owned(), component.to_owned());
        labels
    }

    /// What finds everything that has [`Names::labels`].
    fn found(&self) -> ListParams {
        let (managed_by, assay) = MANAGED_BY;
        ListParams::default().labels(&format!("{managed_by}={assay},{INSTANCE}={}", self.config))
    }
}

/// The Job of one run config in its namespace, whether it is there or not.
#[derive(Debug)]
pub struct RunJob {
    cluster: Kubernetes,
    names: Names,
}

impl RunJob {
    /// Reaches the cluster. `config` is the run config's name.
    pub async fn reach(cluster: &ClusterConfig, config: &str) -> Result<Self> {
        let names = Names::of(config, &cluster.namespace);
        // What is told of the cluster belongs to a run, and this is none.
        let cluster = Kubernetes::reach(cluster, Stream::new(Clock::start())).await?;
        Ok(Self { cluster, names })
    }

    /// How errors call it.
    fn what(&self) -> String {
        format!("run config '{}' in namespace '{}'", self.names.config, self.cluster.config.namespace)
    }

    /// The Job, or of those that a CronJob made the last one.
    async fn newest_job(&self) -> Result<Job> {
        let jobs = ask("the jobs", self.cluster.api::<Job>().list(&self.names.found())).await?;
        let newest = jobs.items.into_iter().max_by_key(|job| created(&job.metadata));
        if let Some(newest) = newest {
            return Ok(newest);
        }
        let schedules = self.cluster.api::<CronJob>();
        let scheduled = ask("the cron jobs", schedules.get_opt(&self.names.job)).await?;
        Err(EnvironmentError::NotFound(match scheduled.and_then(|scheduled| scheduled.spec) {
            Some(spec) => format!(
                "CronJob '{}' has begun no run yet: its schedule is '{}'",
                self.names.job, spec.schedule
            ),
            None => format!("there is no Job of {}: `host manifests job` prints what makes one", self.what()),
        }))
    }

    /// The pods of its runs, oldest first.
    async fn run_pods(&self) -> Result<Vec<Pod>> {
        let mut pods = self.pods(RUN).await?;
        pods.sort_by_key(|pod| created(&pod.metadata));
        Ok(pods)
    }

    async fn pods(&self, component: &str) -> Result<Vec<Pod>> {
        let pods = ask("the pods", self.cluster.api::<Pod>().list(&self.names.found())).await?.items;
        let is_one =
            |pod: &Pod| view::labels(&pod.metadata).get(COMPONENT).is_some_and(|one| one == component);
        Ok(pods.into_iter().filter(is_one).collect())
    }
}

/// To compare ages. What has no time is not there yet, and so the newest.
fn created(metadata: &ObjectMeta) -> (bool, Option<Timestamp>) {
    let at = metadata.creation_timestamp.as_ref().map(|time| time.0);
    (at.is_none(), at)
}

/// Does its run go on, or has it not begun?
fn is_alive(pod: &Pod) -> bool {
    follow::ended(pod).is_none()
}
