//! Time, as the run knows it. `std::time` does not work in a guest.

use std::time::Duration;

pub use crate::bindings::imports::clock::WallTime;
pub use crate::bindings::imports::types::Nanos;
use crate::failure::Result;
use crate::host;

/// Nanoseconds on the run's one monotonic clock; 0 is the run's start.
pub fn now() -> Nanos {
    host::clock::now()
}

/// The time of day. It never jumps: it was read once, at the run's start, and moves on by the run's
/// clock.
pub fn wall() -> WallTime {
    host::clock::wall()
}

/// Waits, at most 60 s a call.
///
/// # Errors
///
/// `timed-out` if the calling export's deadline comes first, `invalid` beyond 60 s.
pub fn sleep(duration: Duration) -> Result<()> {
    host::clock::sleep(nanos(duration))
}

/// A duration as the contract has it; one beyond 584 years is cut.
pub fn nanos(duration: Duration) -> Nanos {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
