//! Autoscaling: when the load stepped up, were there more instances in time, did latency come back inside its
//! bound, did the count hold still, and was it back down in time once the load was gone?
//!
//! It reads the workload's counts and the users' latency, and so it judges whatever scales: the lab, a cluster's
//! own autoscaler, or a person.

mod config;
mod course;

use assay_sdk::observations::{self, Filter, Metric, Nanos, Span};
use assay_sdk::prelude::*;

use crate::config::{Config, Latency, Step};
use crate::course::{Course, reversals};

const SECOND: Nanos = 1_000_000_000;

/// Over how long each percentile is: long enough for it to mean something, short enough for a time of recovery.
const STRIDE: Nanos = 10 * SECOND;

struct Autoscaling {
    config: Config,
}

impl Assertion for Autoscaling {
    type Config = Config;

    fn validate(config: &Config) -> Vec<ConfigError> {
        config.errors()
    }

    fn new(config: Config) -> Self {
        Autoscaling { config }
    }

    fn evaluate(&mut self, moment: Moment) -> Result<Vec<Verdict>> {
        let config = &self.config;
        let workloads = observations::workloads();
        let Some(seen) = workloads.iter().find(|seen| seen.workload == config.workload) else {
            let names: Vec<_> = workloads.iter().map(|seen| seen.workload.as_str()).collect();
            let because = match names.is_empty() {
                true => "nothing was seen of any workload".to_owned(),
                false => format!("nothing was seen of it; there are: {}", names.join(", ")),
            };
            return Ok(match moment {
                Moment::SoFar => Vec::new(),
                Moment::Final => {
                    vec![Verdict::inconclusive(format!("{}: autoscaling", config.workload), because)]
                }
            });
        };
        let course = Course::of(seen);
        let load = stretch(&Span::Whole)?;
        let watched = load.map_or(0, |load| load.1).max(course.until());
        let mut verdicts = Vec::new();
        if let Some(up) = &config.up {
            verdicts.push(self.up(up, &course, watched)?.requirement(config.requirement("up")));
            if let Some(latency) = config.latency {
                verdicts.push(self.latency(up, latency)?.requirement(config.requirement("latency")));
            }
        }
        if let Some(down) = &config.down {
            verdicts.push(self.down(down, &course, watched)?.requirement(config.requirement("down")));
        }
        let steady = self.reversals(&course, load.map(|load| load.0));
        verdicts.push(steady.requirement(config.requirement("reversals")));
        if moment == Moment::SoFar {
            // Latency may come back yet.
            let latency = self.subject(LATENCY);
            verdicts.retain(|verdict| verdict.outcome == Outcome::Broken && verdict.subject != latency);
        }
        Ok(verdicts)
    }
}

const LATENCY: &str = "p95 back inside its bound";

impl Autoscaling {
    fn subject(&self, what: &str) -> String {
        format!("{}: {what}", self.config.workload)
    }

    fn up(&self, step: &Step, course: &Course, watched: Nanos) -> Result<Verdict> {
        let subject = self.subject(&format!("up to {} ready", step.replicas));
        let Some((start, end)) = stretch(&Span::Phase(step.phase.clone()))? else {
            return Ok(Verdict::inconclusive(subject, did_not_run(step)));
        };
        let Some(before) = course.at(start).copied() else {
            return Ok(Verdict::inconclusive(subject, unseen(step)));
        };
        if before.desired >= step.replicas {
            let because = format!("{} were desired already when phase {} began", before.desired, step.phase);
            return Ok(Verdict::inconclusive(subject, because));
        }
        let decided = course.first(start, |point| point.desired > before.desired);
        let enough = course.first(start, |point| point.desired >= step.replicas);
        let reached = course.first(start, |point| point.ready >= step.replicas);
        let because = format!(
            "from {} at the start of phase {}: first more desired after {}, {} desired after {}",
            before.desired,
            step.phase,
            after(decided),
            step.replicas,
            after(enough)
        );
        // Once the load is gone nothing is to be added any more.
        let ends = match &self.config.down {
            Some(down) => stretch(&Span::Phase(down.phase.clone()))?.map_or(watched, |(start, _)| start),
            None => watched,
        };
        let watched = ends.max(end).saturating_sub(start);
        Ok(within(subject, reached, step.within, watched).because(because))
    }

