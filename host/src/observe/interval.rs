//! What the recorder folds requests into: one interval a second.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Nanos;

/// Which requests a row of figures belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Endpoint {
    /// The behavior's name in the run config.
    pub behavior: String,
    pub group: String,
    pub task: String,
    /// The sample's name: `GET /inventory/`.
    pub name: String,
    /// Sent by a probe: reported apart and outside every promise on the load.
    pub probe: bool,
}

/// Why a request counts as failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorClass {
    NameResolution,
    Refused,
    Reset,
    ConnectTimeout,
    Timeout,
    Tls,
    Protocol,
    /// The status or body was not what the request expected.
    Expectation,
    /// The plugin said so, by `response.fail`.
    Check,
}

impl ErrorClass {
    /// As reports and assertions name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::NameResolution => "name-resolution",
            Self::Refused => "refused",
            Self::Reset => "reset",
            Self::ConnectTimeout => "connect-timeout",
            Self::Timeout => "timeout",
            Self::Tls => "tls",
            Self::Protocol => "protocol",
            Self::Expectation => "expectation",
            Self::Check => "check",
        }
    }
}

/// One second of one endpoint. Counts are by the second in which a request *ended*.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct EndpointInterval {
    /// Index into the endpoints told by [`super::Fact::Endpoint`].
    pub endpoint: u32,
    pub successes: u64,
    /// Failures by class; classes that did not occur are absent.
    pub failures: Vec<(ErrorClass, u64)>,
    /// Answers by status.
    pub statuses: Vec<(u16, u64)>,
    pub bytes_sent: u64,
    pub bytes_received: u64,
    /// Of successes: from the actual send to the last byte.
    #[serde(default, skip_serializing_if = "Sparse::is_empty")]
    pub service: Sparse,
    /// Of successes: from the intended start to the last byte.
    #[serde(default, skip_serializing_if = "Sparse::is_empty")]
    pub response: Sparse,
    /// Of failures: service time.
    #[serde(default, skip_serializing_if = "Sparse::is_empty")]
    pub failed: Sparse,
}

/// The name under which all groups together have stretches and outages. It sorts before the name of
/// any group, which is kebab-case.
pub const ALL_GROUPS: &str = "(all)";

/// A stretch of requests of one group that all ended alike, without one that ended otherwise in
/// between. From these, recovery times are known to the request and not only to the second.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Stretch {
    pub group: String,
    pub probe: bool,
    pub success: bool,
    pub count: u64,
    /// When the first of them that was sent, was sent.
    pub first_sent: Nanos,
    /// When the first of them that ended, ended.
    pub first_ended: Nanos,
    pub last_ended: Nanos,
}

/// All that the load did in one second.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Interval {
    /// Whole seconds since the run's start: this one covers `[second, second + 1)`.
    pub second: u64,
    /// Virtual users alive at its end, without the probe's.
    pub users: u32,
    /// Requests sent and not yet ended at its end.
    pub in_flight: u32,
    /// Starts that found no free user in time, and starts given up.
    pub late: u64,
    pub dropped: u64,
    pub endpoints: Vec<EndpointInterval>,
    pub stretches: Vec<Stretch>,
    /// The plugins' own counters and checks: name and increment.
    pub counters: Vec<(String, f64)>,
    pub checks: Vec<(String, u64, u64)>,
    /// The plugins' own distributions, in thousandths.
    pub trends: Vec<(String, Sparse)>,
    pub generator: GeneratorInterval,
}

/// What the load generator itself needed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct GeneratorInterval {
    /// Thousandths of a processor.
    pub cpu: u64,
    pub lag_p99: Nanos,
    /// Sends that left later than they should have.
    pub late_sends: u64,
    /// What it could not do because it had no file descriptor, port or memory left for it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub shortages: u64,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// A histogram by its non-empty buckets: three significant digits, nanoseconds unless said
/// otherwise, ascending. Merging is adding counts of equal buckets, so it is exact.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sparse(pub Vec<(u64, u64)>);
