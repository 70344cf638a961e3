//! Which seconds a span means.

use std::ops::Range;

use super::Observations;
use crate::observe::Nanos;

pub(super) const SECOND: Nanos = 1_000_000_000;

/// A stretch of the run. Figures are kept by whole seconds: a second that touches a fault's stretch
/// is that fault's, and one in which a phase ended and the next began is the next one's.
#[derive(Debug, Clone, PartialEq)]
pub enum Span {
    /// From the first phase's start to the last one's end.
    Whole,
    Phase(String),
    /// The whole without the stretches of faults.
    OutsideFaults,
    /// From a fault's strike to the first steady check after its revert.
    Fault(String),
    Between(Nanos, Nanos),
}

/// Why a query has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    #[error("no phase is named `{name}`: {}", listed(.known))]
    UnknownPhase { name: String, known: Vec<String> },
    #[error("no fault is named `{name}`: {}", listed(.known))]
    UnknownFault { name: String, known: Vec<String> },
    #[error("{0}")]
    Invalid(String),
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "the run has none".to_owned() } else { format!("there are {}", names.join(", ")) }
}

/// Whole seconds, ascending and disjoint, and the moments between which they count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Seconds {
    pub(super) ranges: Vec<Range<u64>>,
    pub(super) clip: Range<Nanos>,
}

impl Seconds {
    fn new(ranges: Vec<Range<u64>>, clip: Range<Nanos>) -> Self {
        Self { ranges: ranges.into_iter().filter(|range| !range.is_empty()).collect(), clip }
    }

    /// How many seconds there are.
    pub(super) fn count(&self) -> u64 {
        self.ranges.iter().map(|range| range.end - range.start).sum()
    }

    /// How much time they cover.
    pub(super) fn covered(&self) -> Nanos {
        let within = |range: &Range<u64>| {
            let start = (range.start.saturating_mul(SECOND)).max(self.clip.start);
            let end = (range.end.saturating_mul(SECOND)).min(self.clip.end);
            end.saturating_sub(start)
        };
        self.ranges.iter().map(within).sum()
    }
}

/// The seconds that a stretch of time touches.
fn touched(time: &Range<Nanos>) -> Range<u64> {
    time.start / SECOND..time.end.div_ceil(SECOND)
}

impl Observations {
    /// Until when requests are known: the end of the latest second that was told.
    pub fn observed_until(&self) -> Nanos {
        self.seconds.last().map_or(0, |second| second.saturating_add(1).saturating_mul(SECOND))
    }

    /// Beyond this nothing can be called empty: while load runs, seconds are told with some delay.
    fn known_until(&self) -> Nanos {
        let told = self.observed_until();
        if self.load_ended.is_some() || self.ended.is_some() { self.latest.max(told) } else { told }
    }

    /// From the first phase's start to the last one's end, as far as it is known.
    pub fn whole(&self) -> Option<Range<Nanos>> {
        let first = self.phases.first()?;
        let last = self.phases.last()?;
        let end = last.end.or(self.load_ended).unwrap_or(Nanos::MAX).min(self.known_until());
        Some(first.start..end.max(first.start))
    }

    /// The stretch of a fault that struck: until its end is told, it lasts.
    fn fault_seconds(&self, struck: Nanos, steady_again: Option<Nanos>, whole: &Range<Nanos>) -> Range<u64> {
        let stretch = touched(&(struck..steady_again.unwrap_or(Nanos::MAX).max(struck)));
        let whole = touched(whole);
        stretch.start.max(whole.start)..stretch.end.min(whole.end)
    }

    pub(super) fn resolve(&self, span: &Span) -> Result<Seconds, QueryError> {
        match span {
            Span::Whole => Ok(self
                .whole()
                .map_or_else(Seconds::default, |whole| Seconds::new(vec![touched(&whole)], whole))),
            Span::Phase(name) => self.phase_seconds(name),
            Span::OutsideFaults => Ok(self.outside_faults()),
            Span::Fault(name) => {
                let fault = self.fault(name).ok_or_else(|| QueryError::UnknownFault {
                    name: name.clone(),
                    known: self.faults().into_iter().map(|fault| fault.name).collect(),
                })?;
                let (Some(whole), Some(struck)) = (self.whole(), fault.struck) else {
                    return Ok(Seconds::default());
                };
                Ok(Seconds::new(vec![self.fault_seconds(struck, fault.steady_again, &whole)], whole))
            }
            Span::Between(start, end) if start > end => {
                Err(QueryError::Invalid(format!("a span ends before it starts: {start} ns to {end} ns")))
            }
            Span::Between(start, end) => {
                let end = (*end).min(self.known_until()).max(*start);
                Ok(Seconds::new(vec![touched(&(*start..end))], *start..end))
            }
        }
    }

    fn phase_seconds(&self, name: &str) -> Result<Seconds, QueryError> {
        let Some(index) = self.phases.iter().position(|phase| phase.name == name) else {
            let planned = self.run.iter().flat_map(|run| &run.phases).map(|phase| phase.name.clone());
            let known: Vec<String> = planned.collect();
            return if known.iter().any(|planned| planned == name) {
                Ok(Seconds::default())
            } else {
                Err(QueryError::UnknownPhase { name: name.to_owned(), known })
            };
        };
        let phase = &self.phases[index];
        let next = self.phases.get(index + 1).map(|next| next.start);
        let ended = phase.end.or(next).or(self.load_ended).unwrap_or(Nanos::MAX).min(self.known_until());
        let clip = phase.start..ended.max(phase.start);
        let mut seconds = touched(&clip);
        if let Some(next) = next {
            seconds.end = seconds.end.min(next / SECOND);
        }
        Ok(Seconds::new(vec![seconds], clip))
    }

    fn outside_faults(&self) -> Seconds {
        let Some(whole) = self.whole() else { return Seconds::default() };
        let mut stretches: Vec<Range<u64>> = self
            .faults
            .iter()
            .filter(|fault| fault.planned)
            .filter_map(|fault| {
                fault.struck.map(|struck| self.fault_seconds(struck, fault.steady_again, &whole))
            })
            .filter(|stretch| !stretch.is_empty())
            .collect();
        stretches.sort_by_key(|stretch| stretch.start);
        let all = touched(&whole);
        let mut ranges = Vec::with_capacity(stretches.len() + 1);
        let mut from = all.start;
        for stretch in stretches {
            ranges.push(from..stretch.start);
            from = from.max(stretch.end);
        }
        ranges.push(from..all.end);
        Seconds::new(ranges, whole)
    }
}
