//! Requests: totals, percentiles and series.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Observations,
    seconds::Second,
    spans::{QueryError, SECOND, Span},
};
use crate::observe::{
    Endpoint, ErrorClass, Nanos,
    histogram::{Histogram, histogram, mean, percentile},
};

/// Most points that one series has.
const MOST_POINTS: u64 = 100_000;

/// Which requests: absent means any, except that probes are never among the users'.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    pub behavior: Option<String>,
    pub group: Option<String>,
    pub task: Option<String>,
    /// The sample's name.
    pub endpoint: Option<String>,
    /// The probe's requests instead of the users'.
    pub probe: bool,
}

impl Filter {
    /// All that the users did.
    pub fn all() -> Self {
        Self::default()
    }

    /// What the users did in one task group.
    pub fn group(group: impl Into<String>) -> Self {
        Self { group: Some(group.into()), ..Self::default() }
    }

    /// Exactly one endpoint.
    pub fn endpoint(endpoint: &Endpoint) -> Self {
        Self {
            behavior: Some(endpoint.behavior.clone()),
            group: Some(endpoint.group.clone()),
            task: Some(endpoint.task.clone()),
            endpoint: Some(endpoint.name.clone()),
            probe: endpoint.probe,
        }
    }

    /// What the probe did.
    pub fn probe() -> Self {
        Self { probe: true, ..Self::default() }
    }

    fn matches(&self, endpoint: &Endpoint) -> bool {
        let is = |asked: &Option<String>, is: &String| asked.as_ref().is_none_or(|asked| asked == is);
        self.probe == endpoint.probe
            && is(&self.behavior, &endpoint.behavior)
            && is(&self.group, &endpoint.group)
            && is(&self.task, &endpoint.task)
            && is(&self.endpoint, &endpoint.name)
    }
}

/// What became of requests over a span.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Totals {
    pub requests: u64,
    pub successes: u64,
    pub failures: u64,
    /// How much of the span is known.
    pub covered: Nanos,
    /// Response time of successes; absent when there are none.
    pub mean: Option<Nanos>,
    pub max: Option<Nanos>,
    pub good_windows: u64,
    pub bad_windows: u64,
    /// Seconds without samples: unknown, neither good nor bad.
    pub empty_windows: u64,
    /// Requests in the busiest second.
    pub peak_rate: f64,
    /// Most frequent first.
    pub errors: Vec<(ErrorClass, u64)>,
}

impl Totals {
    /// Successes ÷ requests; absent without requests.
    pub fn success_rate(&self) -> Option<f64> {
        (self.requests > 0).then(|| self.successes as f64 / self.requests as f64)
    }

    /// Requests a second over what is covered; absent when nothing is.
    pub fn rate(&self) -> Option<f64> {
        (self.covered > 0).then(|| self.requests as f64 / (self.covered as f64 / SECOND as f64))
    }

    /// Good windows ÷ windows with samples; absent when all are empty.
    pub fn availability(&self) -> Option<f64> {
        let known = self.good_windows + self.bad_windows;
        (known > 0).then(|| self.good_windows as f64 / known as f64)
    }
}

/// From when a latency counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Latency {
    /// From the actual send to the last byte.
    Service,
    /// From the intended start.
    Response,
}

/// What a series shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// How many ended in the step.
    Requests,
    Failures,
    /// Alive at the step's end.
    Users,
    /// Response times of successes in nanoseconds.
    LatencyP50,
    LatencyP95,
    LatencyP99,
}

/// One step of a series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Its start.
    pub at: Nanos,
    /// Absent is a gap: nothing was seen.
    pub value: Option<f64>,
}

/// Successes and failures of the selected endpoints in one second.
fn counts(second: &Second, selected: &BTreeSet<u32>) -> (u64, u64) {
    second.rows_of(selected).fold((0, 0), |(good, bad), row| {
        (u64::saturating_add(good, row.successes), u64::saturating_add(bad, row.failed()))
    })
}

impl Observations {
    fn select(&self, filter: &Filter) -> BTreeSet<u32> {
        self.endpoints
            .iter()
            .filter(|(_, endpoint)| filter.matches(endpoint))
            .map(|(index, _)| *index)
            .collect()
    }

    /// Counts over a span. A second with at least one sample and no larger share of failures than
    /// `good_window` is a good window.
    pub fn totals(&self, filter: &Filter, span: &Span, good_window: f64) -> Result<Totals, QueryError> {
        if !(0.0..=1.0).contains(&good_window) {
            return Err(QueryError::Invalid(format!(
                "a good window allows {good_window} of its requests to fail; allowed are 0.0 to 1.0"
            )));
        }
        let seconds = self.resolve(span)?;
        let selected = self.select(filter);
        let mut totals = Totals { covered: seconds.covered(), ..Totals::default() };
        let mut errors: BTreeMap<ErrorClass, u64> = BTreeMap::new();
        let mut responses = histogram();
        let mut busiest = 0;
        for range in &seconds.ranges {
            for (_, second) in self.seconds.within(range.clone()) {
                let (good, bad) = counts(second, &selected);
                let all = good.saturating_add(bad);
                if all == 0 {
                    continue;
                }
                busiest = busiest.max(all);
                totals.successes = totals.successes.saturating_add(good);
                totals.failures = totals.failures.saturating_add(bad);
                if bad as f64 <= good_window * all as f64 {
                    totals.good_windows += 1;
                } else {
                    totals.bad_windows += 1;
                }
                for row in second.rows_of(&selected) {
                    row.add_response(&mut responses);
                    for (class, count) in &row.failures {
                        let sum = errors.entry(*class).or_default();
                        *sum = sum.saturating_add(*count);
                    }
                }
            }
        }
        totals.requests = totals.successes.saturating_add(totals.failures);
        totals.empty_windows = seconds.count().saturating_sub(totals.good_windows + totals.bad_windows);
        totals.peak_rate = busiest as f64;
        totals.mean = mean(&responses);
        totals.max = (!responses.is_empty()).then(|| responses.max());
        totals.errors = errors.into_iter().collect();
        totals.errors.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        Ok(totals)
    }

