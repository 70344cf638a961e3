//! Which events are worth a line while the run goes on, and how the line reads.

use std::collections::{BTreeMap, BTreeSet};

use super::line::line;
use crate::observe::{
    Audit, Bite, Event, Fact, FaultChange, InstanceEvent, Level, OutageSeen, PluginFailureKind, RunInfo,
    Severity, Stage, When, figures,
};

/// Most lines of one plugin's log that are shown; the report has more.
const MOST_LOG_LINES: u32 = 10;

/// What was already said, so that it is not said again.
#[derive(Debug, Default)]
pub(super) struct Notable {
    failed: BTreeSet<(String, String, PluginFailureKind)>,
    logged: BTreeMap<String, u32>,
    desired: BTreeMap<String, u32>,
    findings: BTreeSet<String>,
    steady: Option<bool>,
}

impl Notable {
    /// A line for an event, if it deserves one.
    pub(super) fn line(&mut self, event: &Event) -> Option<String> {
        let text = match &event.fact {
            Fact::RunStarted(info) => started(info),
            Fact::StageStarted { stage } => stage_text(*stage).to_owned(),
            Fact::Finding { source, severity, message } => {
                let severity = match severity {
                    Severity::Note => "note",
                    Severity::Warning => "warning",
                    Severity::Blocking => "BLOCKING",
                };
                let text = format!("{severity} ({}): {}", line(source), line(message));
                return self.findings.insert(text.clone()).then(|| dated(event, &text));
            }
            Fact::PluginFailed { plugin, call, kind, message, .. } => {
                let first = self.failed.insert((plugin.clone(), call.clone(), *kind));
                let text = format!("plugin {} {} in {call}: {}", line(plugin), how(*kind), line(message));
                return first.then(|| dated(event, &text));
            }
            Fact::PluginLog { plugin, level: level @ (Level::Warn | Level::Error), message } => {
                let count = self.logged.entry(plugin.clone()).or_default();
                *count += 1;
                let level = if *level == Level::Error { "error" } else { "warning" };
                let text = format!("plugin {} logs {level}: {}", line(plugin), line(message));
                return (*count <= MOST_LOG_LINES).then(|| dated(event, &text));
            }
            Fact::PhaseStarted { phase, users, rate } => {
                format!("phase {}: {}", line(phase), figures::load(*users, *rate))
            }
            Fact::LoadEnded => "load ended".to_owned(),
            Fact::Instance(change) => match change.change {
                InstanceEvent::OomKilled => {
                    format!("{} was killed for want of memory", line(&change.instance))
                }
                InstanceEvent::Evicted => {
                    format!("{} was evicted: {}", line(&change.instance), line(&change.detail))
                }
                _ => return None,
            },
            Fact::Replicas { workload, desired, ready, .. } => {
                let before = self.desired.insert(workload.clone(), *desired)?;
                if before == *desired {
                    return None;
                }
                format!("{}: {before} to {desired} replicas, {ready} ready", line(workload))
            }
            Fact::Rescaled { autoscaler, size, because } => {
                format!("autoscaler {} asks for {size}: {}", line(autoscaler), line(because))
            }
            Fact::Quota { group, cpu, memory } => {
                let cpu = cpu.map_or("unbounded".to_owned(), figures::millicores);
                let memory = memory.map_or("unbounded".to_owned(), figures::bytes);
                format!("quota on {}: CPU {cpu}, memory {memory}", line(group))
            }
            Fact::SightLost { because } => format!("the environment cannot be seen: {}", line(because)),
            Fact::SightRegained => "the environment is seen again".to_owned(),
            Fact::Fault { fault, change } => format!("fault {}: {}", line(fault), fault_text(change)?),
            Fact::Steady { holds, because } => {
                let before = self.steady.replace(*holds).unwrap_or(true);
                match (before, holds) {
                    (true, false) => format!("not steady: {}", line(because)),
                    (false, true) => format!("steady: {}", line(because)),
                    _ => return None,
                }
            }
            Fact::GuardTripped { because } => format!("the guard stops the run: {}", line(because)),
            Fact::Audit(audit) => audited(audit),
            Fact::RestoreFailed { what, because } => {
                format!("NOT PUT BACK: {}: {}", line(what), line(because))
            }
            Fact::PluginLoaded { .. }
            | Fact::PluginLog { .. }
            | Fact::PhaseEnded { .. }
            | Fact::Endpoint { .. }
            | Fact::Interval(_)
            | Fact::Usage { .. }
            | Fact::Routed { .. }
            | Fact::Verdict(_)
            | Fact::RunEnded { .. } => return None,
        };
        Some(dated(event, &text))
    }
}

fn dated(event: &Event, text: &str) -> String {
    format!("{:>7}  {text}", figures::moment(event.at))
}

fn started(info: &RunInfo) -> String {
    let scale =
        if info.time_scale == 1.0 { String::new() } else { format!(", time scale {}", info.time_scale) };
    format!("run {} in {}, seed {}{scale}", line(&info.id), line(&info.environment), info.seed)
}

