//! What a cluster's objects are in the environment's words. Nothing here asks anything.

use std::time::SystemTime;

use k8s_openapi::{
    api::{
        apps::v1::{Deployment, StatefulSet},
        core::v1::{Container, Node as ClusterNode, Pod, PodTemplateSpec},
    },
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time},
};

use super::{HOLD, MANAGED_BY, quantity::Amounts};
use crate::{
    environment::{Instance, InstanceState, Node, Workload},
    observe::{Clock, Labels, Nanos, nanos},
};

/// A pod as an instance.
pub(super) fn instance(pod: &Pod, clock: &Clock) -> Instance {
    let status = pod.status.as_ref();
    Instance {
        name: name(&pod.metadata),
        uid: uid(pod),
        workload: workload_name(pod),
        node: node_name(pod),
        address: status.and_then(|status| status.pod_ip.as_ref()).and_then(|address| address.parse().ok()),
        labels: labels(&pod.metadata),
        state: state(pod),
        restarts: restarts(pod),
        started: status.and_then(|status| status.start_time.as_ref()).and_then(|time| on_clock(clock, time)),
    }
}

pub(super) fn name(metadata: &ObjectMeta) -> String {
    metadata.name.clone().unwrap_or_default()
}

pub(super) fn labels(metadata: &ObjectMeta) -> Labels {
    metadata.labels.clone().unwrap_or_default()
}

pub(super) fn node_name(pod: &Pod) -> String {
    pod.spec.as_ref().and_then(|spec| spec.node_name.clone()).unwrap_or_default()
}

/// The pod's own, and how often its containers were started again: a container that comes back has
/// forgotten what it knew, as a new pod has.
fn uid(pod: &Pod) -> String {
    format!("{}.{}", pod.metadata.uid.as_deref().unwrap_or_default(), restarts(pod))
}

pub(super) fn restarts(pod: &Pod) -> u32 {
    let statuses =
        pod.status.as_ref().and_then(|status| status.container_statuses.as_deref()).unwrap_or_default();
    statuses.iter().map(|container| u32::try_from(container.restart_count).unwrap_or(0)).sum()
}

/// Whose pod it is. A ReplicaSet is named after its Deployment and the hash of its template.
pub(super) fn workload_name(pod: &Pod) -> String {
    let owner = pod.metadata.owner_references.iter().flatten().find(|owner| owner.controller == Some(true));
    let Some(owner) = owner else { return name(&pod.metadata) };
    let hash = pod.metadata.labels.as_ref().and_then(|labels| labels.get("pod-template-hash"));
    match (owner.kind.as_str(), hash) {
        ("ReplicaSet", Some(hash)) => {
            let deployment = owner.name.strip_suffix(hash).and_then(|rest| rest.strip_suffix('-'));
            deployment.unwrap_or(&owner.name).to_owned()
        }
        _ => owner.name.clone(),
    }
}

/// Is it a pod of Assay's own, such as the one that carries a run? These are never instances, and so never
/// victims.
pub(super) fn is_own(metadata: &ObjectMeta) -> bool {
    let (key, assay) = MANAGED_BY;
    metadata.labels.as_ref().and_then(|labels| labels.get(key)).is_some_and(|value| value == assay)
}

pub(super) fn is_held(pod: &Pod) -> bool {
    pod.metadata.finalizers.iter().flatten().any(|finalizer| finalizer == HOLD)
}

pub(super) fn state(pod: &Pod) -> InstanceState {
    let status = pod.status.as_ref();
    let ready = status
        .and_then(|status| status.conditions.as_deref())
        .is_some_and(|conditions| conditions.iter().any(|one| one.type_ == "Ready" && one.status == "True"));
    match (status.and_then(|status| status.phase.as_deref()), &pod.metadata.deletion_timestamp) {
        (Some("Succeeded" | "Failed"), _) => InstanceState::Ended,
        (_, Some(_)) => InstanceState::Terminating,
        (Some("Running"), None) if ready => InstanceState::Ready,
        (Some("Running"), None) => InstanceState::Running,
        _ => InstanceState::Pending,
    }
}

