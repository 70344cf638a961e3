//! The host is killed at random points of drills, and `host recover` puts everything back.

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use crate::{
    kept_lab::KeptLab,
    support::{
        Running, alone, figures, kill,
        kills::{CRASH, DRAIN, Drill, EXHAUSTION, FREEZE, PARTITION, POWER, QUOTA, drawn, undone},
        project,
    },
};

const DRILLS: [Drill; 7] = [CRASH, DRAIN, EXHAUSTION, FREEZE, PARTITION, POWER, QUOTA];

/// From before anything was done until long after the strike. A drill gets there in some eight seconds.
const WITHIN: std::ops::Range<Duration> = Duration::ZERO..Duration::from_secs(24);

/// What is brought back has to find its place again: a database that was the primary follows the new one.
const READY_AGAIN: Duration = Duration::from_secs(120);

#[test]
fn drills_killed_at_random_points_leave_nothing_in_force() {
    let _alone = alone();
    let lab = KeptLab::start(&project().join("config/stacks/jewelry-shop.toml"));
    let mut harmful = 0;
    let mut kills = 0;
    for (drill, after) in drawn(&DRILLS, WITHIN) {
        kills += 1;
        let count = killed(&lab, drill, after);
        harmful += u32::from(count > 0);
        let left = lab.in_force();
        let recovered = Instant::now();
        lab.ready(READY_AGAIN);
        let ready = format!("{:.1} s", recovered.elapsed().as_secs_f64());
        let after = format!("{:.1} s", after.as_secs_f64());
        figures::row([
            kills.to_string(),
            drill.name().to_owned(),
            after.clone(),
            count.to_string(),
            left.len().to_string(),
            ready,
        ]);
        assert_eq!(left, [""; 0], "of {} killed after {after}", drill.name());
    }
    figures::line(&format!(
        "\n{harmful} of {kills} kills left something to undo; after `host recover` none did."
    ));
    // Three may all come too early; so many cannot.
    assert!(harmful > 0 || kills < 10, "nothing was ever in force");
}

/// Kills a run of a drill so long after its start, recovers, and says how much was undone.
fn killed(lab: &KeptLab, drill: Drill, after: Duration) -> u32 {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log");
    let mut command = lab.run(drill.config, &folder.path().join("runs"));
    let file = std::fs::File::create(&log).expect("a file");
    let same = file.try_clone().expect("it can be written to twice");
    command.args(drill.settings()).stdout(same).stderr(file);
    let mut run = Running(command.spawn().expect("it starts"));
    std::thread::sleep(after);
    if let Some(status) = run.0.try_wait().expect("it can be asked") {
        let said = std::fs::read_to_string(log).expect("its log");
        panic!("{} ended by itself, {status}: {said}", drill.name());
    }
    kill(run.0.id(), "KILL");
    drop(run);
    undone(&lab.recover())
}
