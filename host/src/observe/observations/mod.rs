//! What is known of a run, folded from its events.
//!
//! [`Observations`] is what assertions query and reports draw; it is computed from events alone, so
//! a finished run's directory gives the same one as the run itself did. Figures come from exact
//! merges of histograms, and whatever was not seen is absent: never zero.
//!
//! A clone shares the recorded seconds with its original, so a snapshot is cheap.

mod apply;
mod faults;
mod generator;
mod plugins;
mod requests;
mod seconds;
mod spans;
mod usage;
mod workloads;

#[cfg(test)]
mod tests;

use schemars::JsonSchema;
use serde::Serialize;

use std::collections::BTreeMap;

pub use faults::{FaultSeen, StepSeen};
pub use generator::GeneratorSeen;
pub use plugins::{LoggedLine, OwnCheck, OwnTrend, PluginFailures, PluginSeen};
pub use requests::{Filter, Latency, Metric, Point, Totals};
pub use spans::{QueryError, Span};
pub use usage::UsageSeen;
pub use workloads::{BlindSpan, Happening, QuotaSeen, ReplicaPoint, WorkloadSeen};

use super::{Audit, Endpoint, Nanos, RunInfo, RunOutcome, Severity, Stage, Stretch, Verdict};

/// Everything that a run's events say.
#[derive(Debug, Clone, Default)]
pub struct Observations {
    run: Option<RunInfo>,
    /// When the latest event became true.
    latest: Nanos,
    stages: Vec<(Stage, Nanos)>,
    phases: Vec<PhaseSeen>,
    load_ended: Option<Nanos>,
    endpoints: BTreeMap<u32, Endpoint>,
    seconds: seconds::Seconds,
    faults: Vec<FaultSeen>,
    steady: Vec<SteadySeen>,
    workloads: BTreeMap<String, workloads::WorkloadRecord>,
    usage: BTreeMap<String, Vec<usage::Reading>>,
    quotas: Vec<QuotaSeen>,
    happenings: Vec<Happening>,
    blind: Vec<BlindSpan>,
    plugins: plugins::PluginRecord,
    findings: Vec<FindingSeen>,
    audits: Vec<Audit>,
    verdicts: Vec<Verdict>,
    guard: Option<(Nanos, String)>,
    restore_failures: Vec<RestoreFailure>,
    ended: Option<Ended>,
}

/// A phase as it came to pass.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct PhaseSeen {
    pub name: String,
    pub users: u32,
    /// Starts a second, where the phase was open; `users` is then the most that there might be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    pub start: Nanos,
    /// Absent while it runs, and for good if the run was killed in it.
    pub end: Option<Nanos>,
}

/// The steady state, at a check that came out otherwise than the one before.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct SteadySeen {
    pub at: Nanos,
    pub holds: bool,
    pub because: String,
}

/// Something noticed, and how often the same was told.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct FindingSeen {
    pub at: Nanos,
    pub source: String,
    pub severity: Severity,
    pub message: String,
    pub count: u64,
}

/// Something that could not be put back.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct RestoreFailure {
    pub what: String,
    pub because: String,
}

/// How the run ended.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Ended {
    pub at: Nanos,
    pub outcome: RunOutcome,
    pub because: String,
}

impl Observations {
    /// Absent until the run's first event.
    pub fn run(&self) -> Option<&RunInfo> {
        self.run.as_ref()
    }

    /// When the latest event became true.
    pub fn latest(&self) -> Nanos {
        self.latest
    }

    /// Stages in the order in which they began.
    pub fn stages(&self) -> &[(Stage, Nanos)] {
        &self.stages
    }

    /// Phases in the order in which they began.
    pub fn phases(&self) -> &[PhaseSeen] {
        &self.phases
    }

    /// The phase that runs now.
    pub fn phase(&self) -> Option<&PhaseSeen> {
        self.phases.last().filter(|phase| phase.end.is_none() && self.load_ended.is_none())
    }

    /// When the last user stopped.
    pub fn load_ended(&self) -> Option<Nanos> {
        self.load_ended
    }

    /// Every endpoint that was seen, in the order of its index.
    pub fn endpoints(&self) -> impl Iterator<Item = &Endpoint> {
        self.endpoints.values()
    }

    /// Planned faults, as far as they came, in the order of the plan.
    pub fn faults(&self) -> Vec<FaultSeen> {
        self.faults.iter().filter(|fault| fault.planned).cloned().collect()
    }

    /// One planned fault by its name.
    pub fn fault(&self, name: &str) -> Option<&FaultSeen> {
        self.faults.iter().find(|fault| fault.planned && fault.name == name)
    }

    /// What was struck without being a planned fault: the profile, which shapes the whole run and
    /// is therefore no stretch that `outside-faults` leaves out.
    pub fn profile(&self) -> Option<&FaultSeen> {
        self.faults.iter().find(|fault| !fault.planned)
    }

    /// Every change of the steady state.
    pub fn steady(&self) -> &[SteadySeen] {
        &self.steady
    }

    pub fn audits(&self) -> &[Audit] {
        &self.audits
    }

    pub fn findings(&self) -> &[FindingSeen] {
        &self.findings
    }

    /// The latest verdict on every promise, in the order in which promises were first judged.
    pub fn verdicts(&self) -> &[Verdict] {
        &self.verdicts
    }

    /// When and why the guard stopped the run.
    pub fn guard(&self) -> Option<(Nanos, &str)> {
        self.guard.as_ref().map(|(at, because)| (*at, because.as_str()))
    }

    pub fn restore_failures(&self) -> &[RestoreFailure] {
        &self.restore_failures
    }

    /// Absent while the run goes on, and for good if it was killed.
    pub fn ended(&self) -> Option<&Ended> {
        self.ended.as_ref()
    }

    /// Stretches of like requests that ended at `from` or later, second by second.
    pub fn stretches(&self, from: Nanos) -> Vec<Stretch> {
        self.seconds.stretches(from).cloned().collect()
    }
}