/// Why a pod is not ready, as far as it says so; empty if it does not.
pub(super) fn trouble(pod: &Pod) -> String {
    let Some(status) = &pod.status else { return String::new() };
    let containers = status.init_container_statuses.iter().chain(&status.container_statuses).flatten();
    let of_containers = containers.filter_map(|container| {
        let state = container.state.as_ref()?;
        let (reason, message) = match (&state.waiting, &state.terminated) {
            (Some(waiting), _) => (waiting.reason.clone()?, waiting.message.clone()),
            (None, Some(ended)) => (format!("ended with {}", ended.exit_code), ended.reason.clone()),
            (None, None) => return None,
        };
        let message = message.map(|message| format!(" ({message})")).unwrap_or_default();
        Some(format!("{}: {reason}{message}", container.name))
    });
    let of_conditions = status.conditions.iter().flatten().filter(|one| one.status == "False");
    let of_conditions = of_conditions.filter_map(|condition| condition.message.clone());
    let mut all: Vec<_> = of_containers.chain(of_conditions).collect();
    all.dedup();
    all.join("; ")
}

/// The container that commands run in: the one that `kubectl exec` would take.
pub(super) fn main_container(pod: &Pod) -> Option<String> {
    let annotations = pod.metadata.annotations.as_ref();
    let named = annotations.and_then(|all| all.get("kubectl.kubernetes.io/default-container"));
    let first = || pod.spec.as_ref()?.containers.first().map(|container| container.name.clone());
    named.cloned().or_else(first)
}

/// What a reported moment is on the run's clock; absent for what lies before the run.
pub(super) fn on_clock(clock: &Clock, time: &Time) -> Option<Nanos> {
    let moment = SystemTime::from(time.0);
    moment.duration_since(clock.wall(0)).ok().map(nanos).filter(|at| *at > 0)
}

pub(super) fn node(node: &ClusterNode) -> Node {
    let conditions = node.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    Node {
        name: name(&node.metadata),
        labels: labels(&node.metadata),
        ready: conditions.iter().any(|one| one.type_ == "Ready" && one.status == "True"),
        schedulable: !node.spec.as_ref().and_then(|spec| spec.unschedulable).unwrap_or(false),
    }
}

/// A workload as its API describes it, whichever kind it is.
pub(super) trait AsWorkload {
    /// How its kind is called.
    const KIND: &'static str;
    fn metadata(&self) -> &ObjectMeta;
    fn template(&self) -> Option<&PodTemplateSpec>;
    /// What should run, what runs, what is ready.
    fn counts(&self) -> (u32, u32, u32);
}

fn count(number: Option<i32>, otherwise: u32) -> u32 {
    number.map_or(otherwise, |number| u32::try_from(number).unwrap_or(0))
}

impl AsWorkload for Deployment {
    const KIND: &'static str = "Deployment";

    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn template(&self) -> Option<&PodTemplateSpec> {
        self.spec.as_ref().map(|spec| &spec.template)
    }

    fn counts(&self) -> (u32, u32, u32) {
        let status = self.status.as_ref();
        let desired = count(self.spec.as_ref().and_then(|spec| spec.replicas), 1);
        let running = count(status.and_then(|status| status.replicas), 0);
        (desired, running, count(status.and_then(|status| status.ready_replicas), 0))
    }
}

impl AsWorkload for StatefulSet {
    const KIND: &'static str = "StatefulSet";

    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn template(&self) -> Option<&PodTemplateSpec> {
        self.spec.as_ref().map(|spec| &spec.template)
    }

    fn counts(&self) -> (u32, u32, u32) {
        let status = self.status.as_ref();
        let desired = count(self.spec.as_ref().and_then(|spec| spec.replicas), 1);
        let running = count(status.map(|status| status.replicas), 0);
        (desired, running, count(status.and_then(|status| status.ready_replicas), 0))
    }
}

