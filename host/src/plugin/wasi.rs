//! WASI with everything denied, for guests whose language cannot do without it.
//!
//! There are no files, arguments, variables, sockets or names to look up; time and randomness are
//! the run's own, or a seed would not mean what it says.

use std::time::{Duration, SystemTime};

use rand::Rng as _;
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtx, WasiCtxBuilder};

use super::{Tenant, output::Output};
use crate::observe::{Clock, Level};

/// A context that denies everything.
pub(crate) fn denied(tenant: &Tenant, instance: u64, output: &Output) -> WasiCtx {
    let mut seeds = tenant.randomness(instance, "wasi-seed");
    let clock = RunClock(tenant.clock());
    WasiCtxBuilder::new()
        .stdout(output.stream(Level::Info))
        .stderr(output.stream(Level::Warn))
        .secure_random(tenant.randomness(instance, "wasi"))
        .insecure_random(tenant.randomness(instance, "wasi-insecure"))
        .insecure_random_seed((u128::from(seeds.next_u64()) << 64) | u128::from(seeds.next_u64()))
        .max_random_size(64 << 10)
        .wall_clock(clock)
        .monotonic_clock(clock)
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false)
        .build()
}

#[derive(Clone, Copy)]
struct RunClock(Clock);

impl HostWallClock for RunClock {
    fn resolution(&self) -> Duration {
        Duration::from_nanos(1)
    }

    fn now(&self) -> Duration {
        let wall = self.0.wall(self.0.now());
        // A machine whose clock stands before 1970 gets 1970.
        wall.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
    }
}

impl HostMonotonicClock for RunClock {
    fn resolution(&self) -> u64 {
        1
    }

    fn now(&self) -> u64 {
        self.0.now()
    }
}
