//! Recovery: for every fault of the run, did users and component come back within its bound, and
//! without anybody's help?
//!
//! A fault that never struck, or whose effect was never proven, proves nothing: inconclusive.

use std::collections::BTreeMap;

use assay_sdk::observations::{self, Bite, FaultSeen, Outage, OutageSeen};
use assay_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is promised of a fault.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
enum Promise {
    /// Users' requests succeed again within the bound.
    Users,
    /// The component took all of its steps within the bound.
    Component,
    /// Both did before the fault was reverted.
    Unaided,
}

/// Other bounds than the fault's own `recover-within`.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
struct Bounds {
    users: Option<Period>,
    component: Option<Period>,
}

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
struct Config {
    /// Only these faults; without it, all that have a bound.
    only: Option<Vec<String>>,
    /// What is promised of each.
    promises: Vec<Promise>,
    /// Bounds by fault: `{ pod-kill = { users = "5s", component = "60s" } }`.
    bounds: BTreeMap<String, Bounds>,
}

impl Default for Config {
    fn default() -> Config {
        let promises = vec![Promise::Users, Promise::Component, Promise::Unaided];
        Config { only: None, promises, bounds: BTreeMap::new() }
    }
}

impl Config {
    /// The bound of a promise, if it has one.
    fn bound(&self, fault: &FaultSeen, promise: Promise) -> Option<Period> {
        let own = self.bounds.get(&fault.name).or_else(|| self.bounds.get(fault.base_name()));
        let other = match promise {
            Promise::Users => own.and_then(|own| own.users),
            Promise::Component => own.and_then(|own| own.component),
            Promise::Unaided => None,
        };
        other.or(fault.recover_within.map(Period::from_nanos))
    }

    fn is_meant(&self, fault: &FaultSeen) -> bool {
        match &self.only {
            Some(only) => only.iter().any(|name| is_called(fault, name)),
            None => fault.recover_within.is_some() || self.bounds.keys().any(|name| is_called(fault, name)),
        }
    }
}

struct Recovery {
    config: Config,
}

impl Assertion for Recovery {
    type Config = Config;

    fn validate(config: &Config) -> Vec<ConfigError> {
        match config.promises.is_empty() {
            true => vec![ConfigError::at("/promises", "expected one or more of users, component, unaided")],
            false => Vec::new(),
        }
    }

    fn new(config: Config) -> Self {
        Recovery { config }
    }

    fn evaluate(&mut self, moment: Moment) -> Result<Vec<Verdict>> {
        let faults = observations::faults();
        let mut verdicts = Vec::new();
        for fault in faults.iter().filter(|fault| self.config.is_meant(fault)) {
            for promise in &self.config.promises {
                let verdict = match unproven(fault) {
                    Some(because) => Verdict::inconclusive(subject(fault, *promise), because),
                    None => self.judge(fault, *promise),
                };
                verdicts.push(verdict.requirement(fault.requirement.clone()));
            }
        }
        if moment == Moment::SoFar {
            verdicts.retain(|verdict| verdict.outcome == Outcome::Broken);
            return Ok(verdicts);
        }
        let wanted = self.config.only.iter().flatten().chain(self.config.bounds.keys());
        for name in wanted.filter(|name| !faults.iter().any(|fault| is_called(fault, name))) {
            verdicts.push(Verdict::inconclusive(
                format!("{name}: recovery"),
                "the run has no fault of this name",
            ));
        }
        if verdicts.is_empty() {
            verdicts.push(Verdict::inconclusive("recovery", "the run has no fault with a bound"));
        }
        Ok(verdicts)
    }
}

impl Recovery {
    fn judge(&self, fault: &FaultSeen, promise: Promise) -> Verdict {
        let subject = subject(fault, promise);
        match (promise, self.config.bound(fault, promise)) {
            (Promise::Unaided, _) => unaided(subject, fault),
            (_, None) => {
                Verdict::inconclusive(subject, "neither the fault nor this assertion has a bound for it")
            }
            (Promise::Users, Some(bound)) => match fault.users.iter().find(|seen| seen.group == "(all)") {
                Some(seen) => users(subject, fault, seen, bound),
                None => {
                    Verdict::at_most(subject, None, bound.into()).because("no requests were seen around it")
                }
            },
            (Promise::Component, Some(bound)) => component(subject, fault, bound),
        }
    }
}

/// Is that its name, or what all strikes of it are called?
fn is_called(fault: &FaultSeen, name: &str) -> bool {
    fault.name == name || fault.base_name() == name
}

fn subject(fault: &FaultSeen, promise: Promise) -> String {
    let what = match promise {
        Promise::Users => "RTO as users saw it",
        Promise::Component => "RTO as the component saw it",
        Promise::Unaided => "no manual step",
    };
    format!("{}: {what}", fault.name)
}

