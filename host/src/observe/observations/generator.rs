//! Whether the load generator itself held the load back.

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    Observations,
    spans::{SECOND, Span},
};
use crate::observe::Nanos;

/// Longest lag of the event loop in a second that counts as undisturbed.
const LAG: Nanos = 50_000_000;

/// Share of late sends in a second that counts as undisturbed.
const LATE: f64 = 0.01;

/// Share of disturbed seconds above which the generator was a bottleneck.
const DISTURBED: f64 = 0.01;

/// What the generator needed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct GeneratorSeen {
    pub bottleneck: bool,
    pub because: String,
    /// Thousandths of a processor.
    pub cpu_mean: u64,
    pub cpu_peak: u64,
    /// In 99 of 100 seconds, the second's own p99 was at most this.
    pub lag_p99: Nanos,
    /// Starts that found no free user in time.
    pub late: u64,
    /// Starts given up.
    pub dropped: u64,
    /// What it could not do because it had no file descriptor, port or memory left for it.
    pub shortages: u64,
}

impl Observations {
    /// The generator over the whole of the load.
    pub fn generator(&self) -> GeneratorSeen {
        let seconds = self.resolve(&Span::Whole).unwrap_or_default();
        let told: Vec<_> =
            seconds.ranges.iter().flat_map(|range| self.seconds.within(range.clone())).collect();
        if told.is_empty() {
            return GeneratorSeen {
                because: "no second of load was seen".to_owned(),
                ..GeneratorSeen::default()
            };
        }
        let mut seen = GeneratorSeen::default();
        let (mut lags, mut cpu, mut disturbed) = (Vec::with_capacity(told.len()), 0_u64, 0_u64);
        for (_, second) in &told {
            let requests: u64 = second
                .rows()
                .fold(0, |sum, row| sum.saturating_add(row.successes).saturating_add(row.failed()));
            let late = second.late_sends as f64 > LATE * requests as f64;
            disturbed += u64::from(late || second.lag > LAG);
            lags.push(second.lag);
            cpu = cpu.saturating_add(second.cpu);
            seen.cpu_peak = seen.cpu_peak.max(second.cpu);
            seen.late = seen.late.saturating_add(second.late);
            seen.dropped = seen.dropped.saturating_add(second.dropped);
            seen.shortages = seen.shortages.saturating_add(second.shortages);
        }
        lags.sort_unstable();
        let count = told.len();
        seen.lag_p99 = lags[(count * 99).div_ceil(100) - 1];
        seen.cpu_mean = cpu / count as u64;
        seen.bottleneck = seen.shortages > 0 || disturbed as f64 > DISTURBED * count as f64;
        seen.because = format!(
            "in {disturbed} of {count} seconds its event loop lagged by more than {} ms or more than {} % of its \
             sends left late; above {} % of seconds it counts as a bottleneck",
            LAG / (SECOND / 1000),
            LATE * 100.0,
            DISTURBED * 100.0,
        );
        if seen.shortages > 0 {
            seen.because = format!(
                "{} times it had no file descriptor, port or memory left for what it should have done; {}",
                seen.shortages, seen.because
            );
        }
        seen
    }
}
