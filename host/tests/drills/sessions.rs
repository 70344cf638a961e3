//! Users who were signed in when the session store lost its master: are they still, and if not, how many are not?

use std::{path::Path, time::Duration};

use serde_json::Value;

use crate::{
    Shared, in_the_lab,
    support::{
        SOONER, facts, fault_changes, finish, kept_lab::KeptLab, project, run_directory, summary, text,
    },
};

/// Of the drills' load: each has a session of its own.
const USERS: u64 = 50;

/// And so many the probe has, ten a second each to read and to write.
const PROBE: u64 = 20;

/// Sentinel needs some seconds, and users have all come by in twenty. A machine that is busy with other things fails a
/// request now and then, which is nothing to sessions.
const SHORT: [&str; 2] = ["phases.shopping.duration=55s", "steady.success-rate=80%"];

/// What a drill said of sessions.
struct Told {
    said: String,
    code: Option<i32>,
    steps: Vec<String>,
    /// The verdict's outcome, and how many were lost.
    outcome: Value,
    lost: u64,
    /// Pages that showed during the fault whether a user was signed in: those that did, and those that asked for it anew.
    during: (u64, u64),
}

impl Told {
    fn by(lab: &KeptLab, config: &str, fault: &str) -> Self {
        let runs = tempfile::tempdir().expect("a folder");
        let mut drill = lab.run(config, runs.path());
        drill.args(SOONER.iter().chain(&SHORT).flat_map(|one| ["--set", one]));
        let output = finish(&mut drill, Duration::from_secs(240));
        let (said, directory) = (text(&output), run_directory(runs.path()));
        let verdict = sessions(&directory).unwrap_or_else(|| panic!("sessions were not judged:\n{said}"));
        let lost = verdict["measured"]["count"].as_u64();
        let checks = &summary(&directory)["faults"][0]["checks"][0];
        let count = |of: &str| checks[of].as_u64().unwrap_or_else(|| panic!("no checks: {checks}\n{said}"));
        assert_eq!(checks["name"], "still signed in", "{said}");
        let steps = fault_changes(&directory, fault, "step").into_iter();
        Self {
            code: output.status.code(),
            steps: steps.map(|step| step["name"].as_str().expect("a word").to_owned()).collect(),
            lost: lost.unwrap_or_else(|| panic!("a count: {verdict}\n{said}")),
            outcome: verdict["outcome"].clone(),
            during: (count("passed"), count("failed")),
            said,
        }
    }
}

fn sessions(directory: &Path) -> Option<Value> {
    facts(directory, "verdict").into_iter().find(|verdict| verdict["subject"] == "sessions lost")
}

#[test]
fn users_stay_signed_in_while_the_session_store_fails_over() {
    in_the_lab(|lab| {
        let told = Told::by(lab, "config/drill-redis-failover.toml", "redis-master");
        assert_eq!(told.steps, ["detected", "promoted", "routed"], "{}", told.said);
        assert_eq!((&told.outcome, told.lost), (&Value::from("kept"), 0), "{}", told.said);
        let (still, anew) = told.during;
        assert!(still > USERS && anew == 0, "{still}, {anew}: {}", told.said);
    });
}

/// In a lab of its own, whose stack is another one: in the one that is shared, Redis keeps on disk what it holds.
#[test]
fn every_user_is_counted_whom_an_empty_session_store_has_forgotten() {
    let shared = Shared::lab();
    let _turn = shared.turn();
    let lab = KeptLab::start(&project().join("config/stacks/jewelry-shop-volatile.toml"));
    let told = Told::by(&lab, "config/drill-redis-empty-master.toml", "empty-master");
    assert_eq!(told.steps, ["same-primary-returned"], "{}", told.said);
    assert_eq!((told.code, &told.outcome), (Some(1), &Value::from("broken")), "{}", told.said);
    // Each of them once, and as many of the probe's as it had use for.
    assert!((USERS..=USERS + PROBE).contains(&told.lost), "{} lost: {}", told.lost, told.said);
}
