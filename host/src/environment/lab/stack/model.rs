//! The stack file as it is written.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{
    autoscale::{AutoscaleFile, AutoscalerFile},
    quantity::{Cpu, Size, Span},
    values::Values,
};
use crate::observe::Labels;

/// A small data centre: what its machines have installed, and what runs on them.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct StackFile {
    pub(super) name: String,
    /// Where load is sent.
    pub(super) target: Target,
    pub(super) rootfs: Rootfs,
    /// Programs of one's own, found beside the `host` binary; instances see them in `/programs`.
    #[serde(default)]
    pub(super) binaries: Vec<String>,
    /// Names of values that every lab makes up anew and that files can hold.
    #[serde(default)]
    pub(super) secrets: Vec<String>,
    /// Settings that templates read and that an overlay may choose otherwise.
    #[serde(default)]
    pub(super) values: Values,
    /// Multiplies the processor requests of all workloads, and the limits of those that are `scaled`.
    #[serde(default = "one")]
    pub(super) capacity_scale: f64,
    /// How long a node is gone before what can be moved starts elsewhere.
    #[serde(default = "reschedule_after")]
    pub(super) reschedule_after: Span,
    /// What all autoscaling has in common.
    #[serde(default)]
    pub(super) autoscaler: AutoscalerFile,
    pub(super) nodes: Vec<NodeFile>,
    pub(super) workloads: Vec<WorkloadFile>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Target {
    pub(super) workload: String,
    pub(super) port: u16,
}

/// What the root file system holds that all instances share.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Rootfs {
    pub(super) packages: Vec<String>,
    /// Files that must be there before the packages are installed: path and contents.
    #[serde(default)]
    pub(super) files: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct NodeFile {
    pub(super) name: String,
    #[serde(default)]
    pub(super) labels: Labels,
}

/// Like instances of one program.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct WorkloadFile {
    pub(super) name: String,
    #[serde(default = "one_instance")]
    pub(super) count: u32,
    #[serde(default)]
    pub(super) labels: Labels,
    /// Workloads of one group can be bounded together.
    pub(super) group: Option<String>,
    /// Where its instances may run, the first one on the first of them; absent: on all nodes.
    #[serde(default)]
    pub(super) nodes: Vec<String>,
    /// Counted, named, and not started.
    #[serde(default)]
    pub(super) declared: bool,
    /// Program and arguments, each a template.
    #[serde(default)]
    pub(super) command: Vec<String>,
    /// Values are templates.
    #[serde(default)]
    pub(super) env: BTreeMap<String, String>,
    /// Files rendered into `/config`: name there, and template beside the stack file.
    #[serde(default)]
    pub(super) files: BTreeMap<String, String>,
    /// Directories whose contents outlive a restart.
    #[serde(default)]
    pub(super) volumes: Vec<String>,
    /// File systems of a bounded size, empty at each start, for all users of the instance. What lies there counts
    /// against its memory limit.
    #[serde(default)]
    pub(super) scratch: BTreeMap<String, Size>,
    #[serde(default = "root")]
    pub(super) user: String,
    #[serde(default)]
    pub(super) requests: ResourcesFile,
    #[serde(default)]
    pub(super) limits: ResourcesFile,
    /// Its processor limit follows `capacity-scale`.
    #[serde(default)]
    pub(super) scaled: bool,
    /// Absent: ready as soon as it runs.
    pub(super) ready: Option<ReadyFile>,
    /// Workloads that must be ready before its first start.
    #[serde(default)]
    pub(super) after: Vec<String>,
    /// How long it may take to end when asked to.
    #[serde(default = "grace")]
    pub(super) grace: Span,
    /// Keeps nothing, so that it can start on another node.
    #[serde(default)]
    pub(super) movable: bool,
    /// Absent: its count is fixed, unless it is autoscaled.
    pub(super) scalable: Option<ScalableFile>,
    /// Its count follows what its instances use.
    pub(super) autoscale: Option<AutoscaleFile>,
}

impl WorkloadFile {
    /// How few and how many instances it can be given; none if its count is fixed. What is autoscaled can be
    /// switched off, as on Kubernetes, by giving it none.
    pub(super) fn bounds(&self) -> Option<(u32, u32)> {
        let autoscaled = self.autoscale.as_ref().map(|autoscale| (0, autoscale.max()));
        self.scalable.map(|scalable| (scalable.min, scalable.max)).or(autoscaled)
    }
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct ResourcesFile {
    pub(super) cpu: Option<Cpu>,
    pub(super) memory: Option<Size>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct ScalableFile {
    pub(super) min: u32,
    pub(super) max: u32,
}

/// How readiness is found out; exactly one of the three means.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct ReadyFile {
    /// A port that accepts connections.
    pub(super) tcp: Option<u16>,
    pub(super) http: Option<HttpFile>,
    /// A command in the instance that succeeds.
    pub(super) exec: Option<Vec<String>>,
    #[serde(default = "probe_interval")]
    pub(super) interval: Span,
    #[serde(default = "probe_timeout")]
    pub(super) timeout: Span,
    /// Failures in a row that make a ready instance unready.
    #[serde(default = "probe_failures")]
    pub(super) failures: u32,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct HttpFile {
    pub(super) port: u16,
    pub(super) path: String,
    #[serde(default = "status_ok")]
    pub(super) status: u16,
    /// Text that the answer must contain.
    pub(super) contains: Option<String>,
}

fn one() -> f64 {
    1.0
}

fn one_instance() -> u32 {
    1
}

fn root() -> String {
    "root".to_owned()
}

fn seconds(seconds: u64) -> Span {
    Span(std::time::Duration::from_secs(seconds))
}

fn reschedule_after() -> Span {
    seconds(10)
}

fn grace() -> Span {
    seconds(10)
}

fn probe_interval() -> Span {
    seconds(1)
}

fn probe_timeout() -> Span {
    seconds(1)
}

fn probe_failures() -> u32 {
    3
}

fn status_ok() -> u16 {
    200
}
