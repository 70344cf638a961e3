//! What is going on right now.

use super::{line::line, notable::stage_text};
use crate::observe::{Filter, Latency, Nanos, Observations, Span, Stage, figures};

const SECOND: Nanos = 1_000_000_000;

/// The moment as a person would ask for it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Status {
    /// The phase, or the stage outside of load.
    pub(super) doing: String,
    /// How far it is, where that was planned.
    pub(super) course: Option<Course>,
    /// What the load came to in the last seconds, figure by figure; empty when there is none.
    pub(super) load: Vec<String>,
    /// What is broken on purpose.
    pub(super) faults: Vec<String>,
}

/// How far a phase is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Course {
    pub(super) elapsed: Nanos,
    pub(super) planned: Nanos,
}

impl Course {
    pub(super) fn left(self) -> Nanos {
        // Whole seconds, as clocks on walls show them.
        self.planned.saturating_sub(self.elapsed).div_ceil(SECOND) * SECOND
    }
}

impl Status {
    /// Looks at the last `window` of what is known, at the moment `now`.
    pub(super) fn of(known: &Observations, now: Nanos, window: Nanos) -> Self {
        let stage = known.stages().last().map(|(stage, _)| *stage);
        let (doing, course) = match known.phase() {
            Some(phase) => {
                let plan = known.run().and_then(|run| run.phases.iter().find(|plan| plan.name == phase.name));
                let course = plan.map(|plan| Course {
                    elapsed: now.saturating_sub(phase.start),
                    planned: plan.end.saturating_sub(plan.start),
                });
                (format!("phase {}", line(&phase.name)), course)
            }
            None => (stage.map_or("starting", stage_text).to_owned(), None),
        };
        let loaded = matches!(stage, Some(Stage::Load | Stage::Settle));
        let faults = known.faults().into_iter().filter(|fault| loaded && fault.in_flight());
        let faults = faults.filter_map(|fault| {
            let elapsed = now.saturating_sub(fault.struck?) / SECOND * SECOND;
            Some(format!("fault {} for {}", line(&fault.name), figures::duration(elapsed)))
        });
        Self {
            doing,
            course,
            load: if loaded { load(known, window) } else { Vec::new() },
            faults: faults.collect(),
        }
    }

    /// All of it in one line.
    pub(super) fn line(&self) -> String {
        let mut parts = vec![match self.course {
            Some(course) => format!("{}, {} left", self.doing, figures::duration(course.left())),
            None => self.doing.clone(),
        }];
        parts.extend(self.load.iter().chain(&self.faults).cloned());
        parts.join(" | ")
    }
}

fn load(known: &Observations, window: Nanos) -> Vec<String> {
    let until = known.observed_until();
    let span = Span::Between(until.saturating_sub(window), until);
    // Once the users are gone, only the probe goes on.
    let over = known.load_ended().is_some();
    if over && !known.endpoints().any(|endpoint| endpoint.probe) {
        return Vec::new();
    }
    let filter = if over { Filter::probe() } else { Filter::all() };
    let totals = known.totals(&filter, &span, 0.0).unwrap_or_default();
    let users = || figures::count(u64::from(known.users().unwrap_or(0)));
    let mut parts = vec![if over { "probe".to_owned() } else { format!("{} users", users()) }];
    let Some(rate) = totals.rate().filter(|_| totals.requests > 0) else {
        parts.push("no request yet".to_owned());
        return parts;
    };
    parts.push(figures::rate(rate));
    let percentiles =
        known.percentiles(&filter, &span, Latency::Response, &[50.0, 95.0, 99.0]).unwrap_or_default();
    if let [Some(p50), Some(p95), Some(p99)] = percentiles[..] {
        parts.push(format!(
            "p50 {}, p95 {}, p99 {}",
            figures::duration(p50),
            figures::duration(p95),
            figures::duration(p99)
        ));
    }
    if totals.failures == 0 {
        parts.push("none failed".to_owned());
    } else {
        let classes: Vec<String> = totals
            .errors
            .iter()
            .map(|(class, count)| format!("{} {}", class.name(), figures::count(*count)))
            .collect();
        let share = figures::percent(totals.failures as f64 / totals.requests as f64);
        parts.push(format!("{share} FAILED: {}", classes.join(", ")));
    }
    parts
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::observe::fixtures::{self, S};

    /// The run as it was known at a moment.
    pub(in crate::terminal) fn at(now: Nanos) -> Status {
        let mut events = fixtures::run();
        events.retain(|event| event.at <= now);
        Status::of(&fixtures::observed(&events), now, 5 * S)
    }

    #[test]
    fn every_part_of_a_run() {
        let lines: Vec<String> = [S, 9 * S, 20 * S, 46 * S, 60 * S, 73 * S, 77 * S]
            .map(|now| format!("{:>5}  {}", figures::moment(now), at(now).line()))
            .into();
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn nothing_known_is_no_trouble() {
        assert_eq!(Status::of(&Observations::default(), S, S).line(), "starting");
    }
}
