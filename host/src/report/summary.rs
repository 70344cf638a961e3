//! The summary: everything that a report shows, as one typed value.
//!
//! `summary.json` is this value. Moments and durations are nanoseconds, moments counted from the
//! run's start; what was not seen is null.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;

use crate::observe::{
    Audit, BlindSpan, Endpoint, ErrorClass, FaultSeen, Filter, FindingSeen, GeneratorSeen, Happening,
    Latency, LoggedLine, Nanos, Observations, OwnCheck, PhaseSeen, PluginFailures, PluginSeen, QuotaSeen,
    RestoreFailure, RunInfo, RunOutcome, Span, SteadySeen, UsageSeen, Verdict, WorkloadSeen,
    histogram::{Histogram, mean, percentile},
};

/// Version of the schema; it changes when a reader would have to.
const SCHEMA: u32 = 1;

const SECOND: Nanos = 1_000_000_000;

/// A p95 over all requests is worth telling when it differs this much from that of successes.
const TELLING: f64 = 0.1;

/// A run, summed up. All moments and durations are nanoseconds; moments count from the run's start.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Summary {
    /// Version of this schema.
    pub schema: u32,
    pub run: Option<RunInfo>,
    /// Null if the run was cut off before it could tell.
    pub outcome: Option<RunOutcome>,
    pub because: String,
    pub load_started: Option<Nanos>,
    pub load_ended: Option<Nanos>,
    /// When the last event of the run became true.
    pub ended: Nanos,
    pub promises: Vec<Verdict>,
    pub faults: Vec<FaultSummary>,
    /// What shaped the whole run.
    pub profile: Option<FaultSeen>,
    pub load: Load,
    pub target: Target,
    /// Ledgers against what the target held.
    pub audits: Vec<Audit>,
    pub plugins: Plugins,
    pub findings: Vec<FindingSeen>,
    /// Every change of the steady state.
    pub steady: Vec<SteadySeen>,
    /// Why the guard stopped the run.
    pub guard: Option<String>,
    /// What could not be put back.
    pub restore_failures: Vec<RestoreFailure>,
    pub generator: GeneratorSeen,
}

/// One fault and what it did.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct FaultSummary {
    pub fault: FaultSeen,
    /// Did it recover before anything was reverted?
    pub unaided: bool,
    /// From the strike to the component's last step.
    pub component_recovery: Option<Nanos>,
    /// The users' requests from the strike to the first steady check after the revert.
    pub during: Option<Figures>,
    /// The plugins' own checks until then, such as whether users were still signed in.
    pub checks: Vec<OwnCheck>,
    /// What happened in the environment then: to instances, to the ways that lead to them, to the sight of both.
    pub meanwhile: Vec<Happening>,
}