/// Why nothing follows from this fault, if nothing does.
fn unproven(fault: &FaultSeen) -> Option<String> {
    if fault.struck.is_none() {
        return Some(match fault.because.is_empty() {
            true => "it never struck".to_owned(),
            false => format!("it never struck: {}", fault.because),
        });
    }
    let probed = if fault.probed.is_empty() { "nothing was probed" } else { &fault.probed };
    match fault.effect {
        Bite::Proven => None,
        Bite::NotYet => Some(format!("its effect was not proven: {probed}")),
        Bite::Absent => Some(format!("it had no effect: {probed}")),
    }
}

fn users(subject: String, fault: &FaultSeen, seen: &OutageSeen, bound: Period) -> Verdict {
    let mut because = format!("{}; known to {}", fault.means, numbers::duration(seen.resolution));
    for other in fault.users.iter().filter(|other| other.group != seen.group).chain(&fault.probe) {
        let name = if fault.probe.as_ref() == Some(other) { "the probe" } else { &other.group };
        because += &format!("; {name}: {}", words(other.outage));
    }
    match seen.outage {
        Outage::NotSeen => {
            let mut verdict = Verdict::at_most(subject, Some(Measure::Duration(0)), bound.into());
            // Not the same as 0 s.
            verdict.measured = Some(Measure::Text("no outage seen".to_owned()));
            verdict.because(because)
        }
        Outage::Ended(after) => {
            Verdict::at_most(subject, Some(Measure::Duration(after)), bound.into()).because(because)
        }
        Outage::NotEnded(after) => {
            let watched = watched(fault).unwrap_or(after).max(after);
            let mut verdict = not_within(subject, bound, watched);
            verdict.measured = Some(Measure::Text(format!(">= {}", numbers::duration(after))));
            verdict.because(format!("still on when watching ended; {because}"))
        }
        Outage::Unknown => Verdict::at_most(subject, None, bound.into())
            .needs(Measure::Text("10 successes after it".to_owned()), Measure::Text("fewer".to_owned()))
            .because(format!("too few requests to tell; {because}")),
    }
}

fn component(subject: String, fault: &FaultSeen, bound: Period) -> Verdict {
    let steps: Vec<_> = fault.steps.iter().map(|step| step.name.as_str()).collect();
    let steps = if steps.is_empty() { "no step was seen".to_owned() } else { steps.join(", ") };
    let struck = fault.struck.unwrap_or_default();
    match fault.complete {
        None if let Some(trouble) = &fault.trouble => {
            Verdict::inconclusive(subject, format!("its plugin could not say: {trouble}"))
        }
        Some(complete) => {
            let took = Measure::Duration(complete.saturating_sub(struck));
            Verdict::at_most(subject, Some(took), bound.into()).because(steps)
        }
        None => {
            let watched = watched(fault).unwrap_or_default();
            let mut verdict = not_within(subject, bound, watched);
            verdict.measured = Some(Measure::Text(format!(">= {}", numbers::duration(watched))));
            verdict.because(format!("not complete when watching ended: {steps}"))
        }
    }
}

/// What had not come back after so long: broken if that is the bound, else nobody knows.
fn not_within(subject: String, bound: Period, watched: u64) -> Verdict {
    let beyond = Measure::Duration(watched.max(bound.nanos() + 1));
    Verdict::at_most(subject, Some(beyond), bound.into())
        .needs(Measure::Duration(bound.nanos()), Measure::Duration(watched))
}

/// From the strike to the revert: nothing after it says what would have come by itself.
fn watched(fault: &FaultSeen) -> Option<u64> {
    Some(fault.reverted?.saturating_sub(fault.struck?))
}

fn unaided(subject: String, fault: &FaultSeen) -> Verdict {
    let failed =
        fault.revert_failure.as_ref().map_or(String::new(), |text| format!("; its revert failed: {text}"));
    match fault.unaided {
        true => Verdict::kept(subject).because(format!("recovered before anything was reverted{failed}")),
        false if watched(fault).is_none() && fault.revert_failure.is_none() => {
            Verdict::inconclusive(subject, "it was not reverted yet")
        }
        false if fault.complete.is_none() && fault.trouble.is_some() => {
            let trouble = fault.trouble.as_deref().unwrap_or_default();
            Verdict::inconclusive(
                subject,
                format!("its plugin could not say whether it recovered: {trouble}"),
            )
        }
        false => {
            let because = format!("not recovered when the fault was reverted{failed}");
            let (watched, within) =
                (watched(fault).unwrap_or_default(), fault.recover_within.unwrap_or_default());
            if watched < within {
                // Reverted before its time was up, because the load ended: it might still have come back.
                let mut verdict = Verdict::inconclusive(subject, because);
                verdict.shortage = Some(assay_sdk::assertion::Shortage {
                    needed: Measure::Duration(within),
                    had: Measure::Duration(watched),
                });
                return verdict;
            }
            Verdict::broken(subject).because(because)
        }
    }
}

fn words(outage: Outage) -> String {
    match outage {
        Outage::NotSeen => "no outage seen".to_owned(),
        Outage::Ended(after) => numbers::duration(after),
        Outage::NotEnded(after) => format!(">= {}", numbers::duration(after)),
        Outage::Unknown => "too few samples".to_owned(),
    }
}

assay_sdk::export!(assertion Recovery);

#[cfg(test)]
mod tests;
