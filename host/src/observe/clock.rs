//! The run's clock.

use std::time::{Duration, Instant, SystemTime};

/// Nanoseconds since the run's start, on its monotonic clock.
pub type Nanos = u64;

/// One monotonic clock per process stamps everything. Copies tell the same time.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: Instant,
    wall: SystemTime,
}

impl Clock {
    /// Starts a clock at zero.
    pub fn start() -> Self {
        Self { start: Instant::now(), wall: SystemTime::now() }
    }

    /// Time since the start.
    pub fn now(&self) -> Nanos {
        self.at(Instant::now())
    }

    /// A moment of this process on this clock; moments before the start are 0.
    pub fn at(&self, moment: Instant) -> Nanos {
        nanos(moment.saturating_duration_since(self.start))
    }

    /// The process' own name for a moment of this clock, to sleep until.
    pub fn instant(&self, at: Nanos) -> Instant {
        self.start + Duration::from_nanos(at)
    }

    /// The wall clock as it was at the start, moved on by this clock: it never jumps.
    pub fn wall(&self, at: Nanos) -> SystemTime {
        self.wall + Duration::from_nanos(at)
    }
}

/// A duration in nanoseconds; more than 584 years is cut to that.
pub fn nanos(duration: Duration) -> Nanos {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