/// What the load did.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Load {
    pub whole: Figures,
    /// The whole without the stretches of faults.
    pub outside_faults: Figures,
    /// The probe's requests; null without a probe.
    pub probe: Option<Figures>,
    pub phases: Vec<PhaseFigures>,
    pub groups: Vec<GroupFigures>,
    pub endpoints: Vec<EndpointFigures>,
    /// The users' answers by status.
    pub statuses: Vec<StatusCount>,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct PhaseFigures {
    pub phase: PhaseSeen,
    pub figures: Figures,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct GroupFigures {
    pub behavior: String,
    pub group: String,
    pub figures: Figures,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct EndpointFigures {
    pub endpoint: Endpoint,
    pub figures: Figures,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct StatusCount {
    pub status: u16,
    pub count: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct ErrorCount {
    pub class: ErrorClass,
    pub count: u64,
}

/// Requests over one span.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Figures {
    pub requests: u64,
    pub successes: u64,
    pub failures: u64,
    pub success_rate: Option<f64>,
    /// How much time of the span is known.
    pub covered: Nanos,
    /// Requests a second.
    pub rate: Option<f64>,
    /// Requests in the busiest second.
    pub peak_rate: f64,
    /// Share of seconds with samples in which nothing failed.
    pub availability_by_time: Option<f64>,
    /// Seconds without samples.
    pub empty_windows: u64,
    /// Of successes: from the actual send to the last byte.
    pub service: Option<Distribution>,
    /// Of successes: from the intended start to the last byte.
    pub response: Option<Distribution>,
    /// Over successes and failures, where it differs by more than a tenth from that of successes.
    pub p95_of_all: Option<Nanos>,
    /// Most frequent first.
    pub errors: Vec<ErrorCount>,
    pub bytes_sent: u64,
    pub bytes_received: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Distribution {
    pub mean: Nanos,
    pub p50: Nanos,
    pub p95: Nanos,
    pub p99: Nanos,
    pub max: Nanos,
}

/// What the target used while the load ran.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Target {
    pub usage: Vec<UsageSeen>,
    pub quotas: Vec<QuotaSeen>,
    pub workloads: Vec<WorkloadSeen>,
    /// When nothing was seen of what happened there.
    pub blind: Vec<BlindSpan>,
}

/// The plugins: how they failed, and their own figures.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Plugins {
    pub loaded: Vec<PluginSeen>,
    pub failures: Vec<PluginFailures>,
    /// The first warnings and errors that they logged.
    pub log: Vec<LoggedLine>,
    /// How many more there were.
    pub log_cut: u64,
    pub counters: Vec<OwnCounter>,
    pub checks: Vec<OwnCheck>,
    pub trends: Vec<TrendFigures>,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct OwnCounter {
    pub name: String,
    pub sum: f64,
}

/// A distribution of a plugin's own, in the plugin's own unit.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct TrendFigures {
    pub name: String,
    pub count: u64,
    pub mean: f64,
    pub p50: f64,
    pub p95: f64,
    pub p99: f64,
    pub max: f64,
}

impl Summary {
    /// Asks the observations for everything.
    pub fn of(known: &Observations) -> Self {
        let (outcome, because) = match known.ended() {
            Some(ended) => (Some(ended.outcome), ended.because.clone()),
            None => (None, "the run was cut off; this is what it had recorded".to_owned()),
        };
        Self {
            schema: SCHEMA,
            run: known.run().cloned(),
            outcome,
            because,
            load_started: known.phases().first().map(|phase| phase.start),
            load_ended: known.load_ended(),
            ended: known.latest(),
            promises: known.verdicts().to_vec(),
            faults: known.faults().into_iter().map(|fault| FaultSummary::of(known, fault)).collect(),
            profile: known.profile().cloned(),
            load: Load::of(known),
            target: Target {
                usage: known.usage(&Span::Whole).unwrap_or_default(),
                quotas: known.quotas().to_vec(),
                blind: known.blind_spans().to_vec(),
                workloads: known.workloads(),
            },
            audits: known.audits().to_vec(),
            plugins: Plugins::of(known),
            findings: known.findings().to_vec(),
            steady: known.steady().to_vec(),
            guard: known.guard().map(|(_, because)| because.to_owned()),
            restore_failures: known.restore_failures().to_vec(),
            generator: known.generator(),
        }
    }
}

impl FaultSummary {
    fn of(known: &Observations, fault: FaultSeen) -> Self {
        let span = Span::Fault(fault.name.clone());
        Self {
            unaided: fault.unaided(),
            component_recovery: fault.component_recovery(),
            during: fault.struck.map(|_| Figures::of(known, &Filter::all(), &span)),
            checks: fault.struck.and_then(|_| known.checks(&span).ok()).unwrap_or_default(),
            // What a strike does begins a moment before its plugin says when it was.
            meanwhile: fault.struck.map_or_else(Vec::new, |struck| {
                known.happenings(struck.saturating_sub(SECOND), fault.steady_again.unwrap_or(Nanos::MAX))
            }),
            fault,
        }
    }
}

impl Load {
    fn of(known: &Observations) -> Self {
        let whole = |filter: &Filter| Figures::of(known, filter, &Span::Whole);
        let probed = known.endpoints().any(|endpoint| endpoint.probe);
        let phase = |phase: &PhaseSeen| PhaseFigures {
            phase: phase.clone(),
            figures: Figures::of(known, &Filter::all(), &Span::Phase(phase.name.clone())),
        };
        let users = known.endpoints().filter(|endpoint| !endpoint.probe);
        let groups: BTreeSet<_> =
            users.map(|endpoint| (endpoint.behavior.clone(), endpoint.group.clone())).collect();
        let group = |(behavior, group): (String, String)| {
            let filter =
                Filter { behavior: Some(behavior.clone()), group: Some(group.clone()), ..Filter::all() };
            GroupFigures { figures: whole(&filter), behavior, group }
        };
        let endpoint = |endpoint: &Endpoint| EndpointFigures {
            endpoint: endpoint.clone(),
            figures: whole(&Filter::endpoint(endpoint)),
        };
        let statuses = known.statuses(&Filter::all(), &Span::Whole).unwrap_or_default();
        Self {
            whole: whole(&Filter::all()),
            outside_faults: Figures::of(known, &Filter::all(), &Span::OutsideFaults),
            probe: probed.then(|| whole(&Filter::probe())),
            phases: known.phases().iter().map(phase).collect(),
            groups: groups.into_iter().map(group).collect(),
            endpoints: known.endpoints().map(endpoint).collect(),
            statuses: statuses.into_iter().map(|(status, count)| StatusCount { status, count }).collect(),
        }
    }
}

impl Figures {
    /// Spans come from the observations themselves, so no question here can be a wrong one; if it
    /// were, the figures would be empty, as of something that was not seen.
    fn of(known: &Observations, filter: &Filter, span: &Span) -> Self {
        let totals = known.totals(filter, span, 0.0).unwrap_or_default();
        let latency =
            |latency| known.latencies(filter, span, latency).ok().as_ref().and_then(Distribution::of);
        let (bytes_sent, bytes_received) = known.bytes(filter, span).unwrap_or_default();
        let response = latency(Latency::Response);
        let all = known.latencies_of_all(filter, span).ok().and_then(|all| percentile(&all, 95.0));
        let telling = |all: &Nanos| {
            response
                .as_ref()
                .is_none_or(|good| (*all as f64 - good.p95 as f64).abs() > TELLING * good.p95 as f64)
        };
        Self {
            success_rate: totals.success_rate(),
            rate: totals.rate(),
            availability_by_time: totals.availability(),
            requests: totals.requests,
            successes: totals.successes,
            failures: totals.failures,
            covered: totals.covered,
            peak_rate: totals.peak_rate,
            empty_windows: totals.empty_windows,
            service: latency(Latency::Service),
            p95_of_all: all.filter(telling),
            response,
            errors: totals.errors.into_iter().map(|(class, count)| ErrorCount { class, count }).collect(),
            bytes_sent,
            bytes_received,
        }
    }
}

impl Distribution {
    fn of(histogram: &Histogram<u64>) -> Option<Self> {
        Some(Self {
            mean: mean(histogram)?,
            p50: percentile(histogram, 50.0)?,
            p95: percentile(histogram, 95.0)?,
            p99: percentile(histogram, 99.0)?,
            max: histogram.max(),
        })
    }
}

impl Plugins {
    fn of(known: &Observations) -> Self {
        let (log, log_cut) = known.plugin_log();
        let trend = |trend: crate::observe::OwnTrend| {
            let histogram = trend.values.dense();
            let figures = Distribution::of(&histogram)?;
            let unit = |thousandths: u64| thousandths as f64 / 1e3;
            Some(TrendFigures {
                name: trend.name,
                count: histogram.len(),
                mean: unit(figures.mean),
                p50: unit(figures.p50),
                p95: unit(figures.p95),
                p99: unit(figures.p99),
                max: unit(figures.max),
            })
        };
        Self {
            loaded: known.plugins().to_vec(),
            failures: known.plugin_failures().to_vec(),
            log: log.to_vec(),
            log_cut,
            counters: known.counters().map(|(name, sum)| OwnCounter { name: name.to_owned(), sum }).collect(),
            checks: known.all_checks(),
            trends: known.trends().filter_map(trend).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::fixtures;

    fn json() -> serde_json::Value {
        serde_json::to_value(Summary::of(&fixtures::observations())).unwrap()
    }

    #[test]
    fn reads_as_published() {
        let mut json = json();
        // The rest of the schedule is in other snapshots; this one is about names and units.
        json["load"]["endpoints"].as_array_mut().unwrap().truncate(1);
        insta::assert_json_snapshot!(json);
    }

    /// The published schema is what the types say. On purpose changed? Write it anew with
    /// `UPDATE_SCHEMAS=1 cargo test -p assay-host summary`.
    #[test]
    fn the_published_schema_is_current() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/summary.schema.json");
        let schema = serde_json::to_value(schemars::schema_for!(Summary)).unwrap();
        let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        if std::env::var_os("UPDATE_SCHEMAS").is_some() {
            fs_err::write(&path, &text).unwrap();
        }
        let published = fs_err::read_to_string(&path).unwrap_or_default();
        assert!(published == text, "docs/summary.schema.json is out of date");
        let validator = jsonschema::validator_for(&schema).unwrap();
        let wrong: Vec<String> = validator.iter_errors(&json()).map(|error| error.to_string()).collect();
        assert_eq!(wrong, [""; 0]);
        let nothing = serde_json::to_value(Summary::of(&Observations::default())).unwrap();
        assert!(validator.is_valid(&nothing));
    }

    #[test]
    fn the_p95_over_all_is_told_where_it_matters() {
        let summary = Summary::of(&fixtures::observations());
        assert!(summary.load.outside_faults.p95_of_all.is_none());
        assert!(summary.faults[0].during.as_ref().unwrap().p95_of_all.is_some());
    }
}
