//! Deployments and StatefulSets.

use std::fmt::Debug;

use k8s_openapi::{
    NamespaceResourceScope,
    api::apps::v1::{Deployment, StatefulSet},
};
use kube::{
    Resource,
    api::{ListParams, Patch, PatchParams},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{
    Kubernetes,
    error::ask,
    view::{self, AsWorkload},
};
use crate::environment::{EnvironmentError, Result, Workload};

/// What a workload is for the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Deployment,
    StatefulSet,
}

impl Kubernetes {
    /// All of the namespace, by name.
    pub(super) async fn all_workloads(&self) -> Result<Vec<Workload>> {
        let (deployments, sets) = self.workload_objects().await?;
        let groups = &self.config.groups;
        let deployments = deployments.iter().map(|one| view::workload(one, groups));
        let mut all: Vec<_> = deployments.chain(sets.iter().map(|one| view::workload(one, groups))).collect();
        all.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(all)
    }

    pub(super) async fn workload_objects(&self) -> Result<(Vec<Deployment>, Vec<StatefulSet>)> {
        let everything = ListParams::default();
        let (deployments, sets) = (self.api::<Deployment>(), self.api::<StatefulSet>());
        let deployments = ask("the deployments", deployments.list(&everything));
        let sets = ask("the stateful sets", sets.list(&everything));
        let (deployments, sets) = tokio::try_join!(deployments, sets)?;
        Ok((deployments.items, sets.items))
    }

    pub(super) async fn set_replicas(&self, name: &str, replicas: u32) -> Result<()> {
        let patch = json!({ "spec": { "replicas": replicas } });
        let (patch, parameters) = (Patch::Merge(&patch), PatchParams::default());
        let what = format!("scaling '{name}'");
        let (deployments, sets) = (self.api::<Deployment>(), self.api::<StatefulSet>());
        match self.kind_of(name).await? {
            Kind::Deployment => {
                ask(&what, deployments.patch_scale(name, &parameters, &patch)).await.map(drop)
            }
            Kind::StatefulSet => ask(&what, sets.patch_scale(name, &parameters, &patch)).await.map(drop),
        }
    }

    /// Applies a merge patch to a workload.
    pub(super) async fn patch_workload(&self, name: &str, kind: Kind, patch: &Value) -> Result<()> {
        match kind {
            Kind::Deployment => self.patch_one::<Deployment>(name, patch).await,
            Kind::StatefulSet => self.patch_one::<StatefulSet>(name, patch).await,
        }
    }

    async fn patch_one<K>(&self, name: &str, patch: &Value) -> Result<()>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + AsWorkload
            + Clone
            + Debug
            + DeserializeOwned,
    {
        let api = self.api::<K>();
        // Containers are merged by their names.
        let (parameters, patch) = (PatchParams::default(), Patch::Strategic(patch));
        ask(&format!("{} '{name}'", K::KIND), api.patch(name, &parameters, &patch)).await.map(drop)
    }

    async fn kind_of(&self, name: &str) -> Result<Kind> {
        let (deployments, sets) = self.workload_objects().await?;
        let deployment = deployments.iter().any(|one| one.metadata.name.as_deref() == Some(name));
        let set = sets.iter().any(|one| one.metadata.name.as_deref() == Some(name));
        match (deployment, set) {
            (true, false) => Ok(Kind::Deployment),
            (false, true) => Ok(Kind::StatefulSet),
            (true, true) => Err(EnvironmentError::Conflict(format!(
                "workload '{name}' is both a Deployment and a StatefulSet"
            ))),
            (false, false) => Err(EnvironmentError::NotFound(format!("there is no workload '{name}'"))),
        }
    }
}
