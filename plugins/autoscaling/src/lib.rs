//! Autoscaling: when the load stepped up, were there more instances in time, did latency come back inside its
//! bound, did the count hold still, and was it back down in time once the load was gone?
//!
//! It reads the workload's counts and the users' latency, and so it judges whatever scales: the lab, a cluster's
//! own autoscaler, or a person.

mod config;
mod course;

use assay_sdk::observations::{self, Filter, Metric, Nanos, Span};
use assay_sdk::prelude::*;

use crate::config::{Config, Down, Latency, Up};
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
        let ended = load.map_or(0, |load| load.1);
        // The counts are watched as long as anything is.
        let watched = stretch(&Span::Between((ended, Nanos::MAX)))?.map_or(ended, |(_, until)| until);
        let watched = watched.max(course.until());
        let mut verdicts = Vec::new();
        if let Some(up) = &config.up {
            verdicts.push(self.up(up, &course, ended)?.requirement(config.requirement("up")));
            if let Some(latency) = config.latency {
                verdicts.push(self.latency(up, latency)?.requirement(config.requirement("latency")));
            }
        }
        if let Some(down) = &config.down {
            let from = match &down.phase {
                Some(phase) => stretch(&Span::Phase(phase.clone()))?.map(|(start, _)| start),
                None => load.map(|(_, end)| end),
            };
            let verdict = self.down(down, &course, from, watched);
            verdicts.push(verdict.requirement(config.requirement("down")));
        }
        let steady = self.reversals(&course, load.map(|load| load.0));
        verdicts.push(steady.requirement(config.requirement("reversals")));
        if moment == Moment::SoFar {
            // Latency may come back yet, and so may those that are too many: time is what that wants.
            let latency = self.subject(LATENCY);
            let back_down = config.down.as_ref().map(|down| self.back_down(down));
            verdicts.retain(|verdict| match verdict.outcome {
                Outcome::Broken => verdict.subject != latency,
                Outcome::Inconclusive => {
                    verdict.shortage.is_some() && Some(&verdict.subject) == back_down.as_ref()
                }
                Outcome::Kept => false,
            });
        }
        Ok(verdicts)
    }
}

const LATENCY: &str = "p95 back inside its bound";

impl Autoscaling {
    fn subject(&self, what: &str) -> String {
        format!("{}: {what}", self.config.workload)
    }

    fn back_down(&self, step: &Down) -> String {
        self.subject(&format!("back down to {}", step.replicas))
    }

    fn up(&self, step: &Up, course: &Course, ended: Nanos) -> Result<Verdict> {
        let subject = self.subject(&format!("up to {} ready", step.replicas));
        let Some((start, end)) = stretch(&Span::Phase(step.phase.clone()))? else {
            return Ok(Verdict::inconclusive(subject, did_not_run(&step.phase)));
        };
        let Some(before) = course.at(start).copied() else {
            let because = format!("its counts were not known when phase {} began", step.phase);
            return Ok(Verdict::inconclusive(subject, because));
        };
        if before.desired >= step.replicas {
            let because = format!("{} were desired already when phase {} began", before.desired, step.phase);
            return Ok(Verdict::inconclusive(subject, because));
        }
        let decided = course.first(start, |point| point.desired > before.desired);
        let enough = course.first(start, |point| point.desired >= step.replicas);
        // Who is ready and no longer desired is about to leave.
        let reached = course.first(start, |point| point.ready.min(point.desired) >= step.replicas);
        let because = format!(
            "from {} at the start of phase {}: first more desired after {}, {} desired after {}",
            before.desired,
            step.phase,
            after(decided),
            step.replicas,
            after(enough)
        );
        // Once the load is gone nothing is to be added any more.
        let less = self.config.down.as_ref().and_then(|down| down.phase.clone());
        let ends = match less {
            Some(phase) => stretch(&Span::Phase(phase))?.map_or(ended, |(start, _)| start),
            None => ended,
        };
        let watched = ends.max(end).saturating_sub(start);
        Ok(within(subject, reached, step.within, watched).because(because))
    }

    fn down(&self, step: &Down, course: &Course, from: Option<Nanos>, watched: Nanos) -> Verdict {
        let subject = self.back_down(step);
        let phase = step.phase.as_deref();
        let Some(start) = from else {
            return Verdict::inconclusive(subject, phase.map_or("there was no load".to_owned(), did_not_run));
        };
        let (at, when) = match phase {
            Some(phase) => (format!("at the start of phase {phase}"), format!("when phase {phase} began")),
            None => ("at the end of load".to_owned(), "when the load ended".to_owned()),
        };
        let Some(before) = course.at(start).copied() else {
            return Verdict::inconclusive(subject, format!("its counts were not known {when}"));
        };
        if before.desired <= step.replicas {
            let because = format!("there were only {} {when}: nothing had to come down", before.desired);
            return Verdict::inconclusive(subject, because);
        }
        let decided = course.first(start, |point| point.desired < before.desired);
        let enough = course.first(start, |point| point.desired <= step.replicas);
        let reached = course.first(start, |point| {
            point.desired <= step.replicas && point.running <= point.desired && point.ready == point.running
        });
        let because = format!(
            "from {} {at}: first fewer desired after {}, {} desired after {}",
            before.desired,
            after(decided),
            step.replicas,
            after(enough)
        );
        within(subject, reached, step.within, watched.saturating_sub(start)).because(because)
    }

    fn latency(&self, step: &Up, bound: Latency) -> Result<Verdict> {
        let subject = self.subject(LATENCY);
        let span = Span::Phase(step.phase.clone());
        let Some((start, end)) = stretch(&span)? else {
            return Ok(Verdict::inconclusive(subject, did_not_run(&step.phase)));
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
        let requests = observations::series(&Filter::users(), &span, Metric::Requests, STRIDE)?;
        let outside = requests.iter().filter(|point| !is_of_a_fault(point.at));
        if outside.filter_map(|point| point.value).sum::<f64>() == 0.0 {
            return Ok(Verdict::at_most(subject, None, bound.within.into())
                .because(format!("no request ended outside faults in phase {}", step.phase)));
        }
        let worst = looked_at.iter().filter_map(|point| point.value).reduce(f64::max);
        // A stretch in which nothing succeeds is no better than one that takes too long.
        let is_outside = |value: Option<f64>| value.is_none_or(|value| value > bound.p95.nanos() as f64);
        let last = looked_at.iter().rposition(|point| is_outside(point.value));
        let because = format!(
            "p95 of each 10 s of phase {} outside faults against {}, at worst {}",
            step.phase,
            numbers::duration(bound.p95.nanos()),
            worst.map_or("none, because no request succeeded".to_owned(), |nanos| numbers::duration(
                nanos as Nanos
            ))
        );
        let (back, because) = match last {
            None => (Some(0), format!("never outside; {because}")),
            Some(last) if last + 1 == looked_at.len() => {
                (None, format!("still outside at its end; {because}"))
            }
            Some(last) => (Some(looked_at[last].at + STRIDE - start), because),
        };
        Ok(within(subject, back, bound.within, end - start).because(because))
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

fn did_not_run(phase: &str) -> String {
    format!("phase {phase} did not run")
}

assay_sdk::export!(assertion Autoscaling);

#[cfg(test)]
mod tests;
