//! Replicas, restarts and quotas.

use schemars::JsonSchema;
use serde::Serialize;

use std::collections::BTreeSet;

use super::Observations;
use crate::observe::{InstanceChange, InstanceEvent, Nanos};

/// What a workload's counts became.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct ReplicaPoint {
    pub at: Nanos,
    pub desired: u32,
    pub running: u32,
    pub ready: u32,
}

/// What is known of one workload.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct WorkloadSeen {
    pub workload: String,
    /// At every change.
    pub replicas: Vec<ReplicaPoint>,
    /// Instances that started again after they had ended.
    pub restarts: u32,
    pub oom_kills: u32,
}

/// Something that happened to an instance, to the way to it, or to the sight of both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Happening {
    pub at: Nanos,
    /// In one line.
    pub what: String,
}

/// Most happenings that are kept: more than a run has in which things go as they should.
const MOST_HAPPENINGS: usize = 10_000;

/// A stretch in which nothing was seen of what happened in the environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct BlindSpan {
    pub from: Nanos,
    /// Null if it lasted to the end.
    pub until: Option<Nanos>,
    pub because: String,
}

/// A bound on a group and when it came; absent bounds are none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct QuotaSeen {
    pub at: Nanos,
    pub group: String,
    pub cpu: Option<u64>,
    pub memory: Option<u64>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct WorkloadRecord {
    seen: WorkloadSeen,
    /// Instances that have ended and not started since.
    ended: BTreeSet<String>,
}

impl WorkloadRecord {
    pub(super) fn replicas(&mut self, point: ReplicaPoint) {
        let same = |last: &ReplicaPoint| ReplicaPoint { at: point.at, ..*last } == point;
        if !self.seen.replicas.last().is_some_and(same) {
            self.seen.replicas.push(point);
        }
    }

    pub(super) fn instance(&mut self, change: &InstanceChange) {
        match change.change {
            InstanceEvent::Started => {
                self.seen.restarts += u32::from(self.ended.remove(&change.instance));
            }
            InstanceEvent::Exited | InstanceEvent::Evicted => {
                self.ended.insert(change.instance.clone());
            }
            InstanceEvent::OomKilled => {
                self.seen.oom_kills += 1;
                self.ended.insert(change.instance.clone());
            }
            InstanceEvent::Ready
            | InstanceEvent::NotReady
            | InstanceEvent::Held
            | InstanceEvent::Released
            | InstanceEvent::Frozen
            | InstanceEvent::Resumed
            | InstanceEvent::Rescheduled
            | InstanceEvent::Relabelled => {}
        }
    }
}

impl Observations {
    /// Every workload of which something was told, by name.
    pub fn workloads(&self) -> Vec<WorkloadSeen> {
        let named = |(name, record): (&String, &WorkloadRecord)| WorkloadSeen {
            workload: name.clone(),
            ..record.seen.clone()
        };
        self.workloads.iter().map(named).collect()
    }

    pub(super) fn happened(&mut self, at: Nanos, what: String) {
        if self.happenings.len() < MOST_HAPPENINGS {
            self.happenings.push(Happening { at, what });
        }
    }

    /// What happened in the environment from one moment to another, in the order in which it was told.
    pub fn happenings(&self, from: Nanos, until: Nanos) -> Vec<Happening> {
        let inside = |one: &&Happening| (from..=until).contains(&one.at);
        self.happenings.iter().filter(inside).cloned().collect()
    }

    /// When the environment could not be seen.
    pub fn blind_spans(&self) -> &[BlindSpan] {
        &self.blind
    }

    /// Every change of a quota.
    pub fn quotas(&self) -> &[QuotaSeen] {
        &self.quotas
    }
}
