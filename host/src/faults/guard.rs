//! The bound that stops a run.
//!
//! The guard trips when the error rate stays above its bound for its time. Seconds in which a fault is
//! expected to hurt, from its strike to its `recover-within`, do not count: they are what the run is for.

use std::{sync::Mutex, sync::PoisonError, time::Duration};

use crate::{
    config::GuardConfig,
    observe::{Fact, Filter, Live, Nanos, Span, Stream, nanos},
};

/// Watches the error rate while the load runs.
#[derive(Debug)]
pub struct Guard {
    config: GuardConfig,
    /// Stretches that do not count, as the timeline announces them.
    excused: Mutex<Vec<(Nanos, Nanos)>>,
}

impl Guard {
    pub fn new(config: GuardConfig) -> Self {
        Self { config, excused: Mutex::default() }
    }

    /// From `start` to `end` failures are expected.
    pub fn excuse(&self, start: Nanos, end: Nanos) {
        self.excused.lock().unwrap_or_else(PoisonError::into_inner).push((start, end));
    }

    /// Returns, with the reason, once the guard trips; otherwise never.
    pub async fn watch(&self, live: &Live, stream: &Stream) -> String {
        let mut above_since = None;
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let now = stream.clock().now();
            match self.error_rate(live, now) {
                Some(rate) if rate > self.config.error_rate && !self.is_excused(now) => {
                    let since = *above_since.get_or_insert(now);
                    if now - since >= nanos(self.config.hold) {
                        let because = format!(
                            "{:.1} % of requests failed for {:.0} s; the guard allows {:.1} %",
                            rate * 100.0,
                            self.config.hold.as_secs_f64(),
                            self.config.error_rate * 100.0
                        );
                        stream.tell(Fact::GuardTripped { because: because.clone() });
                        return because;
                    }
                }
                // A second without a sample neither trips nor clears it.
                None => {}
                Some(_) => above_since = None,
            }
        }
    }

    fn error_rate(&self, live: &Live, now: Nanos) -> Option<f64> {
        // Intervals are told up to two seconds after their end.
        let span = Span::Between(now.saturating_sub(3_000_000_000), now);
        let totals = live.observations().totals(&Filter::all(), &span, 0.0).ok()?;
        (totals.requests > 0).then(|| totals.failures as f64 / totals.requests as f64)
    }

    fn is_excused(&self, now: Nanos) -> bool {
        let excused = self.excused.lock().unwrap_or_else(PoisonError::into_inner);
        excused.iter().any(|&(start, end)| (start..end).contains(&now))
    }
}
