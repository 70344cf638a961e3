//! Is the target in its steady state?
//!
//! The same hypothesis before a strike and after a revert: over the last seconds, at least this share
//! of requests succeeded. No requests at all is no steady state, because nothing was seen.

use std::time::Duration;

use crate::{
    config::SteadyConfig,
    observe::{Fact, Filter, Live, Nanos, Span, Stream, nanos},
};

/// What a check found.
#[derive(Debug, Clone, PartialEq)]
pub struct Steady {
    pub holds: bool,
    /// With figures.
    pub because: String,
}

/// Looks back over the configured time and tells what it found.
pub fn check(config: &SteadyConfig, live: &Live, stream: &Stream, not_before: Nanos) -> Steady {
    let steady = look_back(config, live, &Filter::all(), not_before);
    stream
        .tell_at(stream.clock().now(), Fact::Steady { holds: steady.holds, because: steady.because.clone() });
    steady
}

/// Waits until the steady state has held for its time since `since`, looking once a second.
/// Answers when that was, or nothing after `at_most`.
pub async fn wait(
    config: &SteadyConfig,
    live: &Live,
    stream: &Stream,
    since: Nanos,
    at_most: Duration,
) -> Option<Nanos> {
    let deadline = stream.clock().now().saturating_add(nanos(at_most));
    loop {
        let now = stream.clock().now();
        let watched = live.observations().observed_until().saturating_sub(since);
        if watched >= nanos(config.hold) && look_back(config, live, &Filter::all(), since).holds {
            check(config, live, stream, since);
            return Some(now);
        }
        if now >= deadline {
            check(config, live, stream, since);
            return None;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// Waits until the probe alone has seen the steady state for its time, likewise. Nothing of it is
/// told: it is no check of a fault's. Answers what it saw at last, if that was not steady.
pub async fn wait_probed(
    config: &SteadyConfig,
    live: &Live,
    stream: &Stream,
    since: Nanos,
    at_most: Duration,
) -> Result<(), String> {
    let deadline = stream.clock().now().saturating_add(nanos(at_most));
    loop {
        let watched = live.observations().observed_until().saturating_sub(since);
        let seen = look_back(config, live, &Filter::probe(), since);
        if seen.holds && watched >= nanos(config.hold) {
            return Ok(());
        }
        if stream.clock().now() >= deadline {
            return Err(seen.because);
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// Looks back from the end of what is known: a second is told some time after its end.
fn look_back(config: &SteadyConfig, live: &Live, filter: &Filter, not_before: Nanos) -> Steady {
    let end = live.observations().observed_until();
    let start = end.saturating_sub(nanos(config.hold)).max(not_before);
    let span = Span::Between(start, end);
    let seconds = config.hold.as_secs_f64();
    let totals = match live.observations().totals(filter, &span, 0.0) {
        Ok(totals) => totals,
        Err(error) => return Steady { holds: false, because: error.to_string() },
    };
    if totals.requests == 0 {
        return Steady { holds: false, because: format!("no request ended in the last {seconds:.0} s") };
    }
    let rate = totals.successes as f64 / totals.requests as f64;
    Steady {
        holds: rate >= config.success_rate,
        because: format!(
            "{:.2} % of {} requests succeeded in the last {seconds:.0} s; steady is {:.2} %",
            rate * 100.0,
            totals.requests,
            config.success_rate * 100.0
        ),
    }
}
