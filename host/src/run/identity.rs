//! What a run is called, and where its randomness begins.

use std::path::{Path, PathBuf};

use crate::observe::Clock;

/// A name that sorts by time and is unique on one machine: `20261121-101500-smoke-3f2a`.
pub(crate) fn run_id(name: &str, clock: &Clock, seed: u64) -> String {
    let started = jiff::Timestamp::try_from(clock.wall(0)).unwrap_or_default();
    let stamp = started.strftime("%Y%m%d-%H%M%S");
    // Two runs of one second differ in process and seed.
    let salt = (seed ^ u64::from(std::process::id()).wrapping_mul(0x9e37_79b9_7f4a_7c15)) & 0xffff;
    format!("{stamp}-{name}-{salt:04x}")
}

/// RFC 3339, in UTC.
pub(crate) fn started(clock: &Clock) -> String {
    jiff::Timestamp::try_from(clock.wall(0)).unwrap_or_default().to_string()
}

/// The run's directory below `runs`.
pub(crate) fn directory(runs: &Path, id: &str) -> PathBuf {
    runs.join(id)
}

/// A seed for a run that was given none.
pub fn fresh_seed() -> u64 {
    // Short enough to be typed after `--seed`.
    rand::random::<u32>().into()
}
