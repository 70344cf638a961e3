//! What a lab is to be, complete: names resolved, templates rendered, addresses given.
//!
//! The host makes a plan from a stack file and hands it to `lab-init`, which needs to know nothing
//! of stack files. Cross-references are indices into the plan's own lists.

use std::{net::Ipv4Addr, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use super::autoscale::{Settings, Size};
use crate::observe::Labels;

/// One lab.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Plan {
    /// Unique on this machine: names of cgroups and of the folder below follow from it.
    pub(super) id: String,
    pub(super) stack: String,
    /// A folder of this lab's own, removed with it.
    pub(super) state: PathBuf,
    pub(super) rootfs: PathBuf,
    /// Name in `/programs`, and where it is.
    pub(super) programs: Vec<(String, PathBuf)>,
    pub(super) gateway: Ipv4Addr,
    pub(super) prefix: u8,
    pub(super) target: (Ipv4Addr, u16),
    pub(super) nodes: Vec<NodePlan>,
    pub(super) workloads: Vec<WorkloadPlan>,
    pub(super) instances: Vec<InstancePlan>,
    pub(super) reschedule_after: Duration,
    pub(super) autoscaler: Settings,
    /// Contents of every instance's `/etc/hosts`.
    pub(super) hosts: String,
    /// Values that must not show in logs that are quoted.
    pub(super) hidden: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct NodePlan {
    pub(super) name: String,
    pub(super) labels: Labels,
}

/// Like instances of one program.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct WorkloadPlan {
    pub(super) name: String,
    pub(super) labels: Labels,
    pub(super) group: Option<String>,
    /// How many instances are to run at first; the plan has slots for as many as it can grow to.
    pub(super) count: u32,
    pub(super) scalable: Option<(u32, u32)>,
    pub(super) autoscale: Option<Size>,
    pub(super) declared: bool,
    /// Unscaled, as production would have them.
    pub(super) requests: Resources,
    pub(super) limits: Resources,
    /// What the cgroups are given: scaled.
    pub(super) cpu_request: Option<u64>,
    pub(super) cpu_limit: Option<u64>,
    pub(super) user: User,
    pub(super) ready: Option<Readiness>,
    /// Workloads that must be ready before the first start.
    pub(super) after: Vec<usize>,
    pub(super) grace: Duration,
    pub(super) movable: bool,
    /// Where its instances may run.
    pub(super) nodes: Vec<usize>,
    pub(super) volumes: Vec<String>,
    /// Path and bytes.
    pub(super) scratch: Vec<(String, u64)>,
}

/// Thousandths of a processor, and bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Resources {
    pub(super) cpu: Option<u64>,
    pub(super) memory: Option<u64>,
}

/// Whom a program runs as, as the root file system knows them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct User {
    pub(super) name: String,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) home: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Readiness {
    pub(super) check: Check,
    pub(super) interval: Duration,
    pub(super) timeout: Duration,
    /// Failures in a row that make a ready instance unready.
    pub(super) failures: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Check {
    Tcp { port: u16 },
    Http { port: u16, path: String, status: u16, contains: Option<String> },
    Exec { command: Vec<String> },
}

/// One slot: an instance that runs, or would if its workload were larger.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct InstancePlan {
    pub(super) name: String,
    pub(super) workload: usize,
    pub(super) ordinal: u32,
    pub(super) address: Ipv4Addr,
    /// Where it starts.
    pub(super) node: usize,
    pub(super) command: Vec<String>,
    pub(super) env: Vec<(String, String)>,
    /// Name in `/config`, and contents.
    pub(super) files: Vec<(String, String)>,
}
