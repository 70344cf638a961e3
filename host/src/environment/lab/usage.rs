//! From counters to readings: what was used since this process last asked.

use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;

use super::{cgroup::Figures, protocol::Reading};
use crate::observe::{Labels, UsageReading};

/// How long a reading serves everybody who asks: a little less than a second, so that whoever reads once a second
/// has a new one each time.
const SERVES: Duration = Duration::from_millis(900);

/// One reading for all who want one. Two who compared with each other's would have windows that are as short as the
/// time between them, in which a processor's limit shows itself never or always.
#[derive(Debug, Default)]
pub(super) struct Meter {
    before: Before,
    latest: Option<(Instant, Vec<Metered>)>,
}

/// What a subject used, and what selects it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Metered {
    pub(super) usage: UsageReading,
    pub(super) labels: Labels,
}

impl Meter {
    /// The latest reading, while it still serves.
    pub(super) fn latest(&self, now: Instant) -> Option<&[Metered]> {
        let (taken, readings) = self.latest.as_ref()?;
        (now.duration_since(*taken) < SERVES).then_some(readings)
    }

    /// Takes a new one.
    pub(super) fn take(&mut self, now: Instant, readings: Vec<Reading>) -> &[Metered] {
        let metered =
            |reading: Reading| Metered { usage: self.before.step(&reading), labels: reading.labels };
        let readings = readings.into_iter().map(metered).collect();
        &self.latest.insert((now, readings)).1
    }
}

/// The counters as they were at the reading before, by subject.
#[derive(Debug, Default)]
struct Before(HashMap<String, (u64, Figures)>);

impl Before {
    /// Compares with the reading before and takes the place of it. A subject's first reading has
    /// used nothing yet.
    fn step(&mut self, reading: &Reading) -> UsageReading {
        let now = (reading.at, reading.figures);
        let before = self.0.insert(reading.subject.clone(), now).unwrap_or(now);
        let span = now.0.saturating_sub(before.0);
        let since = |now: u64, before: u64| now.saturating_sub(before);
        let periods = since(now.1.periods, before.1.periods);
        let throttled = since(now.1.throttled, before.1.throttled);
        let bounded = reading.cpu_limit.is_some() && periods > 0;
        UsageReading {
            subject: reading.subject.clone(),
            cpu: (u128::from(since(now.1.cpu, before.1.cpu)) * 1000)
                .checked_div(u128::from(span))
                .map_or(0, |cpu| u64::try_from(cpu).unwrap_or(u64::MAX)),
            memory: now.1.memory,
            cpu_limit: reading.cpu_limit,
            memory_limit: reading.memory_limit,
            throttled: bounded.then(|| throttled as f64 / periods as f64),
            oom_kills: u32::try_from(now.1.oom_kills).unwrap_or(u32::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(at: u64, cpu: u64, periods: u64, throttled: u64) -> Reading {
        Reading {
            subject: "web-0".to_owned(),
            workload: None,
            labels: Labels::new(),
            at,
            figures: Figures { cpu, memory: 7, periods, throttled, oom_kills: 1 },
            cpu_limit: Some(500),
            memory_limit: None,
        }
    }

    #[test]
    fn figures_are_means_since_the_reading_before() {
        let mut before = Before::default();
        let first = before.step(&reading(1_000_000_000, 5_000_000_000, 10, 1));
        assert_eq!((first.cpu, first.memory, first.throttled, first.oom_kills), (0, 7, None, 1));
        let second = before.step(&reading(3_000_000_000, 6_000_000_000, 30, 11));
        assert_eq!((second.cpu, second.throttled), (500, Some(0.5)));
    }

    #[test]
    fn those_who_ask_together_are_answered_alike() {
        let (mut meter, start) = (Meter::default(), Instant::now());
        let at = |millis| start + Duration::from_millis(millis);
        assert_eq!(meter.latest(start), None, "nobody has asked");
        meter.take(start, vec![reading(0, 0, 0, 0)]);
        meter.take(at(1000), vec![reading(1_000_000_000, 500_000_000, 10, 5)]);
        let served = meter.latest(at(1001)).expect("it was just taken").to_vec();
        assert_eq!(
            (served[0].usage.cpu, served[0].usage.throttled),
            (500, Some(0.5)),
            "over all of the second"
        );
        assert_eq!(meter.latest(at(1899)), Some(&served[..]));
        assert_eq!(meter.latest(at(1900)), None, "who asks every second is not served an old one");
        let next = meter.take(at(2000), vec![reading(2_000_000_000, 500_000_000, 20, 5)]);
        assert_eq!((next[0].usage.cpu, next[0].usage.throttled), (0, Some(0.0)));
    }
}
