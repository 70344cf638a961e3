//! What was promised, what was measured, and how a promise turned out.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::observe::Nanos;

/// A figure with its unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Measure {
    Ratio(f64),
    Duration(Nanos),
    Count(u64),
    Rate(f64),
    Millicores(u64),
    Bytes(u64),
    Text(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Relation {
    AtMost,
    AtLeast,
    Exactly,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Bound {
    pub relation: Relation,
    pub measure: Measure,
}

/// How a promise turned out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    Kept,
    Broken,
    Inconclusive,
    /// The shortened run could not hold what it needs; left out of the verdict.
    Void,
}

/// A promise, judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Verdict {
    /// The assertion's name in the run config.
    pub assertion: String,
    pub subject: String,
    pub outcome: Outcome,
    pub measured: Option<Measure>,
    pub promised: Option<Bound>,
    pub because: String,
    /// What it would have needed, and what there was.
    pub shortage: Option<(Measure, Measure)>,
    pub requirement: Option<String>,
}
