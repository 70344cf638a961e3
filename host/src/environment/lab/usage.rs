//! From counters to readings: what was used since this process last asked.

use std::collections::HashMap;

use super::{cgroup::Figures, protocol::Reading};
use crate::observe::UsageReading;

/// The counters as they were at the reading before, by subject.
#[derive(Debug, Default)]
pub(super) struct Before(HashMap<String, (u64, Figures)>);

impl Before {
    /// Compares with the reading before and takes the place of it. A subject's first reading has
    /// used nothing yet.
    pub(super) fn step(&mut self, reading: &Reading) -> UsageReading {
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
            labels: crate::observe::Labels::new(),
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
}