/// Labels are those of its pods: what a selector says of instances holds for their workload, too.
pub(super) fn workload(object: &impl AsWorkload, groups: &str) -> Workload {
    let (desired, running, ready) = object.counts();
    let template = object.template();
    let mut all = labels(object.metadata());
    all.extend(template.and_then(|template| template.metadata.as_ref()).map(labels).unwrap_or_default());
    let containers =
        template.and_then(|template| template.spec.as_ref()).map(|spec| spec.containers.as_slice());
    let amounts = Amounts::of(containers.unwrap_or_default());
    Workload {
        name: name(object.metadata()),
        group: all.get(groups).cloned(),
        labels: all,
        desired,
        running,
        ready,
        declared_only: false,
        cpu_request: amounts.cpu_request,
        cpu_limit: amounts.cpu_limit,
        memory_request: amounts.memory_request,
        memory_limit: amounts.memory_limit,
    }
}

/// The containers of a pod.
pub(super) fn containers(pod: &Pod) -> &[Container] {
    pod.spec.as_ref().map(|spec| spec.containers.as_slice()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(metadata: Value, status: Value) -> Pod {
        let mut all = json!({ "name": "web-0", "uid": "u-1", "labels": { "app": "web" } });
        all.as_object_mut().expect("an object").extend(metadata.as_object().expect("an object").clone());
        serde_json::from_value(
            json!({ "metadata": all, "spec": { "containers": [{ "name": "main" }] }, "status": status }),
        )
        .expect("a pod")
    }

    #[test]
    fn states_follow_phase_deletion_and_readiness() {
        let ready = json!({ "phase": "Running", "conditions": [{ "type": "Ready", "status": "True" }] });
        let cases = [
            (json!({}), ready.clone(), InstanceState::Ready),
            (json!({}), json!({ "phase": "Running" }), InstanceState::Running),
            (json!({}), json!({ "phase": "Pending" }), InstanceState::Pending),
            (json!({}), json!({}), InstanceState::Pending),
            (json!({ "deletionTimestamp": "2026-01-01T00:00:00Z" }), ready, InstanceState::Terminating),
            (
                json!({ "deletionTimestamp": "2026-01-01T00:00:00Z" }),
                json!({ "phase": "Failed" }),
                InstanceState::Ended,
            ),
        ];
        for (metadata, status, expected) in cases {
            assert_eq!(state(&pod(metadata.clone(), status.clone())), expected, "{metadata} {status}");
        }
    }

    #[test]
    fn pods_belong_to_what_people_made() {
        let owned = |kind: &str, name: &str| {
            pod(
                json!({
                    "labels": { "pod-template-hash": "5d4f" },
                    "ownerReferences": [{ "apiVersion": "apps/v1", "kind": kind, "name": name, "uid": "x", "controller": true }],
                }),
                json!({}),
            )
        };
        assert_eq!(workload_name(&owned("ReplicaSet", "web-5d4f")), "web");
        assert_eq!(workload_name(&owned("ReplicaSet", "bare")), "bare");
        assert_eq!(workload_name(&owned("StatefulSet", "store")), "store");
        assert_eq!(workload_name(&pod(json!({}), json!({}))), "web-0");
    }

    #[test]
    fn a_container_that_came_back_is_another_instance() {
        let with = |restarts| {
            let statuses = json!([{ "name": "main", "restartCount": restarts, "image": "", "imageID": "", "ready": true }]);
            instance(&pod(json!({}), json!({ "containerStatuses": statuses })), &Clock::start())
        };
        let (before, after) = (with(0), with(1));
        assert_ne!(before.uid, after.uid);
        assert_eq!((before.uid.as_str(), after.uid.as_str(), after.restarts), ("u-1.0", "u-1.1", 1));
    }
}
