//! What environments are made of.

use std::{collections::BTreeSet, net::IpAddr};

use serde::{Deserialize, Serialize};

use super::ObjectReference;
use crate::observe::{Labels, Nanos};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InstanceState {
    Pending,
    Running,
    Ready,
    Terminating,
    /// Ended and not to be restarted, or held.
    Ended,
}

/// One running copy of something: a pod, a lab instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Instance {
    /// Unique while it lives.
    pub name: String,
    /// Changes when it is recreated, even under the same name.
    pub uid: String,
    pub workload: String,
    pub node: String,
    pub address: Option<IpAddr>,
    pub labels: Labels,
    pub state: InstanceState,
    pub restarts: u32,
    pub started: Option<Nanos>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Manner {
    Graceful,
    /// All processes end at once and answer nothing any more.
    Crash,
    /// All processes are stopped and keep their connections.
    Freeze,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExecOutput {
    pub exit_code: i32,
    /// At most 64 KiB each.
    pub stdout: String,
    pub stderr: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Node {
    pub name: String,
    pub labels: Labels,
    pub ready: bool,
    pub schedulable: bool,
}

/// A group of like instances.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Workload {
    pub name: String,
    pub labels: Labels,
    pub desired: u32,
    pub running: u32,
    pub ready: u32,
    /// Counted in the arithmetic but not running here.
    pub declared_only: bool,
    /// Of one instance, in thousandths of a processor and bytes; unscaled.
    pub cpu_request: Option<u64>,
    pub cpu_limit: Option<u64>,
    pub memory_request: Option<u64>,
    pub memory_limit: Option<u64>,
    pub group: Option<String>,
}

/// A bound on a group as a whole; absent is unbounded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Quota {
    /// Thousandths of a processor.
    pub cpu: Option<u64>,
    /// Bytes.
    pub memory: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QuotaStatus {
    pub group: String,
    pub quota: Quota,
    /// What the machine could give at most.
    pub capacity: Quota,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    Both,
    Ingress,
    Egress,
}

/// What the plugins of a run can ask of its environment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Calls {
    /// Functions of the interface `cluster`.
    pub cluster: BTreeSet<String>,
    /// Kinds of raw objects that they are granted.
    pub objects: Vec<ObjectReference>,
    /// Do they connect to instances by themselves?
    pub connections: bool,
    /// The Secrets that passwords are in.
    pub secrets: BTreeSet<String>,
}
