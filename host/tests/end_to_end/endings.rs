//! How runs end before their time, and for what they stay a while longer.

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use crate::{
    plain_config, run, runs,
    support::{
        Running, alone, events, facts, finish, guests, kill,
        labs::{labs, remains},
        run_directory,
        server::Server,
        text, wait_for,
    },
};

#[test]
fn an_unreachable_target_ends_with_its_reason() {
    let _alone = alone();
    let runs = runs();
    let output = finish(
        run("config/smoke.toml", runs.path()).args([
            "--env",
            "local",
            "--set",
            "environments.local.url=http://127.0.0.1:9",
        ]),
        Duration::from_secs(60),
    );
    assert_eq!(output.status.code(), Some(3), "{}", text(&output));
    assert!(text(&output).contains("Connection refused"), "{}", text(&output));
    let ended = facts(&run_directory(runs.path()), "run-ended");
    assert_eq!(ended[0]["outcome"], "not-ready");
}

/// SIGKILL gives no chance to clean up; the lab must end by itself, and all of it.
#[test]
fn a_killed_run_leaves_nothing_behind() {
    let _alone = alone();
    let runs = runs();
    let before = labs();
    let mut child = Running(
        run("config/smoke.toml", runs.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary starts"),
    );
    wait_for("load", Duration::from_secs(90), || {
        let directory = std::fs::read_dir(runs.path()).ok()?.next()?.ok()?.path();
        let told = std::fs::read_to_string(directory.join("events.jsonl")).ok()?;
        told.contains("phase-started").then_some(())
    });
    let now = labs();
    let lab = now.difference(&before).next().expect("the run's lab has a folder");
    assert!(!remains(lab).is_empty(), "what is looked for is there while the lab lives");
    kill(child.0.id(), "KILL");
    child.0.wait().expect("it ends");
    wait_for("everything to be gone", Duration::from_secs(5), || remains(lab).is_empty().then_some(()));
}

#[test]
fn an_interrupted_run_still_reports() {
    let _alone = alone();
    let server = Server::start();
    let runs = runs();
    let folder = plain_config(&server.url(), "60s");
    let child = run(&folder.path().join("run.toml").display().to_string(), runs.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let pid = child.id();
    wait_for("requests", Duration::from_secs(60), || (server.requests() > 5).then_some(()));
    kill(pid, "INT");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(130), "{}", text(&output));
    assert!(run_directory(runs.path()).join("report.md").exists());
}

/// Load that only hurts is not put on to the end.
#[test]
fn the_guard_stops_a_run_whose_requests_fail() {
    let _alone = alone();
    let server = Server::start_failing();
    let runs = runs();
    let folder = plain_config(&server.url(), "60s");
    let path = folder.path().join("run.toml");
    let config = std::fs::read_to_string(&path).expect("reads");
    std::fs::write(&path, config + "[guard]\nerror-rate = \"50%\"\nfor = \"2s\"\n").expect("writes");
    let started = Instant::now();
    let output = finish(&mut run(&path.display().to_string(), runs.path()), Duration::from_secs(60));
    assert_eq!(output.status.code(), Some(5), "{}", text(&output));
    assert!(started.elapsed() < Duration::from_secs(40), "long before its end: {:?}", started.elapsed());
    let directory = run_directory(runs.path());
    assert_eq!(facts(&directory, "run-ended")[0]["outcome"], "aborted");
    assert!(
        facts(&directory, "guard-tripped")[0]["because"].as_str().is_some_and(|why| why.contains("100.0 %"))
    );
}

/// What an assertion can only know after the load, the run settles for, but no longer than it may.
#[test]
fn settling_waits_for_who_needs_it_within_its_bound() {
    let _alone = alone();
    let server = Server::start();
    for (beyond, at_most, settled, outcome) in [("8s", "40s", 8.0..20.0, 0), ("1m", "6s", 6.0..12.0, 4)] {
        let runs = runs();
        let folder = plain_config(&server.url(), "4s");
        guests::install("plain-assertion", folder.path());
        let path = folder.path().join("run.toml");
        let config = std::fs::read_to_string(&path).expect("reads")
            + &format!(
                "[probe]\nplugin = \"plain-behavior\"\nrate = \"5/s\"\n[steady]\nfor = \"2s\"\n\
                 [settle]\nat-most = \"{at_most}\"\n\
                 [plugins.plain-assertion]\npath = \"plain-assertion.wasm\"\n\
                 [[assertions]]\nplugin = \"plain-assertion\"\nconfig = {{ beyond = \"{beyond}\" }}\n"
            );
        std::fs::write(&path, config).expect("writes");
        let output = finish(&mut run(&path.display().to_string(), runs.path()), Duration::from_secs(120));
        let said = text(&output);
        assert_eq!(output.status.code(), Some(outcome), "{said}");
        let events = events(&run_directory(runs.path()));
        let began = |stage: &str| {
            let event = events.iter().find(|event| event["fact"]["stage-started"]["stage"] == stage);
            event.and_then(|event| event["at"].as_u64()).expect("a moment") as f64 / 1e9
        };
        let took = began("audit") - began("settle");
        assert!(settled.contains(&took), "settled for {took} s:\n{said}");
        let gave_up = "no more time to wait for: watched beyond the load; `[settle] at-most` is 6s";
        assert_eq!(said.contains(gave_up), outcome != 0, "{said}");
    }
}
