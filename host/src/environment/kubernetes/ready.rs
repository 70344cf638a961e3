//! Waiting until all that should run in the namespace is ready.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use tokio::time::Instant;

use super::{Kubernetes, error::ask, view};
use crate::environment::{EnvironmentError, InstanceState, Result, Workload};

/// How often readiness is looked up while someone waits for it.
const LOOK: Duration = Duration::from_millis(500);

impl Kubernetes {
    pub(super) async fn all_ready(&self, at_most: Duration) -> Result<()> {
        let deadline = Instant::now() + at_most;
        loop {
            let mut waiting = self.all_workloads().await?;
            waiting.retain(|workload| workload.ready < workload.desired);
            if waiting.is_empty() {
                return Ok(());
            }
            if Instant::now() >= deadline {
                let pods = ask("the instances", self.api::<Pod>().list(&ListParams::default())).await?;
                return Err(not_ready(&waiting, &pods.items, at_most));
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// Names the workloads, and their pods with what these say of themselves.
fn not_ready(waiting: &[Workload], pods: &[Pod], at_most: Duration) -> EnvironmentError {
    let mut text = format!("not ready after {at_most:?}:");
    for workload in waiting {
        text.push_str(&format!(
            "\n  {}: {} of {} are ready",
            workload.name, workload.ready, workload.desired
        ));
        let of_it = pods.iter().filter(|pod| view::workload_name(pod) == workload.name);
        for pod in of_it.filter(|pod| view::state(pod) != InstanceState::Ready) {
            let (name, trouble) = (view::name(&pod.metadata), view::trouble(pod));
            let state = format!("{:?}", view::state(pod)).to_lowercase();
            text.push_str(&format!("\n    {name} is {state}"));
            if !trouble.is_empty() {
                text.push_str(&format!(": {trouble}"));
            }
        }
    }
    EnvironmentError::TimedOut(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_ready_says_why() {
        let waiting = json!({ "waiting": { "reason": "ImagePullBackOff", "message": "no such image" } });
        let pod: Pod = serde_json::from_value(json!({
            "metadata": { "name": "web-5d4f-x", "labels": { "pod-template-hash": "5d4f" }, "ownerReferences": [
                { "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-5d4f", "uid": "x", "controller": true },
            ] },
            "status": { "phase": "Pending", "containerStatuses": [
                { "name": "main", "restartCount": 0, "image": "", "imageID": "", "ready": false, "state": waiting },
            ] },
        }))
        .expect("a pod");
        let workload = Workload {
            name: "web".to_owned(),
            labels: crate::observe::Labels::new(),
            desired: 2,
            running: 1,
            ready: 0,
            declared_only: false,
            cpu_request: None,
            cpu_limit: None,
            memory_request: None,
            memory_limit: None,
            group: None,
        };
        insta::assert_snapshot!(not_ready(&[workload], &[pod], Duration::from_secs(120)));
    }
}
