//! Emptying a node: by eviction, which respects disruption budgets.

use std::{collections::BTreeMap, time::Duration};

use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api,
    api::{DeleteParams, EvictParams, ListParams, Preconditions},
};
use tokio::time::Instant;

use super::{
    Kubernetes,
    error::{ask, from_kube},
    view,
};
use crate::environment::{EnvironmentError, InstanceState, Result};

/// How often an eviction that a budget forbids is asked for again, and leaving is looked for.
const AGAIN: Duration = Duration::from_secs(1);

/// A pod that has to leave.
struct Leaving {
    namespace: String,
    name: String,
    uid: Option<String>,
}

impl Kubernetes {
    /// Cordons the node and evicts what a controller puts elsewhere, from whatever namespace; bare pods
    /// and those of DaemonSets stay. Returns when the evicted ones are gone.
    pub(super) async fn empty(&self, node: &str, timeout: Duration) -> Result<()> {
        self.ensure_nodes_allowed("drain")?;
        self.ensure_not_own(node).await?;
        self.set_node_schedulable(node, false).await?;
        let deadline = Instant::now() + timeout;
        let mut why = BTreeMap::new();
        loop {
            let leaving = self.movable_on(node).await?;
            if leaving.is_empty() {
                return Ok(());
            }
            why.retain(|name, _| leaving.iter().any(|pod| pod.name == *name));
            for pod in leaving {
                let refused = self.evict(&pod).await?;
                why.insert(pod.name, refused.unwrap_or_else(|| "it has not left yet".to_owned()));
            }
            if Instant::now() + AGAIN > deadline {
                let why: Vec<_> = why.iter().map(|(name, why)| format!("{name}: {why}")).collect();
                let text = format!("node '{node}' is not empty after {timeout:?}: {}", why.join("; "));
                return Err(EnvironmentError::TimedOut(text));
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    async fn movable_on(&self, node: &str) -> Result<Vec<Leaving>> {
        let pods: Api<Pod> = Api::all(self.client.clone());
        let there = ListParams::default().fields(&format!("spec.nodeName={node}"));
        let found = ask(&format!("the pods on node '{node}'"), pods.list(&there)).await?;
        Ok(found.items.iter().filter(|pod| is_movable(pod)).map(Leaving::from).collect())
    }

    /// Answers why not, if a budget forbids it for now.
    async fn evict(&self, pod: &Leaving) -> Result<Option<String>> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &pod.namespace);
        let preconditions = Some(Preconditions { uid: pod.uid.clone(), resource_version: None });
        let parameters = EvictParams {
            delete_options: Some(DeleteParams { preconditions, ..DeleteParams::default() }),
            ..EvictParams::default()
        };
        match pods.evict(&pod.name, &parameters).await {
            Ok(_) => Ok(None),
            Err(kube::Error::Api(status)) if status.code == 429 => Ok(Some(refusal(&status))),
            // It is gone, or another of the same name has come.
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(None),
            Err(error) => Err(from_kube(&format!("evicting '{}'", pod.name), &error)),
        }
    }
}

impl From<&Pod> for Leaving {
    fn from(pod: &Pod) -> Self {
        Self {
            namespace: pod.metadata.namespace.clone().unwrap_or_default(),
            name: view::name(&pod.metadata),
            uid: pod.metadata.uid.clone(),
        }
    }
}

fn refusal(status: &kube::error::Status) -> String {
    let causes =
        status.details.iter().flat_map(|details| &details.causes).map(|cause| cause.message.as_str());
    causes.fold(status.message.clone(), |text, cause| format!("{text} {cause}"))
}

/// Somebody puts another one elsewhere, and it is not there for the node itself.
fn is_movable(pod: &Pod) -> bool {
    let owners = pod.metadata.owner_references.iter().flatten();
    let mut controllers = owners.filter(|owner| owner.controller == Some(true));
    let moved = controllers.next().is_some_and(|owner| !matches!(owner.kind.as_str(), "DaemonSet" | "Node"));
    // One that has ended and is deleted leaves any moment; one that is held does not.
    let leaves = pod.metadata.deletion_timestamp.is_some() && !view::is_held(pod);
    moved && (leaves || view::state(pod) != InstanceState::Ended)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_nobody_recreates_elsewhere_stays() {
        let owned = |kind: &str, phase: &str| -> Pod {
            let owners =
                json!([{ "apiVersion": "v1", "kind": kind, "name": "x", "uid": "x", "controller": true }]);
            let metadata = json!({ "name": "x", "ownerReferences": owners });
            serde_json::from_value(json!({ "metadata": metadata, "status": { "phase": phase } }))
                .expect("a pod")
        };
        assert!(is_movable(&owned("ReplicaSet", "Running")));
        assert!(is_movable(&owned("StatefulSet", "Pending")));
        for (kind, phase) in [("DaemonSet", "Running"), ("Node", "Running"), ("Job", "Succeeded")] {
            assert!(!is_movable(&owned(kind, phase)), "{kind} {phase}");
        }
        assert!(!is_movable(&Pod::default()));
        let mut leaving = owned("ReplicaSet", "Failed");
        assert!(!is_movable(&leaving));
        let now = jiff::Timestamp::now();
        leaving.metadata.deletion_timestamp = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(now));
        assert!(is_movable(&leaving), "it is not gone yet");
    }
}
