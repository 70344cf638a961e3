//! What instances and bounded groups used.

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    Observations,
    spans::{QueryError, SECOND, Span},
};
use crate::observe::{Nanos, UsageReading};

/// One reading of one subject.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    at: Nanos,
    cpu: u64,
    memory: u64,
    cpu_limit: Option<u64>,
    memory_limit: Option<u64>,
    throttled: Option<f64>,
    oom_kills: u32,
}

impl Reading {
    pub(super) fn of(at: Nanos, reading: &UsageReading) -> Self {
        Self {
            at,
            cpu: reading.cpu,
            memory: reading.memory,
            cpu_limit: reading.cpu_limit,
            memory_limit: reading.memory_limit,
            throttled: reading.throttled.filter(|share| share.is_finite()),
            oom_kills: reading.oom_kills,
        }
    }
}

/// What one subject used over a span.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct UsageSeen {
    /// Instance, or `(group) NAME`.
    pub subject: String,
    /// Thousandths of a processor. Means are weighted by the time between readings.
    pub cpu_mean: u64,
    pub cpu_peak: u64,
    /// Bytes.
    pub memory_mean: u64,
    pub memory_peak: u64,
    /// As they were last.
    pub cpu_limit: Option<u64>,
    pub memory_limit: Option<u64>,
    /// Share of time in which the CPU limit held it back.
    pub throttled: Option<f64>,
    /// Within the span.
    pub oom_kills: u32,
}

impl Observations {
    /// Use of every subject that was read in the span, groups first: a bracket sorts before any name.
    pub fn usage(&self, span: &Span) -> Result<Vec<UsageSeen>, QueryError> {
        let seconds = self.resolve(span)?;
        let within = |at: Nanos| seconds.ranges.iter().any(|range| range.contains(&(at / SECOND)));
        let seen = self.usage.iter().filter_map(|(subject, readings)| fold(subject, readings, within));
        Ok(seen.collect())
    }
}

fn fold(subject: &str, readings: &[Reading], within: impl Fn(Nanos) -> bool) -> Option<UsageSeen> {
    let mut seen: Option<UsageSeen> = None;
    let mut before: Option<&Reading> = None;
    let (mut time, mut cpu, mut memory) = (0.0, 0.0, 0.0);
    let (mut throttled_time, mut throttled) = (0.0, 0.0);
    let mut killed_before = 0;
    for reading in readings {
        if within(reading.at) {
            let seen = seen.get_or_insert_with(|| UsageSeen {
                subject: subject.to_owned(),
                cpu_mean: 0,
                cpu_peak: 0,
                memory_mean: 0,
                memory_peak: 0,
                cpu_limit: None,
                memory_limit: None,
                throttled: None,
                oom_kills: 0,
            });
            let weight = before.map_or(SECOND, |before| reading.at.saturating_sub(before.at)).max(1) as f64;
            time += weight;
            cpu += weight * reading.cpu as f64;
            memory += weight * reading.memory as f64;
            if let Some(share) = reading.throttled {
                throttled_time += weight;
                throttled += weight * share;
            }
            seen.cpu_peak = seen.cpu_peak.max(reading.cpu);
            seen.memory_peak = seen.memory_peak.max(reading.memory);
            seen.cpu_limit = reading.cpu_limit;
            seen.memory_limit = reading.memory_limit;
            seen.oom_kills = reading.oom_kills.saturating_sub(killed_before);
        } else if seen.is_none() {
            killed_before = reading.oom_kills;
        }
        before = Some(reading);
    }
    let mut seen = seen?;
    seen.cpu_mean = (cpu / time).round() as u64;
    seen.memory_mean = (memory / time).round() as u64;
    seen.throttled = (throttled_time > 0.0).then(|| throttled / throttled_time);
    Some(seen)
}
