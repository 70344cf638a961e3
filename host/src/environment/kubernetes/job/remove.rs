//! Takes away what made runs inside the cluster.

use std::{fmt::Debug, time::Duration};

use k8s_openapi::{
    ClusterResourceScope, NamespaceResourceScope,
    api::{
        batch::v1::{CronJob, Job},
        core::v1::{ConfigMap, PersistentVolumeClaim, Pod, ServiceAccount},
        rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding},
    },
};
use kube::{Api, Resource, ResourceExt, api::DeleteParams};
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::{
    super::error::{absent_is_fine, ask, remove},
    READER, RunJob, is_alive,
    manifest::GRACE_SECONDS,
};
use crate::environment::{EnvironmentError, Result};

/// How long the pods may take to be gone: as long as a run may take to end, and some time for the cluster.
const GONE_WITHIN: Duration = Duration::from_secs(GRACE_SECONDS as u64 + 60);

/// How much of it is taken away.
#[derive(Debug, Clone, Copy, Default)]
pub struct Removal {
    /// The claim with the run directories, too.
    pub results: bool,
    /// Also if a run goes on: it is told to end, puts back what it changed, and reports.
    pub stop: bool,
}

impl RunJob {
    /// Takes away all that belongs to the run config's Job, and tells `say` each object that is gone. Answers
    /// how many that were.
    pub async fn remove(&self, how: Removal, mut say: impl FnMut(&str)) -> Result<usize> {
        let running = self.run_pods().await?.into_iter().rfind(is_alive);
        if let Some(pod) = running.filter(|_| !how.stop) {
            return Err(EnvironmentError::Conflict(format!(
                "pod '{}' of {} still runs: `host monitor` follows it, --stop ends it",
                pod.name_any(),
                self.what()
            )));
        }
        let mut gone = Vec::new();
        self.all::<CronJob>("CronJob", &mut gone).await?;
        self.all::<Job>("Job", &mut gone).await?;
        self.readers(&mut gone).await?;
        // A run that ends needs its rights to the last, to put back what it changed.
        self.until_ended().await?;
        self.all::<RoleBinding>("RoleBinding", &mut gone).await?;
        self.all::<Role>("Role", &mut gone).await?;
        // Only a run that may touch nodes has rights beyond its namespace.
        if self.cluster.config.allow_nodes {
            self.beyond::<ClusterRoleBinding>("ClusterRoleBinding", &mut gone).await?;
            self.beyond::<ClusterRole>("ClusterRole", &mut gone).await?;
        }
        self.all::<ServiceAccount>("ServiceAccount", &mut gone).await?;
        self.all::<ConfigMap>("ConfigMap", &mut gone).await?;
        if how.results {
            self.all::<PersistentVolumeClaim>("PersistentVolumeClaim", &mut gone).await?;
        }
        gone.iter().for_each(|one| say(&format!("{one} removed")));
        Ok(gone.len())
    }

    /// All of one kind that have the labels.
    async fn all<K>(&self, kind: &str, gone: &mut Vec<String>) -> Result<()>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + Debug + DeserializeOwned,
    {
        let objects: Api<K> = self.cluster.api();
        let what = format!("every {kind} of {}", self.what());
        for object in ask(&what, objects.list(&self.names.found())).await?.items {
            let name = object.name_any();
            let (what, with_what_it_owns) = (format!("deleting {kind} '{name}'"), DeleteParams::background());
            absent_is_fine(ask(&what, objects.delete(&name, &with_what_it_owns)).await)?;
            gone.push(format!("{kind} '{name}'"));
        }
        Ok(())
    }

    /// The one of a kind that lies in no namespace.
    async fn beyond<K>(&self, kind: &str, gone: &mut Vec<String>) -> Result<()>
    where
        K: Resource<Scope = ClusterResourceScope, DynamicType = ()> + Clone + Debug + DeserializeOwned,
    {
        let (objects, name): (Api<K>, _) = (Api::all(self.cluster.client.clone()), &self.names.cluster_role);
        let what = format!("{kind} '{name}'");
        if ask(&what, objects.get_opt(name)).await?.is_some() {
            remove(&what, &objects, name).await?;
            gone.push(what);
        }
        Ok(())
    }

    /// Pods that were to be short-lived, and whose maker was ended before them.
    async fn readers(&self, gone: &mut Vec<String>) -> Result<()> {
        let pods = self.cluster.api::<Pod>();
        for pod in self.pods(READER).await? {
            let name = pod.name_any();
            remove(&format!("pod '{name}'"), &pods, &name).await?;
            gone.push(format!("Pod '{name}'"));
        }
        Ok(())
    }

    async fn until_ended(&self) -> Result<()> {
        let deadline = Instant::now() + GONE_WITHIN;
        loop {
            let Some(pod) = self.run_pods().await?.pop() else { return Ok(()) };
            if Instant::now() >= deadline {
                return Err(EnvironmentError::TimedOut(format!(
                    "pod '{}' is still there after {GONE_WITHIN:?}; its account and its rights were left to it",
                    pod.name_any()
                )));
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }
}
