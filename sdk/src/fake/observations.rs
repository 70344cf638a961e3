//! The fake's observations.

use super::{FakeHost, with};
use crate::bindings::imports::observations::{
    AuditSeen, CheckSeen, FaultSeen, Filter, GeneratorSeen, Latency, Metric, Outage, OutageSeen, Point, Span,
    Totals, UsageSeen, WorkloadSeen,
};
use crate::bindings::imports::types::{Bite, Finding};
use crate::clock::Nanos;
use crate::failure::{Failure, Result};

type SummaryOf = Box<dyn Fn(&Filter, &Span) -> Result<Totals>>;
type PercentileOf = Box<dyn Fn(&Filter, &Span, Latency, f64) -> Option<Nanos>>;
type SeriesOf = Box<dyn Fn(&Filter, &Span, Metric) -> Result<Vec<Point>>>;
type ChecksOf = Box<dyn Fn(&Span) -> Result<Vec<CheckSeen>>>;
type UsageOf = Box<dyn Fn(&Span) -> Result<Vec<UsageSeen>>>;

#[derive(Default)]
pub(super) struct World {
    summary: Option<SummaryOf>,
    percentile: Option<PercentileOf>,
    series: Option<SeriesOf>,
    usage: Option<UsageOf>,
    checks: Option<ChecksOf>,
    faults: Vec<FaultSeen>,
    workloads: Vec<WorkloadSeen>,
    audits: Vec<AuditSeen>,
    generator: Option<GeneratorSeen>,
    findings: Vec<Finding>,
}

/// Totals of so many requests and failures at 100 requests a second, each second with the same share of failures:
/// all windows are good without failures, and bad with. Change what must be otherwise.
pub fn totals(requests: u64, failures: u64) -> Totals {
    let windows = requests.div_ceil(100);
    let (good, bad) = if failures == 0 { (windows, 0) } else { (0, windows) };
    let successes = requests - failures;
    Totals {
        requests,
        successes,
        failures,
        covered: windows * 1_000_000_000,
        mean: (successes > 0).then_some(100_000_000),
        max: (successes > 0).then_some(1_000_000_000),
        good_windows: good,
        bad_windows: bad,
        empty_windows: 0,
        peak_rate: 100.0,
        errors: Vec::new(),
    }
}

/// A fault that struck at 100 s, was proven, and whose outage was not seen by anybody. Change what
/// must be otherwise.
pub fn fault_seen(name: &str, recover_within: Nanos) -> FaultSeen {
    FaultSeen {
        name: name.to_owned(),
        plugin: "some-fault".to_owned(),
        requirement: None,
        recover_within: Some(recover_within),
        struck: Some(100_000_000_000),
        because: String::new(),
        means: "killed".to_owned(),
        victims: vec!["pg-0".to_owned()],
        effect: Bite::Proven,
        probed: "it did not answer".to_owned(),
        complete: Some(110_000_000_000),
        steps: Vec::new(),
        users: vec![outage_seen("(all)", Outage::NotSeen)],
        probe: None,
        unaided: true,
        reverted: Some(130_000_000_000),
        revert_failure: None,
        trouble: None,
        steady_again: Some(140_000_000_000),
    }
}

/// An outage as a group saw it, known to 100 ms.
pub fn outage_seen(group: &str, outage: Outage) -> OutageSeen {
    OutageSeen { group: group.to_owned(), outage, resolution: 100_000_000, failures: 0 }
}

impl FakeHost {
    /// What [`crate::observations::summary`] answers.
    pub fn summary(&self, of: impl Fn(&Filter, &Span) -> Result<Totals> + 'static) {
        with(|world| world.observations.summary = Some(Box::new(of)));
    }

    /// What [`crate::observations::percentiles`] answers for each percentile.
    pub fn percentile(&self, of: impl Fn(&Filter, &Span, Latency, f64) -> Option<Nanos> + 'static) {
        with(|world| world.observations.percentile = Some(Box::new(of)));
    }

