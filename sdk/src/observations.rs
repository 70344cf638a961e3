//! What the run observed. Figures come from exact merges of histograms.
//!
//! ```
//! # use assay_sdk::{observations::{self, Filter, Latency, Span}, Result};
//! # fn p95() -> Result<()> {
//! let buying = Filter::users().group("pos");
//! let totals = observations::summary(&buying, &Span::OutsideFaults, 0.0)?;
//! let p95 = observations::percentile(&buying, &Span::OutsideFaults, Latency::Response, 95.0)?;
//! # Ok(())
//! # }
//! ```

pub use crate::bindings::imports::observations::{
    AuditSeen, CheckSeen, FaultSeen, Filter, GeneratorSeen, Latency, Metric, Outage, OutageSeen, Point,
    ReplicaPoint, Span, Totals, UsageSeen, WorkloadSeen,
};
pub use crate::bindings::imports::types::{Bite, Finding, Nanos, Severity, Step, When};
use crate::failure::Result;
use crate::host;

/// Sums over the requests of a filter in a span. `good_window` is the share of failures up to which a
/// one-second window still counts as good, e.g. 0.0.
///
/// # Errors
///
/// `not-found` for an unknown phase, fault or behavior.
pub fn summary(filter: &Filter, span: &Span, good_window: f64) -> Result<Totals> {
    host::observations::summary(filter, span, good_window)
}

/// Percentiles (0.0 to 100.0) of the latencies of successes, one answer each; none without samples.
///
/// # Errors
///
/// `not-found` for an unknown phase, fault or behavior, `invalid` for a percentile out of range.
pub fn percentiles(
    filter: &Filter,
    span: &Span,
    latency: Latency,
    percentiles: &[f64],
) -> Result<Vec<Option<Nanos>>> {
    host::observations::percentiles(filter, span, latency, percentiles)
}

/// One percentile (0.0 to 100.0) of the latencies of successes; none without samples.
///
/// # Errors
///
/// As [`percentiles`].
pub fn percentile(filter: &Filter, span: &Span, latency: Latency, percent: f64) -> Result<Option<Nanos>> {
    Ok(percentiles(filter, span, latency, &[percent])?.first().copied().flatten())
}

/// A time series, one point a step; `step` in whole seconds of nanoseconds. A point without a value
/// is a gap: nothing was seen.
///
/// # Errors
///
/// `not-found` for an unknown phase, fault or behavior, `invalid` for a step that is not whole seconds.
pub fn series(filter: &Filter, span: &Span, metric: Metric, step: Nanos) -> Result<Vec<Point>> {
    host::observations::series(filter, span, metric, step)
}

/// All faults of the run, struck or not, in the order of the run config.
pub fn faults() -> Vec<FaultSeen> {
    host::observations::faults()
}

/// Replicas, restarts and OOM kills of each workload.
pub fn workloads() -> Vec<WorkloadSeen> {
    host::observations::workloads()
}

/// CPU and memory of each instance, and of each group with a quota, in a span.
///
/// # Errors
///
/// `not-found` for an unknown phase or fault.
pub fn usage(span: &Span) -> Result<Vec<UsageSeen>> {
    host::observations::usage(span)
}

/// The ledgers against what the target holds, one per audited behavior.
pub fn audits() -> Vec<AuditSeen> {
    host::observations::audits()
}

/// The behaviors' own yes-or-no observations in a span, by name; the probe's are among them.
///
/// # Errors
///
/// `not-found` for an unknown phase or fault.
pub fn checks(span: &Span) -> Result<Vec<CheckSeen>> {
    host::observations::checks(span)
}

/// Did the load generator itself keep up?
pub fn generator() -> GeneratorSeen {
    host::observations::generator()
}

/// What was noticed before and during the run.
pub fn findings() -> Vec<Finding> {
    host::observations::findings()
}

impl Filter {
    /// All requests of the virtual users; probes are never among them.
    pub fn users() -> Filter {
        Filter { behavior: None, group: None, task: None, endpoint: None, probe: false }
    }

    /// The probe's requests instead.
    pub fn probe() -> Filter {
        Filter { probe: true, ..Filter::users() }
    }

    /// Only those of one behavior.
    #[must_use]
    pub fn behavior(mut self, name: impl Into<String>) -> Filter {
        self.behavior = Some(name.into());
        self
    }

    /// Only those of one task group.
    #[must_use]
    pub fn group(mut self, name: impl Into<String>) -> Filter {
        self.group = Some(name.into());
        self
    }

    /// Only those of one task.
    #[must_use]
    pub fn task(mut self, name: impl Into<String>) -> Filter {
        self.task = Some(name.into());
        self
    }

    /// Only samples of one name.
    #[must_use]
    pub fn endpoint(mut self, name: impl Into<String>) -> Filter {
        self.endpoint = Some(name.into());
        self
    }
}

impl FaultSeen {
    /// Its name in the run config: that of `web#2`, the second strike of a repeated fault, is `web`.
    pub fn base_name(&self) -> &str {
        self.name.split('#').next().unwrap_or_default()
    }
}

impl Totals {
    /// Good ÷ all requests: availability by request. Nothing without requests.
    pub fn success_ratio(&self) -> Option<f64> {
        ratio(self.successes, self.requests)
    }

    /// Share of one-second windows that were good: availability by time. Windows without samples
    /// are unknown and do not count. Nothing without any.
    pub fn good_time_ratio(&self) -> Option<f64> {
        ratio(self.good_windows, self.windows())
    }

    /// One-second windows with at least one sample.
    pub fn windows(&self) -> u64 {
        self.good_windows + self.bad_windows
    }
}

fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake;

    #[test]
    fn availability_is_of_what_was_seen() {
        let totals =
            Totals { good_windows: 9, bad_windows: 3, empty_windows: 88, ..fake::totals(1_000, 250) };
        assert_eq!(totals.success_ratio(), Some(0.75));
        assert_eq!(totals.windows(), 12);
        assert_eq!(totals.good_time_ratio(), Some(0.75));
    }

    #[test]
    fn without_requests_there_is_no_availability() {
        let totals = Totals { empty_windows: 100, ..fake::totals(0, 0) };
        assert_eq!((totals.success_ratio(), totals.good_time_ratio()), (None, None));
    }

    #[test]
    fn users_and_the_probe_are_never_asked_together() {
        assert_eq!([Filter::users().probe, Filter::probe().probe], [false, true]);
    }

    #[test]
    fn strikes_of_one_fault_have_one_name() {
        let base = |name| fake::fault_seen(name, 1).base_name().to_owned();
        assert_eq!([base("web#2"), base("web")], ["web", "web"]);
    }
}
