//! The main job as `make run` runs it: against the reference shop, in a lab of its own.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::{
    run, runs,
    support::{
        alone, facts, fault_changes, finish,
        labs::{handed, labs, walk},
        run_directory, text, wait_for,
    },
};

/// The main job, shortened as `make run` shortens it, in one piece.
#[test]
fn the_main_job_keeps_its_promises_through_a_failover() {
    let _alone = alone();
    let runs = runs();
    let started = Instant::now();
    let before = labs();
    let secrets = std::thread::spawn(move || {
        let lab = wait_for("the lab", Duration::from_secs(60), || {
            labs().difference(&before).find(|name| !name.ends_with(".lock")).cloned()
        });
        secrets_of(&lab)
    });
    let mut command = run("config/vps-6gb.toml", runs.path());
    let output = finish(command.args(["--time-scale", "20"]), Duration::from_secs(420));
    let said = text(&output);
    assert!(started.elapsed() < Duration::from_secs(300), "took {:?}:\n{said}", started.elapsed());
    let directory = run_directory(runs.path());
    let report = std::fs::read_to_string(directory.join("report.md")).expect("a report");
    assert_eq!(output.status.code(), Some(0), "{said}\n{report}");

    // The arithmetic of the quota, computed from the stack.
    for figure in ["111", "75 %", "3350m", "4608Mi"] {
        assert!(report.contains(figure), "{figure} is not in the report:\n{report}");
    }
    // Somebody else took over, and users noticed.
    let steps = fault_changes(&directory, "postgres-primary", "step");
    assert!(steps.iter().any(|step| step["name"] == "promoted"), "{steps:?}");
    let seen = fault_changes(&directory, "postgres-primary", "seen");
    let seen = seen.last().expect("users saw it");
    for by in [&seen["users"][0], &seen["probe"]] {
        let nanos = by["outage"]["ended"].as_u64().unwrap_or_else(|| panic!("an outage that ended: {by}"));
        assert!((1_000_000_000..30_000_000_000).contains(&nanos), "{by}");
    }
    // The audit found every confirmed sale.
    let audits = facts(&directory, "audit");
    let audit = audits.iter().find(|audit| audit["behavior"] == "jewelry-shop").expect("an audit");
    assert!(audit["confirmed"].as_u64() > Some(50), "{audit}");
    assert_eq!((&audit["lost"], &audit["failure"]), (&Value::from(0), &Value::Null), "{audit}");

    let secrets = secrets.join().expect("the lab was looked at from beside it");
    for file in walk(&directory) {
        let text = String::from_utf8_lossy(&std::fs::read(&file).expect("reads")).into_owned();
        for secret in &secrets {
            assert!(!text.contains(secret), "{} holds a secret", file.display());
            assert!(!said.contains(secret), "the terminal shows a secret");
        }
    }
}

/// What the lab made up, read from the files that it hands to its instances while it lives.
fn secrets_of(lab: &str) -> Vec<String> {
    wait_for("the lab's secrets", Duration::from_secs(60), || {
        let of_database = |file| handed(lab, "postgres-0", file);
        let mut secrets = vec![of_database("database-password")?.trim().to_owned()];
        let config = of_database("patroni.yml")?;
        let told = config.lines().filter_map(|line| line.trim().strip_prefix("password: "));
        secrets.extend(told.map(str::to_owned));
        (secrets.iter().all(|secret| secret.len() >= 16)).then_some(secrets)
    })
}
