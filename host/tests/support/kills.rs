//! Drills that are killed at random points, the same in every environment.

use std::{env, io::Write, ops::Range, time::Duration};

use rand::{RngExt, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

use super::figures;

/// A drill, shortened so that what it does is in force a few seconds after its start, and stays so. Together they do
/// whatever must be undone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Drill {
    pub(crate) config: &'static str,
    /// For `--set`.
    set: &'static [&'static str],
}

/// What all have in common: few users, and steady soon.
const QUICK: [&str; 3] = ["phases.0.users=20", "phases.0.ramp=2s", "steady.for=2s"];

pub(crate) const PARTITION: Drill = Drill {
    config: "config/drill-network-partition.toml",
    set: &["faults.0.at=shopping+4s", "faults.0.duration=60s"],
};
pub(crate) const DRAIN: Drill = Drill {
    config: "config/drill-node-drain.toml",
    set: &["faults.0.at=shopping+4s", "faults.0.duration=60s"],
};
pub(crate) const POWER: Drill = Drill {
    config: "config/drill-node-failure.toml",
    set: &["faults.0.at=shopping+4s", "faults.0.duration=60s"],
};
pub(crate) const CRASH: Drill = Drill {
    config: "config/drill-postgres-failover.toml",
    set: &["faults.0.at=shopping+4s", "faults.0.duration=60s"],
};
pub(crate) const FREEZE: Drill = Drill {
    config: "config/drill-redis-failover.toml",
    set: &["faults.0.at=shopping+4s", "faults.0.duration=60s", "faults.0.config.manner=freeze"],
};
pub(crate) const EXHAUSTION: Drill = Drill {
    config: "config/drill-resource-exhaustion.toml",
    set: &["faults.0.at=shopping+4s", "faults.0.duration=60s"],
};
pub(crate) const QUOTA: Drill = Drill { config: "config/vps-6gb.toml", set: &["faults.0.at=light+4s"] };

impl Drill {
    /// As arguments of `host run`.
    pub(crate) fn settings(&self) -> impl Iterator<Item = &'static str> {
        QUICK.into_iter().chain(self.set.iter().copied()).flat_map(|one| ["--set", one])
    }

    /// Its name, for people.
    pub(crate) fn name(&self) -> &'static str {
        self.config.trim_start_matches("config/").trim_end_matches(".toml")
    }
}

/// Which drill is killed, and how long after its start, as often as `ASSAY_KILLS` says or else three times. The seed
/// is told, and `ASSAY_KILLS_SEED` gives it again.
pub(crate) fn drawn(drills: &[Drill], within: Range<Duration>) -> impl Iterator<Item = (Drill, Duration)> {
    let seed = match env::var("ASSAY_KILLS_SEED") {
        Ok(seed) => seed.parse().expect("ASSAY_KILLS_SEED is a number"),
        Err(_) => rand::random::<u32>().into(),
    };
    let rounds = figures::rounds("ASSAY_KILLS", 3);
    // Not by `eprintln!`, which the test harness keeps to itself where a test passes.
    writeln!(std::io::stderr(), "\n{rounds} kills: ASSAY_KILLS_SEED={seed}")
        .expect("there is a standard error");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut order = drills.to_vec();
    order.shuffle(&mut random);
    // One after the other, so that few rounds are of different drills.
    order
        .into_iter()
        .cycle()
        .take(rounds as usize)
        .map(move |drill| (drill, random.random_range(within.clone())))
}

/// How much `host recover` says it has undone.
pub(crate) fn undone(said: &str) -> u32 {
    match said.lines().last().and_then(|line| line.strip_suffix(" undone")) {
        Some(count) => count.parse().unwrap_or_else(|error| panic!("{error}: {said}")),
        None => 0,
    }
}
