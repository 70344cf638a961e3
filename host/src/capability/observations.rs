//! `observations`: what assertions may ask. Nothing is granted or changed here; it is reading only.

use std::sync::Arc;

use assay_bindings::imports::{observations as wit, types};

use crate::observe::{
    Bite, FaultSeen, Filter, Latency, Metric, Observations, Outage, OutageSeen, QueryError, Severity, Span,
    When,
};

/// The observations that one instance of an assertion sees: they do not change under its eyes.
#[derive(Debug, Clone)]
pub struct Reader(Arc<Observations>);

impl Reader {
    pub fn new(known: Arc<Observations>) -> Self {
        Self(known)
    }
}

impl wit::Host for Reader {
    fn summary(
        &mut self,
        filter: wit::Filter,
        span: wit::Span,
        good_window: f64,
    ) -> wasmtime::Result<Result<wit::Totals, types::Failure>> {
        let answer = self.0.totals(&filter.into(), &span.into(), good_window);
        Ok(answer.map_err(failure).map(|totals| wit::Totals {
            requests: totals.requests,
            successes: totals.successes,
            failures: totals.failures,
            covered: totals.covered,
            mean: totals.mean,
            max: totals.max,
            good_windows: totals.good_windows,
            bad_windows: totals.bad_windows,
            empty_windows: totals.empty_windows,
            peak_rate: totals.peak_rate,
            errors: totals
                .errors
                .into_iter()
                .map(|(class, count)| (class.name().to_owned(), count))
                .collect(),
        }))
    }

    fn percentiles(
        &mut self,
        filter: wit::Filter,
        span: wit::Span,
        latency: wit::Latency,
        percentiles: Vec<f64>,
    ) -> wasmtime::Result<Result<Vec<Option<u64>>, types::Failure>> {
        let latency = match latency {
            wit::Latency::Service => Latency::Service,
            wit::Latency::Response => Latency::Response,
        };
        Ok(self.0.percentiles(&filter.into(), &span.into(), latency, &percentiles).map_err(failure))
    }

    fn series(
        &mut self,
        filter: wit::Filter,
        span: wit::Span,
        metric: wit::Metric,
        step: u64,
    ) -> wasmtime::Result<Result<Vec<wit::Point>, types::Failure>> {
        let metric = match metric {
            wit::Metric::Requests => Metric::Requests,
            wit::Metric::Failures => Metric::Failures,
            wit::Metric::Users => Metric::Users,
            wit::Metric::LatencyP50 => Metric::LatencyP50,
            wit::Metric::LatencyP95 => Metric::LatencyP95,
            wit::Metric::LatencyP99 => Metric::LatencyP99,
        };
        let points = self.0.series(&filter.into(), &span.into(), metric, step).map_err(failure);
        let point = |point: crate::observe::Point| wit::Point { at: point.at, value: point.value };
        Ok(points.map(|points| points.into_iter().map(point).collect()))
    }

    fn faults(&mut self) -> wasmtime::Result<Vec<wit::FaultSeen>> {
        Ok(self.0.faults().into_iter().map(fault).collect())
    }

    fn workloads(&mut self) -> wasmtime::Result<Vec<wit::WorkloadSeen>> {
        let replica = |point: crate::observe::ReplicaPoint| wit::ReplicaPoint {
            at: point.at,
            desired: point.desired,
            running: point.running,
            ready: point.ready,
        };
        let workload = |seen: crate::observe::WorkloadSeen| wit::WorkloadSeen {
            workload: seen.workload,
            replicas: seen.replicas.into_iter().map(replica).collect(),
            restarts: seen.restarts,
            oom_kills: seen.oom_kills,
        };
        Ok(self.0.workloads().into_iter().map(workload).collect())
    }

    fn usage(&mut self, span: wit::Span) -> wasmtime::Result<Result<Vec<wit::UsageSeen>, types::Failure>> {
        let usage = |seen: crate::observe::UsageSeen| wit::UsageSeen {
            subject: seen.subject,
            cpu_mean: seen.cpu_mean,
            cpu_peak: seen.cpu_peak,
            memory_mean: seen.memory_mean,
            memory_peak: seen.memory_peak,
            cpu_limit: seen.cpu_limit,
            memory_limit: seen.memory_limit,
            throttled: seen.throttled,
            oom_kills: seen.oom_kills,
        };
        let seen = self.0.usage(&span.into()).map_err(failure);
        Ok(seen.map(|seen| seen.into_iter().map(usage).collect()))
    }

    fn checks(&mut self, span: wit::Span) -> wasmtime::Result<Result<Vec<wit::CheckSeen>, types::Failure>> {
        let check = |seen: crate::observe::OwnCheck| wit::CheckSeen {
            name: seen.name,
            passed: seen.passed,
            failed: seen.failed,
        };
        let seen = self.0.checks(&span.into()).map_err(failure);
        Ok(seen.map(|seen| seen.into_iter().map(check).collect()))
    }

    fn audits(&mut self) -> wasmtime::Result<Vec<wit::AuditSeen>> {
        let audit = |audit: &crate::observe::Audit| wit::AuditSeen {
            behavior: audit.behavior.clone(),
            attempted: audit.attempted,
            confirmed: audit.confirmed,
            rejected: audit.rejected,
            indeterminate: audit.indeterminate,
            lost: audit.lost,
            lost_keys: audit.lost_keys.clone(),
            lost_span: audit.lost_span,
            phantom: audit.phantom,
            duplicated: audit.duplicated,
            failure: audit.failure.clone(),
        };
        Ok(self.0.audits().iter().map(audit).collect())
    }

