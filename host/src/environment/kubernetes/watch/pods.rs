//! Pods: started, ready, ended, evicted, moved, labelled anew.

use std::collections::{BTreeMap, HashMap};

use k8s_openapi::api::core::v1::{ContainerStateTerminated, ContainerStatus, Pod};

use super::Book;
use crate::{
    environment::{InstanceState, kubernetes::view},
    observe::{Fact, InstanceChange, InstanceEvent, Labels, Stream},
};

/// Our own marks, which are no news.
const OWN_LABELS: &str = "assay/";

/// What was told of every pod, by uid.
#[derive(Default)]
pub(super) struct Pods {
    told: HashMap<String, Told>,
    /// Where a pod of a name ran last: one that comes again elsewhere has moved.
    nodes: HashMap<String, String>,
}

struct Told {
    name: String,
    workload: String,
    node: String,
    containers: BTreeMap<String, Lives>,
    ready: bool,
    evicted: bool,
    labels: Labels,
}

/// How often a container has started and ended.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Lives {
    starts: i32,
    ends: i32,
}

impl Lives {
    fn of(status: &ContainerStatus) -> Self {
        let count = status.restart_count;
        let ended_before = status.last_state.as_ref().is_some_and(|state| state.terminated.is_some());
        match &status.state {
            Some(state) if state.running.is_some() => Self { starts: count + 1, ends: count },
            Some(state) if state.terminated.is_some() => Self { starts: count + 1, ends: count + 1 },
            // It waits to be started: again, or for the first time.
            _ if ended_before => Self { starts: count + 1, ends: count + 1 },
            _ => Self { starts: count, ends: count },
        }
    }
}

impl Book for Pods {
    type Object = Pod;
    const OBJECTS: &'static str = "pods";

    fn there(&mut self, pod: &Pod, baseline: bool, stream: &Stream) {
        let uid = pod.metadata.uid.clone().unwrap_or_default();
        let name = view::name(&pod.metadata);
        let told = self.told.entry(uid).or_insert_with(|| Told {
            workload: view::workload_name(pod),
            node: String::new(),
            containers: BTreeMap::new(),
            ready: false,
            evicted: false,
            labels: labels(pod),
            name,
        });
        told.node = view::node_name(pod);
        // What was so before the run began is no news.
        let quiet = Stream::new(stream.clock());
        let stream = if baseline { &quiet } else { stream };
        if !told.node.is_empty() {
            let before = self.nodes.insert(told.name.clone(), told.node.clone());
            if let Some(before) = before.filter(|before| *before != told.node) {
                told.tell(stream, InstanceEvent::Rescheduled, format!("from {before}"));
            }
        }
        told.evicted(pod, stream);
        told.lives(pod, stream);
        told.readiness(pod, stream);
        told.labelled(labels(pod), stream);
    }

    fn gone(&mut self, uid: &str, stream: &Stream) {
        let Some(told) = self.told.remove(uid) else { return };
        for lives in told.containers.values() {
            if lives.ends < lives.starts {
                told.tell(stream, InstanceEvent::Exited, "its pod is gone".to_owned());
            }
        }
    }

    fn known(&self) -> Vec<String> {
        self.told.keys().cloned().collect()
    }
}

impl Told {
    fn tell(&self, stream: &Stream, change: InstanceEvent, detail: String) {
        stream.tell(Fact::Instance(InstanceChange {
            instance: self.name.clone(),
            workload: self.workload.clone(),
            node: self.node.clone(),
            change,
            detail,
        }));
    }

