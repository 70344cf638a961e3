//! What happens in the life of a fault, and what users saw of it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::observe::Nanos;

/// The life of a fault.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case", deny_unknown_fields)]
pub enum FaultChange {
    /// It will not strike, or could not.
    Skipped {
        because: String,
    },
    Aimed {
        victims: Vec<Victim>,
    },
    Injected {
        means: String,
    },
    Effect {
        bite: Bite,
        probed: String,
    },
    Step {
        name: String,
        at: When,
        detail: String,
    },
    /// All steps that the fault waits for are there.
    Complete,
    /// When watching ended its plugin could not be asked whether it recovered.
    Blind {
        because: String,
    },
    /// As users saw it, settled: `(all)` first, then by group.
    Seen {
        users: Vec<OutageSeen>,
        probe: Option<OutageSeen>,
    },
    Reverted,
    RevertFailed {
        because: String,
    },
    /// First steady check passed after the revert.
    SteadyAgain,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Victim {
    pub name: String,
    pub role: String,
    pub because: String,
}

impl Victim {
    /// Its name, and in brackets its role if it has one.
    pub fn titled(&self) -> String {
        match self.role.is_empty() {
            true => self.name.clone(),
            false => format!("{} ({})", self.name, self.role),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Bite {
    Proven,
    NotYet,
    Absent,
}

/// Whose clock says when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum When {
    Observed(Nanos),
    Reported(String),
}

/// How long until requests came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outage {
    /// No request failed: not the same as 0 s.
    NotSeen,
    Ended(Nanos),
    /// Still on when watching ended: at least this long.
    NotEnded(Nanos),
    /// Too few samples to tell.
    Unknown,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct OutageSeen {
    /// Task group, or `(all)`.
    pub group: String,
    pub outage: Outage,
    /// The largest gap between samples.
    pub resolution: Nanos,
    pub failures: u64,
}
