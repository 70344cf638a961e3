//! What can happen in a run.
//!
//! [`Fact`] is the vocabulary that all rooms share; its serialised form is what `events.jsonl` holds,
//! one event a line. New facts and new fields may be added; meanings do not change.

mod fault;
mod instance;
mod verdict;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Endpoint, Interval, Nanos};
pub use fault::*;
pub use instance::*;
pub use verdict::*;

/// A fact and when it became true.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Event {
    pub at: Nanos,
    pub fact: Fact,
}

/// Something that happened or was found out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case", deny_unknown_fields)]
pub enum Fact {
    /// First event of every run.
    RunStarted(RunInfo),
    /// What the run is doing now: `preflight`, `profile`, `load`, `settle`, `audit`, `restore`, `judge`.
    StageStarted {
        stage: Stage,
    },
    /// Something noticed; `source` is a room or a plugin's name.
    Finding {
        source: String,
        severity: Severity,
        message: String,
    },
    /// A plugin was loaded.
    PluginLoaded {
        name: String,
        plugin: String,
        version: String,
        digest: String,
    },
    /// A line of a plugin's log.
    PluginLog {
        plugin: String,
        level: Level,
        message: String,
    },
    /// A call into a plugin did not return in good order. `count` folds like ones of a second.
    PluginFailed {
        plugin: String,
        call: String,
        kind: PluginFailureKind,
        message: String,
        count: u64,
    },

    PhaseStarted {
        phase: String,
        users: u32,
        /// Starts a second, where the phase is open; `users` is then the most that there may be.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rate: Option<f64>,
    },
    PhaseEnded {
        phase: String,
    },
    /// An endpoint was seen for the first time; `index` is what intervals call it.
    Endpoint {
        index: u32,
        endpoint: Endpoint,
    },
    /// One second of load. Told up to two seconds after its end.
    Interval(Interval),
    /// Load has ended: no user runs any more.
    LoadEnded,

    /// An instance changed.
    Instance(InstanceChange),
    /// A workload's counts changed.
    Replicas {
        workload: String,
        desired: u32,
        running: u32,
        ready: u32,
    },
    /// An autoscaler chose another size for its workload, which [`Fact::Replicas`] then shows.
    Rescaled {
        autoscaler: String,
        size: u32,
        because: String,
    },
    /// A reading of all watched instances and bounded groups.
    Usage {
        readings: Vec<UsageReading>,
    },
    /// A quota came into force or was lifted, with what it bounds.
    Quota {
        group: String,
        cpu: Option<u64>,
        memory: Option<u64>,
    },

    /// A service leads to other instances than before.
    Routed {
        service: String,
        instances: Vec<String>,
    },
    /// From here on nothing is seen of what happens in the environment.
    SightLost {
        because: String,
    },
    /// It is seen again, and what was missed was told before this, late.
    SightRegained,

    /// Everything about one fault.
    Fault {
        fault: String,
        change: FaultChange,
    },
    /// The steady state was checked.
    Steady {
        holds: bool,
        because: String,
    },
    /// The guard stopped the run.
    GuardTripped {
        because: String,
    },

    /// What the target holds against the ledger.
    Audit(Audit),
    /// A promise was judged.
    Verdict(Verdict),
    /// Something could not be put back.
    RestoreFailed {
        what: String,
        because: String,
    },
    /// Last event of every run.
    RunEnded {
        outcome: RunOutcome,
        because: String,
    },
}

/// What a run is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RunInfo {
    pub id: String,
    /// The run config's `name`.
    pub name: String,
    /// Path of the run config as it was given.
    pub config: String,
    pub environment: String,
    pub seed: u64,
    /// 1 unless the run is shortened.
    pub time_scale: f64,
    /// RFC 3339.
    pub started: String,
    pub host_version: String,
    /// As planned, shortening applied: name, start and end of each phase, counted from load start.
    pub phases: Vec<PlannedPhase>,
    pub faults: Vec<PlannedFault>,
    /// What it is judged by, so that it can be judged again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assertions: Vec<PlannedAssertion>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PlannedPhase {
    pub name: String,
    /// Nanoseconds after load began.
    pub start: Nanos,
    pub end: Nanos,
    pub users: u32,
    /// Starts a second, where the phase is open; `users` is then the most that there may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PlannedFault {
    pub name: String,
    pub plugin: String,
    /// Nanoseconds after load began; the earliest, where it waits for another fault.
    pub at: Nanos,
    /// The fault that has to be over before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    pub recover_within: Option<Nanos>,
    pub requirement: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PlannedAssertion {
    pub name: String,
    pub plugin: String,
    /// The plugin's file; none of a built-in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// As the plugin was told, defaults filled in.
    pub config: serde_json::Value,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requirement: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    Preflight,
    Profile,
    Load,
    Settle,
    Audit,
    Restore,
    Judge,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    Note,
    Warning,
    Blocking,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    Debug,
    Info,
    Warn,
    Error,
}

/// How a call into a plugin went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PluginFailureKind {
    /// It returned a failure.
    Failed,
    /// WebAssembly trapped; the message has the reason.
    Trapped,
    /// It panicked; the message has file, line and text.
    Panicked,
    /// Its stack ran out.
    StackExhausted,
    /// It computed too long without calling the host.
    Looped,
    /// Its deadline passed.
    TimedOut,
    /// It asked for more memory than it may have.
    OutOfMemory,
    /// It handed the host more data than it may.
    TooMuchData,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Audit {
    pub behavior: String,
    pub attempted: u64,
    pub confirmed: u64,
    pub rejected: u64,
    pub indeterminate: u64,
    pub lost: u64,
    /// At most 1,000.
    pub lost_keys: Vec<String>,
    pub lost_span: Option<Nanos>,
    pub phantom: u64,
    pub duplicated: u64,
    pub failure: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RunOutcome {
    Pass,
    Fail,
    Inconclusive,
    /// The environment was not ready: nothing was tried.
    NotReady,
    /// Stopped by the guard.
    Aborted,
    /// Stopped by the user.
    Interrupted,
}

/// Free-form labels.
pub type Labels = BTreeMap<String, String>;