    /// Tells each start and each end of each container once, in the order in which they must have come.
    fn lives(&mut self, pod: &Pod, stream: &Stream) {
        let statuses =
            pod.status.as_ref().and_then(|status| status.container_statuses.as_deref()).unwrap_or_default();
        let several = statuses.len() > 1;
        for status in statuses {
            let now = Lives::of(status);
            let mut lives = self.containers.get(&status.name).copied().unwrap_or_default();
            let whose = if several { format!("container {}", status.name) } else { String::new() };
            while lives.starts < now.starts || lives.ends < now.ends {
                if lives.starts <= lives.ends && lives.starts < now.starts {
                    lives.starts += 1;
                    self.tell(stream, InstanceEvent::Started, whose.clone());
                    continue;
                }
                lives.ends += 1;
                if self.ready {
                    self.ready = false;
                }
                let (change, detail) = end(status, lives.ends == now.ends);
                let detail = if several { format!("{whose}: {detail}") } else { detail };
                self.tell(stream, change, detail);
            }
            self.containers.insert(status.name.clone(), now);
        }
    }

    fn readiness(&mut self, pod: &Pod, stream: &Stream) {
        let ready = view::state(pod) == InstanceState::Ready;
        if self.ready != ready {
            self.ready = ready;
            let going = pod.metadata.deletion_timestamp.is_some();
            let (change, detail) = match ready {
                true => (InstanceEvent::Ready, String::new()),
                false if going => (InstanceEvent::NotReady, "it was asked to end".to_owned()),
                false => (InstanceEvent::NotReady, view::trouble(pod)),
            };
            self.tell(stream, change, detail);
        }
    }

    fn evicted(&mut self, pod: &Pod, stream: &Stream) {
        let Some(status) = &pod.status else { return };
        let condition = status
            .conditions
            .iter()
            .flatten()
            .find(|one| one.type_ == "DisruptionTarget" && one.status == "True");
        let because = match condition {
            Some(condition) => Some(condition.reason.clone().unwrap_or_default()),
            None => status.reason.clone().filter(|reason| reason == "Evicted"),
        };
        if let Some(because) = because.filter(|_| !self.evicted) {
            self.evicted = true;
            self.tell(stream, InstanceEvent::Evicted, because);
        }
    }

    fn labelled(&mut self, now: Labels, stream: &Stream) {
        if now == self.labels {
            return;
        }
        let shown = |labels: &Labels, key: &str| labels.get(key).map_or("none".to_owned(), Clone::clone);
        let mut keys: Vec<_> = now.keys().chain(self.labels.keys()).collect();
        keys.sort();
        keys.dedup();
        let changed = keys.into_iter().filter(|key| now.get(*key) != self.labels.get(*key));
        let changed: Vec<_> = changed
            .map(|key| format!("{key}: {} → {}", shown(&self.labels, key), shown(&now, key)))
            .collect();
        self.tell(stream, InstanceEvent::Relabelled, changed.join(", "));
        self.labels = now;
    }
}

fn labels(pod: &Pod) -> Labels {
    let mut labels = view::labels(&pod.metadata);
    labels.retain(|key, _| !key.starts_with(OWN_LABELS));
    labels
}

/// How a container ended; of ends before the last one nothing is known.
fn end(status: &ContainerStatus, last: bool) -> (InstanceEvent, String) {
    let states = [&status.state, &status.last_state].into_iter().flatten();
    let ended = states.filter_map(|state| state.terminated.as_ref()).next();
    match ended.filter(|_| last) {
        Some(ended) if ended.reason.as_deref() == Some("OOMKilled") => (InstanceEvent::OomKilled, how(ended)),
        Some(ended) => (InstanceEvent::Exited, how(ended)),
        None => (InstanceEvent::Exited, String::new()),
    }
}