    /// What [`crate::observations::series`] answers.
    pub fn series(&self, of: impl Fn(&Filter, &Span, Metric) -> Result<Vec<Point>> + 'static) {
        with(|world| world.observations.series = Some(Box::new(of)));
    }

    /// What [`crate::observations::usage`] answers.
    pub fn usage(&self, of: impl Fn(&Span) -> Result<Vec<UsageSeen>> + 'static) {
        with(|world| world.observations.usage = Some(Box::new(of)));
    }

    /// What [`crate::observations::checks`] answers; without it there are none.
    pub fn checks(&self, of: impl Fn(&Span) -> Result<Vec<CheckSeen>> + 'static) {
        with(|world| world.observations.checks = Some(Box::new(of)));
    }

    /// Adds a fault that was seen.
    pub fn fault(&self, fault: FaultSeen) {
        with(|world| world.observations.faults.push(fault));
    }

    /// Adds a workload that was seen.
    pub fn workload_seen(&self, workload: WorkloadSeen) {
        with(|world| world.observations.workloads.push(workload));
    }

    /// Adds an audit.
    pub fn audit(&self, audit: AuditSeen) {
        with(|world| world.observations.audits.push(audit));
    }

    /// What is known of the load generator; by default that it kept up.
    pub fn generator(&self, generator: GeneratorSeen) {
        with(|world| world.observations.generator = Some(generator));
    }

    /// Adds a finding.
    pub fn finding(&self, finding: Finding) {
        with(|world| world.observations.findings.push(finding));
    }
}

fn unscripted(what: &str) -> Failure {
    Failure::NotFound(format!("no {what} is scripted"))
}

pub(crate) fn summary(filter: &Filter, span: &Span, _good_window: f64) -> Result<Totals> {
    with(|world| match &world.observations.summary {
        Some(of) => of(filter, span),
        None => Err(unscripted("summary")),
    })
}

pub(crate) fn percentiles(
    filter: &Filter,
    span: &Span,
    latency: Latency,
    percentiles: &[f64],
) -> Result<Vec<Option<Nanos>>> {
    with(|world| match &world.observations.percentile {
        Some(of) => Ok(percentiles.iter().map(|percent| of(filter, span, latency, *percent)).collect()),
        None => Err(unscripted("percentile")),
    })
}

pub(crate) fn series(filter: &Filter, span: &Span, metric: Metric, _step: Nanos) -> Result<Vec<Point>> {
    with(|world| match &world.observations.series {
        Some(of) => of(filter, span, metric),
        None => Err(unscripted("series")),
    })
}

pub(crate) fn faults() -> Vec<FaultSeen> {
    with(|world| world.observations.faults.clone())
}

pub(crate) fn workloads() -> Vec<WorkloadSeen> {
    with(|world| world.observations.workloads.clone())
}

pub(crate) fn usage(span: &Span) -> Result<Vec<UsageSeen>> {
    with(|world| match &world.observations.usage {
        Some(of) => of(span),
        None => Err(unscripted("usage")),
    })
}

pub(crate) fn checks(span: &Span) -> Result<Vec<CheckSeen>> {
    with(|world| match &world.observations.checks {
        Some(of) => of(span),
        None => Ok(Vec::new()),
    })
}

pub(crate) fn audits() -> Vec<AuditSeen> {
    with(|world| world.observations.audits.clone())
}

pub(crate) fn generator() -> GeneratorSeen {
    with(|world| world.observations.generator.clone()).unwrap_or(GeneratorSeen {
        bottleneck: false,
        because: "it kept up".to_owned(),
        cpu_mean: 100,
        cpu_peak: 200,
        lag_p99: 1_000_000,
        late: 0,
        dropped: 0,
    })
}

pub(crate) fn findings() -> Vec<Finding> {
    with(|world| world.observations.findings.clone())
}