    fn generator(&mut self) -> wasmtime::Result<wit::GeneratorSeen> {
        let seen = self.0.generator();
        Ok(wit::GeneratorSeen {
            bottleneck: seen.bottleneck,
            because: seen.because,
            cpu_mean: seen.cpu_mean,
            cpu_peak: seen.cpu_peak,
            lag_p99: seen.lag_p99,
            late: seen.late,
            dropped: seen.dropped,
        })
    }

    fn findings(&mut self) -> wasmtime::Result<Vec<types::Finding>> {
        let finding = |finding: &crate::observe::FindingSeen| types::Finding {
            severity: match finding.severity {
                Severity::Note => types::Severity::Note,
                Severity::Warning => types::Severity::Warning,
                Severity::Blocking => types::Severity::Blocking,
            },
            message: format!("{}: {}", finding.source, finding.message),
        };
        Ok(self.0.findings().iter().map(finding).collect())
    }
}

impl From<wit::Filter> for Filter {
    fn from(filter: wit::Filter) -> Self {
        Self {
            behavior: filter.behavior,
            group: filter.group,
            task: filter.task,
            endpoint: filter.endpoint,
            probe: filter.probe,
        }
    }
}

impl From<wit::Span> for Span {
    fn from(span: wit::Span) -> Self {
        match span {
            wit::Span::Whole => Self::Whole,
            wit::Span::Phase(name) => Self::Phase(name),
            wit::Span::OutsideFaults => Self::OutsideFaults,
            wit::Span::Fault(name) => Self::Fault(name),
            wit::Span::Between((start, end)) => Self::Between(start, end),
        }
    }
}

fn failure(error: QueryError) -> types::Failure {
    match error {
        QueryError::UnknownPhase { .. } | QueryError::UnknownFault { .. } => {
            types::Failure::NotFound(error.to_string())
        }
        QueryError::Invalid(text) => types::Failure::Invalid(text),
    }
}

fn fault(seen: FaultSeen) -> wit::FaultSeen {
    let step = |step: &crate::observe::StepSeen| types::Step {
        name: step.name.clone(),
        at: match &step.at {
            When::Observed(at) => types::When::Observed(*at),
            When::Reported(text) => types::When::Reported(text.clone()),
        },
        detail: step.detail.clone(),
    };
    wit::FaultSeen {
        unaided: seen.unaided(),
        steps: seen.steps.iter().map(step).collect(),
        victims: seen.victims.iter().map(|victim| format!("{} ({})", victim.name, victim.role)).collect(),
        effect: match seen.effect {
            Bite::Proven => types::Bite::Proven,
            Bite::NotYet => types::Bite::NotYet,
            Bite::Absent => types::Bite::Absent,
        },
        users: seen.users.into_iter().map(outage).collect(),
        probe: seen.probe.map(outage),
        name: seen.name,
        plugin: seen.plugin,
        requirement: seen.requirement,
        recover_within: seen.recover_within,
        struck: seen.struck,
        because: seen.because,
        means: seen.means,
        probed: seen.probed,
        complete: seen.complete,
        trouble: seen.trouble,
        reverted: seen.reverted,
        revert_failure: seen.revert_failure,
        steady_again: seen.steady_again,
    }
}

fn outage(seen: OutageSeen) -> wit::OutageSeen {
    wit::OutageSeen {
        group: seen.group,
        outage: match seen.outage {
            Outage::NotSeen => wit::Outage::NotSeen,
            Outage::Ended(after) => wit::Outage::Ended(after),
            Outage::NotEnded(after) => wit::Outage::NotEnded(after),
            Outage::Unknown => wit::Outage::Unknown,
        },
        resolution: seen.resolution,
        failures: seen.failures,
    }
}

#[cfg(test)]
mod tests {
    use assay_bindings::imports::observations::Host;

    use super::*;
    use crate::observe::fixtures;

    fn reader() -> Reader {
        Reader::new(Arc::new(fixtures::observations()))
    }

    fn all() -> wit::Filter {
        wit::Filter { behavior: None, group: None, task: None, endpoint: None, probe: false }
    }

    #[test]
    fn answers_what_was_observed() {
        let mut reader = reader();
        let totals = reader.summary(all(), wit::Span::Whole, 0.0).unwrap().unwrap();
        assert_eq!(totals.errors, [("refused".to_owned(), 144)]);
        let faults = reader.faults().unwrap();
        assert_eq!(faults[0].victims, ["store-0 (primary)"]);
        assert!(faults[0].unaided);
        assert_eq!(faults[0].users[1].group, "reads");
        assert_eq!(faults[1].struck, None);
        assert_eq!(reader.audits().unwrap()[0].lost, 1);
        assert!(reader.findings().unwrap()[0].message.starts_with("tenant-quota: "));
        assert!(!reader.generator().unwrap().bottleneck);
        assert_eq!(reader.workloads().unwrap().len(), 2);
        assert_eq!(reader.usage(wit::Span::Whole).unwrap().unwrap().len(), 3);
    }

    #[test]
    fn tells_unknown_names_from_wrong_questions() {
        let mut reader = reader();
        let unknown = reader.summary(all(), wit::Span::Fault("flood".to_owned()), 0.0).unwrap();
        assert!(matches!(unknown, Err(types::Failure::NotFound(_))));
        let wrong = reader.series(all(), wit::Span::Whole, wit::Metric::Users, 1).unwrap();
        assert!(matches!(wrong, Err(types::Failure::Invalid(_))));
        let percentiles = reader
            .percentiles(all(), wit::Span::OutsideFaults, wit::Latency::Response, vec![50.0, 95.0])
            .unwrap();
        assert!(percentiles.unwrap().iter().all(Option::is_some));
    }
}