    /// Latency of successes at each percentile, 0 to 100; absent without samples.
    pub fn percentiles(
        &self,
        filter: &Filter,
        span: &Span,
        latency: Latency,
        percentiles: &[f64],
    ) -> Result<Vec<Option<Nanos>>, QueryError> {
        if let Some(wrong) = percentiles.iter().find(|percent| !(0.0..=100.0).contains(*percent)) {
            return Err(QueryError::Invalid(format!(
                "there is no percentile {wrong}; allowed are 0.0 to 100.0"
            )));
        }
        let merged = self.latencies(filter, span, latency)?;
        Ok(percentiles.iter().map(|percent| percentile(&merged, *percent)).collect())
    }

    /// The merged histogram of successes' latencies.
    pub fn latencies(
        &self,
        filter: &Filter,
        span: &Span,
        latency: Latency,
    ) -> Result<Histogram<u64>, QueryError> {
        let mut merged = histogram();
        self.each_row(filter, span, |row| match latency {
            Latency::Service => row.add_service(&mut merged),
            Latency::Response => row.add_response(&mut merged),
        })?;
        Ok(merged)
    }

    /// The merged histogram of all requests, failures (by their service times) among them.
    pub fn latencies_of_all(&self, filter: &Filter, span: &Span) -> Result<Histogram<u64>, QueryError> {
        let mut merged = histogram();
        self.each_row(filter, span, |row| {
            row.add_response(&mut merged);
            row.add_failed(&mut merged);
        })?;
        Ok(merged)
    }

    /// Answers by status, ascending.
    pub fn statuses(&self, filter: &Filter, span: &Span) -> Result<Vec<(u16, u64)>, QueryError> {
        let mut statuses: BTreeMap<u16, u64> = BTreeMap::new();
        self.each_row(filter, span, |row| {
            for (status, count) in &row.statuses {
                let sum = statuses.entry(*status).or_default();
                *sum = sum.saturating_add(*count);
            }
        })?;
        Ok(statuses.into_iter().collect())
    }

    /// Bytes sent and received.
    pub fn bytes(&self, filter: &Filter, span: &Span) -> Result<(u64, u64), QueryError> {
        let (mut sent, mut received) = (0_u64, 0_u64);
        self.each_row(filter, span, |row| {
            sent = sent.saturating_add(row.sent);
            received = received.saturating_add(row.received);
        })?;
        Ok((sent, received))
    }

    fn each_row(
        &self,
        filter: &Filter,
        span: &Span,
        mut tell: impl FnMut(&super::seconds::Row),
    ) -> Result<(), QueryError> {
        let selected = self.select(filter);
        for range in self.resolve(span)?.ranges {
            for (_, second) in self.seconds.within(range) {
                second.rows_of(&selected).for_each(&mut tell);
            }
        }
        Ok(())
    }

    /// One point for every `step`, which is a whole number of seconds.
    pub fn series(
        &self,
        filter: &Filter,
        span: &Span,
        metric: Metric,
        step: Nanos,
    ) -> Result<Vec<Point>, QueryError> {
        if step == 0 || !step.is_multiple_of(SECOND) {
            return Err(QueryError::Invalid(format!("a step of {step} ns: only whole seconds are allowed")));
        }
        let seconds = self.resolve(span)?;
        let (Some(first), Some(last)) = (seconds.ranges.first(), seconds.ranges.last()) else {
            return Ok(Vec::new());
        };
        let (start, end, step) = (first.start, last.end, step / SECOND);
        let steps = (end - start).div_ceil(step);
        if steps > MOST_POINTS {
            return Err(QueryError::Invalid(format!("{steps} points: at most {MOST_POINTS} are allowed")));
        }
        let selected = self.select(filter);
        let point = |index: u64| {
            let from = start + index * step;
            let until = (from + step).min(end);
            let told = seconds.ranges.iter().flat_map(|range| {
                self.seconds.within(from.max(range.start)..until.min(range.end)).map(|(_, second)| second)
            });
            Point { at: from.saturating_mul(SECOND), value: value(told, &selected, metric) }
        };
        Ok((0..steps).map(point).collect())
    }

    /// Virtual users alive at the end of the latest second that was told.
    pub fn users(&self) -> Option<u32> {
        let last = self.seconds.last()?;
        self.seconds.within(last..last + 1).next().map(|(_, second)| second.users)
    }
}

/// What one step of a series shows; absent when none of its seconds was told, or none has a latency.
fn value<'a>(
    told: impl Iterator<Item = &'a Second>,
    selected: &BTreeSet<u32>,
    metric: Metric,
) -> Option<f64> {
    let quantile = match metric {
        Metric::Requests => {
            return told
                .map(|second| counts(second, selected))
                .map(|(good, bad)| good as f64 + bad as f64)
                .reduce(|sum, more| sum + more);
        }
        Metric::Failures => {
            return told.map(|second| counts(second, selected).1 as f64).reduce(|sum, more| sum + more);
        }
        Metric::Users => return told.last().map(|second| f64::from(second.users)),
        Metric::LatencyP50 => 50.0,
        Metric::LatencyP95 => 95.0,
        Metric::LatencyP99 => 99.0,
    };
    let mut merged = histogram();
    for second in told {
        second.rows_of(selected).for_each(|row| row.add_response(&mut merged));
    }
    percentile(&merged, quantile).map(|nanos| nanos as f64)
}