/// What a stage is for.
pub(super) fn stage_text(stage: Stage) -> &'static str {
    match stage {
        Stage::Preflight => "checking that everything is ready",
        Stage::Profile => "putting the profile into force",
        Stage::Load => "load begins",
        Stage::Settle => "letting the target settle",
        Stage::Audit => "auditing what was written",
        Stage::Restore => "putting everything back",
        Stage::Judge => "judging",
    }
}

fn how(kind: PluginFailureKind) -> &'static str {
    match kind {
        PluginFailureKind::Failed => "failed",
        PluginFailureKind::Trapped => "trapped",
        PluginFailureKind::Panicked => "panicked",
        PluginFailureKind::StackExhausted => "ran out of stack",
        PluginFailureKind::Looped => "computed too long",
        PluginFailureKind::TimedOut => "timed out",
        PluginFailureKind::OutOfMemory => "asked for too much memory",
        PluginFailureKind::TooMuchData => "handed over too much data",
    }
}

fn fault_text(change: &FaultChange) -> Option<String> {
    Some(match change {
        FaultChange::Skipped { because } => format!("did not strike: {}", line(because)),
        FaultChange::Aimed { victims } => {
            let names: Vec<_> = victims.iter().map(|victim| line(&victim.titled())).collect();
            format!("aims at {}", if names.is_empty() { "nothing".to_owned() } else { names.join(", ") })
        }
        FaultChange::Injected { means } => format!("STRUCK: {}", line(means)),
        FaultChange::Effect { bite: Bite::Proven, probed } => format!("effect proven: {}", line(probed)),
        FaultChange::Effect { bite: Bite::Absent, probed } => format!("NO EFFECT: {}", line(probed)),
        FaultChange::Effect { bite: Bite::NotYet, .. } => return None,
        FaultChange::Step { name, at, detail } => match at {
            When::Observed(_) => format!("{}: {}", line(name), line(detail)),
            When::Reported(at) => {
                format!("{} at {} by its own clock: {}", line(name), line(at), line(detail))
            }
        },
        FaultChange::Blind { because } => format!("its plugin could not say whether it recovered: {because}"),
        FaultChange::Complete => "the component has recovered".to_owned(),
        FaultChange::Seen { users, probe } => {
            let all = users.first().map_or("unknown".to_owned(), |seen| seen.outage.to_string());
            let probe = probe.as_ref().map_or(String::new(), probed);
            format!("outage as users saw it: {all}{probe}")
        }
        FaultChange::Reverted => "reverted".to_owned(),
        FaultChange::RevertFailed { because } => format!("COULD NOT BE REVERTED: {}", line(because)),
        FaultChange::SteadyAgain => "over, the target is steady again".to_owned(),
    })
}

fn probed(seen: &OutageSeen) -> String {
    format!(", as the probe saw it: {}", seen.outage)
}

fn audited(audit: &Audit) -> String {
    let behavior = line(&audit.behavior);
    match &audit.failure {
        Some(failure) => format!("the writes of {behavior} could not be audited: {}", line(failure)),
        None => format!(
            "{} writes of {behavior} confirmed, {} lost, {} phantom, {} duplicated",
            figures::count(audit.confirmed),
            figures::count(audit.lost),
            figures::count(audit.phantom),
            figures::count(audit.duplicated)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::{Victim, fixtures};

    #[test]
    fn a_whole_run() {
        let mut notable = Notable::default();
        let lines: Vec<String> = fixtures::run().iter().filter_map(|event| notable.line(event)).collect();
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn an_open_phase_says_its_rate() {
        let mut notable = Notable::default();
        let fact = Fact::PhaseStarted { phase: "rise".to_owned(), users: 50, rate: Some(100.0) };
        let line = notable.line(&Event { at: 0, fact }).expect("it is worth a line");
        assert!(line.ends_with("phase rise: 100/s"), "{line}");
    }

    #[test]
    fn a_victim_without_a_role_has_no_brackets() {
        let victim =
            |name: &str, role: &str| Victim { name: name.into(), role: role.into(), because: String::new() };
        let aimed = FaultChange::Aimed { victims: vec![victim("web-0", ""), victim("db-1", "primary")] };
        assert_eq!(fault_text(&aimed).as_deref(), Some("aims at web-0, db-1 (primary)"));
    }

    #[test]
    fn the_same_is_said_once() {
        let mut notable = Notable::default();
        let events = fixtures::run();
        let failure = events.iter().find(|event| matches!(event.fact, Fact::PluginFailed { .. })).unwrap();
        assert!(notable.line(failure).is_some());
        assert!(notable.line(failure).is_none());
        let finding = events.iter().find(|event| matches!(event.fact, Fact::Finding { .. })).unwrap();
        assert!(notable.line(finding).is_some());
        assert!(notable.line(finding).is_none());
    }
}
