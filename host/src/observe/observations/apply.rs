//! Folding events in.

use super::{
    BlindSpan, Ended, FaultSeen, FindingSeen, LoggedLine, Observations, PhaseSeen, PluginFailures,
    PluginSeen, QuotaSeen, ReplicaPoint, RestoreFailure, SteadySeen, usage::Reading,
};
use crate::observe::{Event, Fact, RunInfo};

/// Most distinct findings that are kept.
const MOST_FINDINGS: usize = 1_000;

impl Observations {
    /// Takes in one event. Events come in the order in which they were told.
    pub fn apply(&mut self, event: &Event) {
        let at = event.at;
        self.latest = self.latest.max(at);
        match &event.fact {
            Fact::RunStarted(info) => self.start(info),
            Fact::StageStarted { stage } => self.stages.push((*stage, at)),
            Fact::Finding { source, severity, message } => self.find(FindingSeen {
                at,
                source: source.clone(),
                severity: *severity,
                message: message.clone(),
                count: 1,
            }),
            Fact::PluginLoaded { name, plugin, version, digest } => self.plugins.loaded(PluginSeen {
                name: name.clone(),
                plugin: plugin.clone(),
                version: version.clone(),
                digest: digest.clone(),
            }),
            Fact::PluginLog { plugin, level, message } => self.plugins.logged(LoggedLine {
                at,
                plugin: plugin.clone(),
                level: *level,
                message: message.clone(),
            }),
            Fact::PluginFailed { plugin, call, kind, message, count } => {
                self.plugins.failed(PluginFailures {
                    plugin: plugin.clone(),
                    call: call.clone(),
                    kind: *kind,
                    message: message.clone(),
                    first: at,
                    count: *count,
                })
            }
            Fact::PhaseStarted { phase, users, rate } => {
                let (name, users, rate) = (phase.clone(), *users, *rate);
                self.phases.push(PhaseSeen { name, users, rate, start: at, end: None });
            }
            Fact::PhaseEnded { phase } => {
                if let Some(seen) = self.phases.iter_mut().rev().find(|seen| seen.name == *phase) {
                    seen.end.get_or_insert(at);
                }
            }
            Fact::Endpoint { index, endpoint } => {
                self.endpoints.insert(*index, endpoint.clone());
            }
            Fact::Interval(interval) => {
                self.plugins.figures(interval);
                self.seconds.add(interval);
            }
            Fact::LoadEnded => {
                self.load_ended.get_or_insert(at);
            }
            Fact::Instance(change) => {
                self.happened(at, change.to_string());
                if !change.workload.is_empty() {
                    self.workloads.entry(change.workload.clone()).or_default().instance(change);
                }
            }
            Fact::Replicas { workload, desired, running, ready } => {
                let point = ReplicaPoint { at, desired: *desired, running: *running, ready: *ready };
                self.workloads.entry(workload.clone()).or_default().replicas(point);
            }
            Fact::Rescaled { autoscaler, size, because } => {
                self.happened(at, format!("autoscaler {autoscaler} asks for {size}: {because}"));
            }
            Fact::Usage { readings } => {
                for reading in readings {
                    let known = self.usage.entry(reading.subject.clone()).or_default();
                    known.push(Reading::of(at, reading));
                }
            }
            Fact::Quota { group, cpu, memory } => {
                self.quotas.push(QuotaSeen { at, group: group.clone(), cpu: *cpu, memory: *memory });
            }
            Fact::Routed { service, instances } => {
                let to = if instances.is_empty() { "nobody".to_owned() } else { instances.join(", ") };
                self.happened(at, format!("service {service} leads to {to}"));
            }
            Fact::SightLost { because } => {
                self.happened(at, "from here on nothing is seen".to_owned());
                self.blind.push(BlindSpan { from: at, until: None, because: because.clone() });
            }
            Fact::SightRegained => {
                self.happened(at, "seen again; what was missed was told late".to_owned());
                if let Some(span) = self.blind.last_mut() {
                    span.until.get_or_insert(at);
                }
            }
            Fact::Fault { fault, change } => {
                let known = self.faults.iter().position(|seen| seen.name == *fault);
                let index = known.unwrap_or_else(|| {
                    self.faults.push(FaultSeen::unplanned(fault));
                    self.faults.len() - 1
                });
                self.faults[index].apply(at, change);
            }
            Fact::Steady { holds, because } => {
                if self.steady.last().is_none_or(|last| last.holds != *holds) {
                    self.steady.push(SteadySeen { at, holds: *holds, because: because.clone() });
                }
            }
            Fact::GuardTripped { because } => {
                self.guard.get_or_insert_with(|| (at, because.clone()));
            }
            Fact::Audit(audit) => match self.audits.iter_mut().find(|known| known.behavior == audit.behavior)
            {
                Some(known) => known.clone_from(audit),
                None => self.audits.push(audit.clone()),
            },
            Fact::Verdict(verdict) => {
                let same = |known: &&mut crate::observe::Verdict| {
                    known.assertion == verdict.assertion && known.subject == verdict.subject
                };
                match self.verdicts.iter_mut().find(same) {
                    Some(known) => known.clone_from(verdict),
                    None => self.verdicts.push(verdict.clone()),
                }
            }
            Fact::RestoreFailed { what, because } => {
                self.restore_failures.push(RestoreFailure { what: what.clone(), because: because.clone() });
            }
            Fact::RunEnded { outcome, because } => {
                self.ended = Some(Ended { at, outcome: *outcome, because: because.clone() });
            }
        }
    }

    fn start(&mut self, info: &RunInfo) {
        self.faults = info.faults.iter().map(FaultSeen::planned).collect();
        self.run = Some(info.clone());
    }

    fn find(&mut self, finding: FindingSeen) {
        let same = |known: &&mut FindingSeen| {
            known.source == finding.source
                && known.severity == finding.severity
                && known.message == finding.message
        };
        let room = self.findings.len() < MOST_FINDINGS;
        match self.findings.iter_mut().find(same) {
            Some(known) => known.count += 1,
            None if room => self.findings.push(finding),
            None => {}
        }
    }
}
