//! The host is killed at random points of drills, the same in every environment, and `host recover` puts everything
//! back.

use std::{
    env,
    io::Write,
    ops::Range,
    process::Command,
    time::{Duration, Instant},
};

use rand::{RngExt, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

use super::{Running, figures, kill};

/// The shop, somewhere where it outlives runs.
pub(crate) trait Platform {
    /// `host run` of a config.
    fn drill(&self, config: &str) -> Command;

    /// What `host recover` says.
    fn recover(&self) -> String;

    /// What a fault has left in force or a run has left to do, as it is found without asking the host.
    fn in_force(&self) -> Vec<String>;

    /// Waits, with a bound, until everything is ready.
    fn whole(&self);

    /// Everything that is left although `host recover` was there before.
    fn left(&self) -> Vec<String> {
        let again = Some(self.recover()).filter(|said| said != "nothing to do\n");
        let again = again.map(|said| format!("`host recover` found once more: {said}"));
        again.into_iter().chain(self.in_force()).collect()
    }
}

/// A drill, shortened so that what it does is in force a few seconds after its start, and stays so. Together they do
/// whatever must be undone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Drill {
    config: &'static str,
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
    fn settings(&self) -> impl Iterator<Item = &'static str> {
        QUICK.into_iter().chain(self.set.iter().copied()).flat_map(|one| ["--set", one])
    }

    /// Its name, for people.
    fn name(&self) -> &'static str {
        self.config.trim_start_matches("config/").trim_end_matches(".toml")
    }
}

/// Kills drills on a platform, each so long after its start, and asserts that nothing is left of any once `host recover`
/// was there. Every kill is a row of figures.
pub(crate) fn leave_nothing(platform: &impl Platform, drills: &[Drill], within: Range<Duration>) {
    let (mut kills, mut harmful) = (0, 0);
    for (drill, after) in drawn(drills, within) {
        end(platform, drill, after);
        let count = undone(&platform.recover());
        let left = platform.left();
        let recovered = Instant::now();
        platform.whole();
        kills += 1;
        harmful += u32::from(count > 0);
        let second = |time: Duration| format!("{:.1} s", time.as_secs_f64());
        figures::row([
            kills.to_string(),
            drill.name().to_owned(),
            second(after),
            count.to_string(),
            left.len().to_string(),
            second(recovered.elapsed()),
        ]);
        assert_eq!(left, [""; 0], "of {} killed after {after:.1?}", drill.name());
    }
    figures::line(&format!(
        "\n{harmful} of {kills} kills left something to undo; after `host recover` none did."
    ));
    // Three may all come too early; so many cannot.
    assert!(harmful > 0 || kills < 10, "nothing was ever in force");
}

/// Starts a run of a drill and kills it.
fn end(platform: &impl Platform, drill: Drill, after: Duration) {
    let log = tempfile::NamedTempFile::new().expect("a file");
    let file = || log.as_file().try_clone().expect("it is the same file");
    let mut command = platform.drill(drill.config);
    command.args(drill.settings()).stdout(file()).stderr(file());
    let mut run = Running(command.spawn().expect("it starts"));
    std::thread::sleep(after);
    if let Some(status) = run.0.try_wait().expect("it can be asked") {
        let said = std::fs::read_to_string(log.path()).expect("its log");
        panic!("{} ended by itself after {after:.1?}, {status}:\n{said}", drill.name());
    }
    kill(run.0.id(), "KILL");
}

/// Which drill is killed, and how long after its start, as often as `ASSAY_KILLS` says or else three times. The seed
/// is told, and `ASSAY_KILLS_SEED` gives it again.
fn drawn(drills: &[Drill], within: Range<Duration>) -> impl Iterator<Item = (Drill, Duration)> {
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
fn undone(said: &str) -> u32 {
    match said.lines().last().and_then(|line| line.strip_suffix(" undone")) {
        Some(count) => count.parse().unwrap_or_else(|error| panic!("{error}: {said}")),
        None => 0,
    }
}
