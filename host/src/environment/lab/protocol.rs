//! What is said between the host and `lab-init`, and between a lab's owner and those who attach.
//!
//! One JSON document a line. Requests carry an id that their answer repeats; events come unasked,
//! stamped by the machine's monotonic clock, which all processes share.

use std::{net::Ipv4Addr, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    cgroup::Figures,
    plan::{Plan, User},
};
use crate::{
    environment::{Direction, EnvironmentError, ExecOutput, Instance, Manner, Node, Quota, Workload},
    observe::{Fact, Labels},
};

/// Asks for something.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Request {
    pub(super) id: u64,
    pub(super) call: Call,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Call {
    /// First of all, and once: makes the lab.
    Begin(Box<Plan>),
    Snapshot,
    Terminate {
        instance: String,
        uid: String,
        manner: Manner,
        hold: bool,
    },
    Release {
        instance: String,
    },
    Exec {
        instance: String,
        command: Vec<String>,
        timeout: Duration,
    },
    SetSchedulable {
        node: String,
        schedulable: bool,
    },
    Drain {
        node: String,
        timeout: Duration,
    },
    FailNode {
        node: String,
    },
    RestoreNode {
        node: String,
    },
    Isolate {
        id: String,
        selector: String,
        peer: Option<String>,
        direction: Direction,
    },
    Heal {
        id: String,
    },
    Scale {
        workload: String,
        replicas: u32,
    },
    SetQuota {
        group: String,
        quota: Quota,
    },
    Readings,
    /// The last lines of an instance's output, without secrets.
    Tail {
        instance: String,
        lines: usize,
    },
    /// What is needed to enter an instance.
    Door {
        instance: String,
    },
    /// Answered by the lab's owner: what it is.
    Hello,
    /// Answered by the lab's owner: a value that the lab made up.
    Secret {
        name: String,
    },
    /// Answered by the lab's owner: keeps other runs out for as long as this connection lasts.
    Claim {
        run: String,
    },
    /// Answered by the lab's owner, which then ends the lab.
    Shutdown,
}

/// What comes back.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Message {
    Answer {
        id: u64,
        result: Result<Answer, EnvironmentError>,
    },
    /// `at` is the machine's monotonic clock in nanoseconds.
    Event {
        at: u64,
        fact: Fact,
    },
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Answer {
    Done,
    Text(String),
    Snapshot(Box<Snapshot>),
    Exec(ExecOutput),
    Readings(Vec<Reading>),
    Door(Box<Door>),
    Hello(Box<Hello>),
}

/// Everything there is, at one moment.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Snapshot {
    pub(super) instances: Vec<InstanceView>,
    pub(super) nodes: Vec<Node>,
    pub(super) workloads: Vec<Workload>,
    pub(super) groups: Vec<GroupView>,
    /// What the machine has.
    pub(super) capacity: Quota,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct InstanceView {
    /// With `started` on the machine's monotonic clock instead of a run's.
    pub(super) instance: Instance,
    /// Should it run, as things are?
    pub(super) wanted: bool,
    /// Why it is in the state it is in.
    pub(super) detail: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct GroupView {
    pub(super) name: String,
    pub(super) quota: Quota,
}

/// Figures of one instance, or of a group as `(group) NAME`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Reading {
    pub(super) subject: String,
    pub(super) workload: Option<String>,
    pub(super) labels: Labels,
    pub(super) at: u64,
    pub(super) figures: Figures,
    pub(super) cpu_limit: Option<u64>,
    pub(super) memory_limit: Option<u64>,
}

/// What a process needs to enter an instance, with `pid` as lab-init numbers it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Door {
    pub(super) pid: i32,
    pub(super) user: User,
    pub(super) env: Vec<(String, String)>,
    pub(super) entrances: Vec<std::path::PathBuf>,
}

/// What a lab is, to those who attach.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Hello {
    pub(super) stack: String,
    pub(super) id: String,
    /// `lab-init`, as this machine numbers its processes.
    pub(super) init: i32,
    pub(super) target: (Ipv4Addr, u16),
}

/// The machine's monotonic clock in nanoseconds.
pub(super) fn monotonic() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let part = |value: i64| u64::try_from(value).unwrap_or(0);
    part(now.tv_sec).saturating_mul(1_000_000_000).saturating_add(part(now.tv_nsec))
}

/// A document as its line.
pub(super) fn line(document: &impl Serialize) -> Vec<u8> {
    // Nothing here has keys that are not strings, the only thing that JSON cannot say.
    let mut line = serde_json::to_vec(document).unwrap_or_default();
    line.push(b'\n');
    line
}
