//! The fake's log, clock, randomness, metrics and ledger.

pub(crate) mod log {
    use crate::fake::with;
    use crate::log::Level;

    pub(crate) fn write(level: Level, message: &str) {
        let level = match level {
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
        };
        with(|world| world.logged.push(format!("{level}: {message}")));
    }
}

pub(crate) mod clock {
    use crate::clock::{Nanos, WallTime};
    use crate::failure::{Failure, Result};
    use crate::fake::with;

    pub(crate) fn now() -> Nanos {
        with(|world| world.now)
    }

    /// The run began at 2026-01-01T00:00:00Z.
    pub(crate) fn wall() -> WallTime {
        let now = now();
        WallTime { seconds: 1_767_225_600 + now / 1_000_000_000, nanos: (now % 1_000_000_000) as u32 }
    }

    pub(crate) fn sleep(duration: Nanos) -> Result<()> {
        if duration > 60_000_000_000 {
            return Err(Failure::Invalid("a sleep is at most 60 s".to_owned()));
        }
        with(|world| world.now += duration);
        Ok(())
    }
}

pub(crate) mod random {
    use crate::fake::with;

    /// SplitMix64.
    pub(crate) fn next() -> u64 {
        with(|world| {
            world.random = world.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut word = world.random;
            word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            word ^ (word >> 31)
        })
    }

    pub(crate) fn bytes(count: u32) -> Vec<u8> {
        (0..count.min(65_536)).map(|_| next() as u8).collect()
    }
}

pub(crate) mod metrics {
    use crate::fake::record;

    pub(crate) fn check(name: &str, passed: bool) {
        record(format!("metrics.check {name} {passed}"));
    }

    pub(crate) fn count(name: &str, amount: f64) {
        record(format!("metrics.count {name} {amount}"));
    }

    pub(crate) fn trend(name: &str, value: f64) {
        record(format!("metrics.trend {name} {value}"));
    }
}

pub(crate) mod ledger {
    use crate::fake::record;

    pub(crate) fn attempt(key: &str) {
        record(format!("ledger.attempt {key}"));
    }

    pub(crate) fn confirm(key: &str) {
        record(format!("ledger.confirm {key}"));
    }

    pub(crate) fn reject(key: &str) {
        record(format!("ledger.reject {key}"));
    }
}
