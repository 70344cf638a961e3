//! Plugins that misbehave, and plugins of other languages, beside one that does its work.

use std::time::Duration;

use crate::{
    plain_config, run, runs,
    support::{alone, facts, finish, guests, project, run_directory, server::Server, summary, text},
};

/// Everything that a plugin can do wrong, all at once and beside a plugin that does its work.
#[test]
fn hostile_plugins_cost_their_own_calls_and_no_more() {
    let _alone = alone();
    let server = Server::start();
    let strange = Server::start_tls();
    let runs = runs();
    let folder = tempfile::tempdir().expect("a folder");
    guests::install("hostile", folder.path());
    guests::install("plain-behavior", folder.path());
    // What each does, the kind of its failure, and how the report names it.
    let misdeeds = [
        ("trap", "trapped", "trapped"),
        ("panic", "panicked", "panicked"),
        ("recurse", "stack-exhausted", "ran out of stack"),
        ("loop", "looped", "computed too long"),
        ("grow", "out-of-memory", "asked for too much memory"),
        ("huge-error", "failed", "returned a failure"),
    ];
    let quiet = ["recurse-then-send", "flood-log"];
    let share = 100 / (misdeeds.len() + quiet.len() + 1);
    let mut config = format!(
        "name = \"misdeeds\"\nenvironment = \"here\"\n[environments.here]\nkind = \"url\"\nurl = \"{}\"\n\
         [plugins.hostile]\npath = \"hostile.wasm\"\ngrants = {{ http = [\"127.0.0.1\"] }}\n\
         limits = {{ busy-timeout = \"500ms\", call-timeout = \"5s\" }}\n\
         [plugins.plain-behavior]\npath = \"plain-behavior.wasm\"\n\
         [[phases]]\nname = \"all\"\nusers = 18\nramp = \"1s\"\nduration = \"8s\"\n",
        server.url()
    );
    let mut rest = 100;
    for misdeed in misdeeds.iter().map(|(misdeed, ..)| *misdeed).chain(quiet) {
        rest -= share;
        config += &format!(
            "[[behaviors]]\nname = \"{misdeed}\"\nplugin = \"hostile\"\nshare = {share}\nthink-time = \"200ms..400ms\"\n\
             config = {{ misdeed = \"{misdeed}\", url = \"https://{}/\", depth = 1000 }}\n",
            strange.address
        );
    }
    config += &format!(
        "[[behaviors]]\nplugin = \"plain-behavior\"\nshare = {rest}\nthink-time = \"100ms..200ms\"\n"
    );
    let path = folder.path().join("run.toml");
    std::fs::write(&path, config).expect("writes");

    let output = finish(&mut run(&path.display().to_string(), runs.path()), Duration::from_secs(120));
    let directory = run_directory(runs.path());
    let report = std::fs::read_to_string(directory.join("report.md")).expect("a report");
    let failures = facts(&directory, "plugin-failed");
    for (misdeed, kind, named) in misdeeds {
        assert!(
            failures.iter().any(|failure| failure["kind"] == kind),
            "{misdeed} is not told: {failures:#?}"
        );
        // Plugin and cause stand in one line.
        let line = report.lines().find(|line| line.contains("hostile") && line.contains(named));
        assert!(line.is_some(), "'{named}' is not in the report:\n{report}");
    }
    let panic = failures.iter().find(|failure| failure["kind"] == "panicked").expect("told above");
    let message = panic["message"].as_str().expect("a text");
    assert!(message.contains(".rs:"), "a panic has its source line: {message}");
    for told in ["lines of its log were dropped", "(tls)"] {
        assert!(report.contains(told), "'{told}' is not in the report:\n{report}");
    }
    // The one that behaves was served all along.
    let totals = summary(&directory);
    assert!(server.requests() > 20, "{}\n{totals:#}", text(&output));
    assert!(report.len() < 1 << 20, "a megabyte of error text is cut: {}", report.len());
}

/// A component built in another language from the same contract, beside one in Rust.
#[test]
fn a_python_behavior_runs_beside_a_rust_one() {
    let _alone = alone();
    let built = project().join("target/guests/python.wasm");
    assert!(built.exists(), "{} is missing: run `make guests`", built.display());
    let server = Server::start();
    let runs = runs();
    let folder = plain_config(&server.url(), "6s");
    std::fs::copy(&built, folder.path().join("python.wasm")).expect("copies");
    let path = folder.path().join("run.toml");
    let config = std::fs::read_to_string(&path).expect("reads");
    let config = config.replace("share = 100", "share = 50")
        + "[plugins.python]\npath = \"python.wasm\"\nlimits = { memory = \"128Mi\" }\n\
           [[behaviors]]\nplugin = \"python\"\nshare = 50\nthink-time = \"100ms..200ms\"\n";
    std::fs::write(&path, config).expect("writes");
    let output = finish(&mut run(&path.display().to_string(), runs.path()), Duration::from_secs(180));
    let directory = run_directory(runs.path());
    let endpoints = facts(&directory, "endpoint");
    for behavior in ["python", "plain-behavior"] {
        let seen = endpoints.iter().any(|endpoint| endpoint["endpoint"]["behavior"] == behavior);
        assert!(seen, "{behavior} sent nothing:\n{}", text(&output));
    }
    assert_eq!(facts(&directory, "plugin-failed").len(), 0, "{}", text(&output));
}