fn how(ended: &ContainerStateTerminated) -> String {
    match ended.exit_code {
        code @ 129..=192 => format!("ended by signal {}", code - 128),
        code => format!("ended with status {code}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::observe::Clock;

    /// A book, and what it told.
    struct Reading {
        book: Pods,
        stream: Stream,
        events: crate::observe::Subscription,
    }

    impl Reading {
        fn new() -> Self {
            let stream = Stream::new(Clock::start());
            let events = stream.subscribe();
            Self { book: Pods::default(), stream, events }
        }

        fn there(&mut self, pod: &Pod, baseline: bool) -> Vec<String> {
            self.book.there(pod, baseline, &self.stream);
            self.told()
        }

        fn told(&mut self) -> Vec<String> {
            let mut told = Vec::new();
            while let Ok(event) = self.events.try_recv() {
                let Fact::Instance(change) = &event.fact else { panic!("{event:?}") };
                told.push(format!("{:?} {}", change.change, change.detail).trim_end().to_owned());
            }
            told
        }
    }

    fn pod(state: Value, last: Value, restarts: i32, ready: bool) -> Pod {
        serde_json::from_value(json!({
            "metadata": { "name": "web-0", "uid": "u", "labels": { "role": "replica" } },
            "spec": { "nodeName": "node-1", "containers": [] },
            "status": {
                "phase": "Running",
                "conditions": [{ "type": "Ready", "status": if ready { "True" } else { "False" } }],
                "containerStatuses": [{
                    "name": "main", "image": "", "imageID": "", "ready": ready,
                    "restartCount": restarts, "state": state, "lastState": last,
                }],
            },
        }))
        .expect("a pod")
    }

    fn running() -> Value {
        json!({ "running": {} })
    }

    fn ended(code: i32, reason: &str) -> Value {
        json!({ "terminated": { "exitCode": code, "reason": reason } })
    }

    #[test]
    fn the_life_of_a_pod_is_told_once_however_often_it_is_seen() {
        let mut reading = Reading::new();
        let none = json!({});
        assert_eq!(reading.there(&pod(json!({ "waiting": {} }), none.clone(), 0, false), false), [""; 0]);
        assert_eq!(reading.there(&pod(running(), none.clone(), 0, false), false), ["Started"]);
        let ready = pod(running(), none.clone(), 0, true);
        assert_eq!(reading.there(&ready, false), ["Ready"]);
        assert_eq!(reading.there(&ready, false), [""; 0]);
        let over = pod(ended(137, "OOMKilled"), none, 0, false);
        assert_eq!(reading.there(&over, false), ["OomKilled ended by signal 9"]);
        // It waits for its next start, and has told its end.
        let waiting =
            pod(json!({ "waiting": { "reason": "CrashLoopBackOff" } }), ended(137, "OOMKilled"), 0, false);
        assert_eq!(reading.there(&waiting, false), [""; 0]);
        let again = pod(running(), ended(137, "OOMKilled"), 1, true);
        assert_eq!(reading.there(&again, false), ["Started", "Ready"]);
        assert_eq!(reading.book.known(), ["u"]);
        reading.book.gone("u", &reading.stream);
        assert_eq!(reading.told(), ["Exited its pod is gone"]);
    }

    #[test]
    fn what_happened_while_nobody_watched_is_told_afterwards() {
        let mut reading = Reading::new();
        assert_eq!(reading.there(&pod(running(), json!({}), 0, true), true), [""; 0]);
        let after = pod(running(), ended(1, "Error"), 2, true);
        assert_eq!(
            reading.there(&after, false),
            ["Exited", "Started", "Exited ended with status 1", "Started", "Ready"]
        );
    }

    #[test]
    fn evictions_moves_and_labels_are_told() {
        let mut reading = Reading::new();
        let mut one = pod(running(), json!({}), 0, true);
        reading.there(&one, true);
        one.metadata.labels =
            Some(Labels::from([("role".into(), "master".into()), ("assay/x".into(), "y".into())]));
        assert_eq!(reading.there(&one, false), ["Relabelled role: replica → master"]);
        let target =
            json!([{ "type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI" }]);
        one.status.as_mut().expect("a status").conditions =
            serde_json::from_value(target).expect("conditions");
        assert_eq!(reading.there(&one, false), ["Evicted EvictionByEvictionAPI", "NotReady"]);
        assert_eq!(reading.there(&one, false), [""; 0]);
        let mut other = pod(running(), json!({}), 0, true);
        other.metadata.uid = Some("v".into());
        other.spec.as_mut().expect("a spec").node_name = Some("node-2".into());
        assert_eq!(reading.there(&other, false), ["Rescheduled from node-1", "Started", "Ready"]);
    }
}