    fn down(&self, step: &Step, course: &Course, watched: Nanos) -> Result<Verdict> {
        let subject = self.subject(&format!("back down to {}", step.replicas));
        let Some((start, _)) = stretch(&Span::Phase(step.phase.clone()))? else {
            return Ok(Verdict::inconclusive(subject, did_not_run(step)));
        };
        let Some(before) = course.at(start).copied() else {
            return Ok(Verdict::inconclusive(subject, unseen(step)));
        };
        if before.desired <= step.replicas {
            let because = format!(
                "there were only {} when phase {} began: nothing had to come down",
                before.desired, step.phase
            );
            return Ok(Verdict::inconclusive(subject, because));
        }
        let decided = course.first(start, |point| point.desired < before.desired);
        let enough = course.first(start, |point| point.desired <= step.replicas);
        let reached = course.first(start, |point| {
            point.desired <= step.replicas && point.running <= point.desired && point.ready == point.running
        });
        let because = format!(
            "from {} at the start of phase {}: first fewer desired after {}, {} desired after {}",
            before.desired,
            step.phase,
            after(decided),
            step.replicas,
            after(enough)
        );
        Ok(within(subject, reached, step.within, watched.saturating_sub(start)).because(because))
    }

    fn latency(&self, step: &Step, bound: Latency) -> Result<Verdict> {
        let subject = self.subject(LATENCY);
        let span = Span::Phase(step.phase.clone());
        let Some((start, end)) = stretch(&span)? else {
            return Ok(Verdict::inconclusive(subject, did_not_run(step)));
        };
        let faults = observations::faults();
        let is_of_a_fault = |at: Nanos| {
            faults.iter().any(|fault| {
                let over = fault.steady_again.unwrap_or(Nanos::MAX);
                fault.struck.is_some_and(|struck| struck < at + STRIDE && at < over)
            })
        };
        let series = observations::series(&Filter::users(), &span, Metric::LatencyP95, STRIDE)?;
        let looked_at: Vec<_> = series.iter().filter(|point| !is_of_a_fault(point.at)).collect();
        let worst = looked_at.iter().filter_map(|point| point.value).fold(0.0, f64::max) as Nanos;
        if looked_at.iter().all(|point| point.value.is_none()) {
            return Ok(Verdict::at_most(subject, None, bound.within.into())
                .because(format!("no request succeeded outside faults in phase {}", step.phase)));
        }
        // A stretch in which nothing succeeds is no better than one that takes too long.
        let is_outside = |value: Option<f64>| value.is_none_or(|value| value > bound.p95.nanos() as f64);
        let last = looked_at.iter().rposition(|point| is_outside(point.value));
        let because = format!(
            "p95 of each 10 s of phase {} outside faults against {}, at worst {}",
            step.phase,
            numbers::duration(bound.p95.nanos()),
            numbers::duration(worst)
        );
        Ok(match last {
            None => within(subject, Some(0), bound.within, end - start)
                .because(format!("never outside; {because}")),
            Some(last) if last + 1 == looked_at.len() => within(subject, None, bound.within, end - start)
                .because(format!("still outside at its end; {because}")),
            Some(last) => {
                let back = looked_at[last].at + STRIDE - start;
                within(subject, Some(back), bound.within, end - start).because(because)
            }
        })
    }

    fn reversals(&self, course: &Course, from: Option<Nanos>) -> Verdict {
        let subject = self.subject("changes of direction");
        let counts = course.desired(from.unwrap_or(0));
        let words: Vec<_> = counts.iter().map(u32::to_string).collect();
        if from.is_none() || counts.is_empty() {
            return Verdict::inconclusive(subject, "nothing was seen of it under load");
        }
        let turned = Measure::Count(reversals(&counts));
        Verdict::at_most(subject, Some(turned), Measure::Count(self.config.reversals))
            .because(format!("desired: {}", words.join(", ")))
    }
}

/// When a span began and ended, by the seconds that it touches; none if it has not begun.
fn stretch(span: &Span) -> Result<Option<(Nanos, Nanos)>> {
    let seconds = observations::series(&Filter::users(), span, Metric::Users, SECOND)?;
    Ok(seconds.first().zip(seconds.last()).map(|(first, last)| (first.at, last.at + SECOND)))
}

/// A time that was promised. What had not come when watching ended is broken if that was after the bound, else
/// nobody knows.
fn within(subject: String, took: Option<Nanos>, bound: Period, watched: Nanos) -> Verdict {
    if took.is_some() {
        return Verdict::at_most(subject, took.map(Measure::Duration), bound.into());
    }
    let beyond = Measure::Duration(watched.max(bound.nanos() + 1));
    let mut verdict = Verdict::at_most(subject, Some(beyond), bound.into())
        .needs(Measure::Duration(bound.nanos()), Measure::Duration(watched));
    verdict.measured = Some(Measure::Text(format!(">= {}", numbers::duration(watched))));
    verdict
}

fn after(took: Option<Nanos>) -> String {
    took.map_or("no time that was watched".to_owned(), numbers::duration)
}

fn did_not_run(step: &Step) -> String {
    format!("phase {} did not run", step.phase)
}

fn unseen(step: &Step) -> String {
    format!("its counts were not known when phase {} began", step.phase)
}

assay_sdk::export!(assertion Autoscaling);

#[cfg(test)]
mod tests;
