//! Whole runs of the real binary, against the reference shop in the lab and against small servers.

#[path = "end_to_end/exhaustion.rs"]
mod exhaustion;
#[path = "end_to_end/failovers.rs"]
mod failovers;
#[path = "end_to_end/kept_lab.rs"]
mod kept_lab;
#[path = "end_to_end/kills.rs"]
mod kills;
mod support;

use std::{
    collections::BTreeSet,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use support::{
    Running, alone, events, facts, finish, host, kill,
    labs::{handed, labs, remains, walk},
    run_directory, summary, text, wait_for,
};

/// A folder for a run's directories that tests can look into.
fn runs() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn run(config: &str, runs: &Path) -> Command {
    let mut command = host();
    command.arg("run").arg(config).arg("--runs").arg(runs);
    command
}

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

#[test]
fn a_run_that_does_not_fit_its_quota_starts_nothing() {
    let _alone = alone();
    let runs = runs();
    let output = finish(&mut run("config/vps-4gb.toml", runs.path()), Duration::from_secs(60));
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(text(&output).contains("nothing was started"), "{}", text(&output));
    let directory = run_directory(runs.path());
    assert_eq!(facts(&directory, "instance").len(), 0);
}

#[test]
fn plans_are_made_by_arithmetic_alone() {
    let _alone = alone();
    for (config, code) in
        [("vps-4gb", 1), ("vps-6gb", 0), ("vps-8gb", 0), ("drill-resource-exhaustion", 0), ("extreme", 0)]
    {
        let output = finish(host().arg("plan").arg(format!("config/{config}.toml")), Duration::from_secs(60));
        assert_eq!(output.status.code(), Some(code), "{}", text(&output));
        let plan = String::from_utf8_lossy(&output.stdout);
        // Whether a quota binds depends on the machine.
        insta::with_settings!({ filters => vec![(r" *warning: [A-Za-z]+: not binding[^\n]*\n", "")] }, {
            insta::assert_snapshot!(format!("plan_{config}"), plan);
        });
    }
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
    let server = support::server::Server::start();
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

/// Everything that a plugin can do wrong, all at once and beside a plugin that does its work.
#[test]
fn hostile_plugins_cost_their_own_calls_and_no_more() {
    let _alone = alone();
    let server = support::server::Server::start();
    let strange = support::server::Server::start_tls();
    let runs = runs();
    let folder = tempfile::tempdir().expect("a folder");
    support::guests::install("hostile", folder.path());
    support::guests::install("plain-behavior", folder.path());
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

/// Load that only hurts is not put on to the end.
#[test]
fn the_guard_stops_a_run_whose_requests_fail() {
    let _alone = alone();
    let server = support::server::Server::start_failing();
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

#[test]
fn a_plan_says_what_there_is_no_time_to_see() {
    let arguments = ["--set", "faults.postgres-primary.recover-within=27m"];
    let output =
        finish(host().args(["plan", "config/vps-6gb.toml"]).args(arguments), Duration::from_secs(60));
    assert!(text(&output).contains("its recovery cannot be judged"), "{}", text(&output));
}

/// What a run keeps is bounded by its names and its seconds, not by its requests.
#[test]
fn memory_does_not_grow_with_requests() {
    let _alone = alone();
    let server = support::server::Server::start();
    let runs = runs();
    let mut child = Running(
        run("scripts/bench/get.toml", runs.path())
            .args(["--quiet", "--set", "phases.load.users=50", "--set"])
            .arg(format!("environments.here.url={}", server.url()))
            .stdout(Stdio::null())
            .spawn()
            .expect("the binary starts"),
    );
    wait_for("load", Duration::from_secs(60), || (server.requests() > 1_000).then_some(()));
    let begun = Instant::now();
    let resident = |after: u64| {
        std::thread::sleep(Duration::from_secs(after).saturating_sub(begun.elapsed()));
        resident(child.0.id())
    };
    let (early, late) = (resident(10), resident(60));
    assert!(server.requests() > 100_000, "only {} requests", server.requests());
    assert!(late * 100 <= early * 105, "{early} KiB after 10 s and {late} KiB after a minute");
    kill(child.0.id(), "INT");
    let ended = child.0.wait().expect("it ends");
    assert_eq!(ended.code(), Some(130));
}

/// KiB of a process that are in memory.
fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("the kernel tells");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// Starts by the clock, and a probe beside them: what the server got is what the report says, and the
/// two are apart.
#[test]
fn an_open_phase_and_a_probe_are_counted_apart_and_to_the_request() {
    let _alone = alone();
    let server = support::server::Server::start();
    let runs = runs();
    let folder = plain_config(&server.url(), "4s");
    let path = folder.path().join("run.toml");
    let config =
        std::fs::read_to_string(&path).expect("reads").replace("users = 4\n", "users = 8\nrate = \"50/s\"\n")
            + "[probe]\nplugin = \"plain-behavior\"\nrate = \"5/s\"\n[steady]\nfor = \"2s\"\n";
    std::fs::write(&path, config).expect("writes");

    let plan = finish(host().arg("plan").arg(&path), Duration::from_secs(60));
    let plan = text(&plan);
    assert!(plan.contains("50/s   0s to 4s"), "{plan}");
    assert!(plan.contains("reads at 5/s and writes at 5/s, with 10 users of its own"), "{plan}");

    let output = finish(&mut run(&path.display().to_string(), runs.path()), Duration::from_secs(120));
    let said = text(&output);
    assert!(said.contains("phase all: 50/s"), "{said}");
    let directory = run_directory(runs.path());
    let totals = summary(&directory);
    let requests = |of: &Value| of["requests"].as_u64().expect("a count");
    let intervals = facts(&directory, "interval");
    let sum = |key: &str| -> u64 { intervals.iter().filter_map(|interval| interval[key].as_u64()).sum() };
    // One request a task, and 50 starts a second in 4 s.
    assert_eq!(requests(&totals["load"]["whole"]), 200 - sum("dropped"), "{said}");
    // All that was recorded, settling included. One request asked whether the target is there at all.
    let endpoints = facts(&directory, "endpoint");
    let is_probe = |row: &&Value| {
        endpoints.iter().any(|known| known["index"] == row["endpoint"] && known["endpoint"]["probe"] == true)
    };
    let rows: Vec<Value> =
        intervals.iter().filter_map(|interval| interval["endpoints"].as_array()).flatten().cloned().collect();
    assert!(rows.iter().all(|row| row["failures"] == Value::Array(Vec::new())), "{said}");
    let successes = |row: &Value| row["successes"].as_u64().expect("a count");
    let (recorded, probed): (u64, u64) =
        (rows.iter().map(successes).sum(), rows.iter().filter(is_probe).map(successes).sum());
    assert_eq!(server.requests(), recorded + 1, "{totals:#}");
    // Ten a second for the load's 4 s and the 2 s and more of steady state that settling waits for.
    assert!((60..=120).contains(&probed), "{probed} requests of the probe");
    assert!(intervals.iter().all(|interval| interval["users"].as_u64() <= Some(8)));
    let audits = facts(&directory, "audit");
    let audit = audits.iter().find(|audit| audit["behavior"] == "probe").expect("its writes are audited");
    assert!(audit["attempted"].as_u64() >= Some(30), "{audit}");
    let report = std::fs::read_to_string(directory.join("report.md")).expect("a report");
    assert!(report.lines().any(|line| line.starts_with("| probe ")), "{report}");
}

/// What an assertion can only know after the load, the run settles for, but no longer than it may.
#[test]
fn settling_waits_for_who_needs_it_within_its_bound() {
    let _alone = alone();
    let server = support::server::Server::start();
    for (beyond, at_most, settled, outcome) in [("8s", "40s", 8.0..20.0, 0), ("1m", "6s", 6.0..12.0, 4)] {
        let runs = runs();
        let folder = plain_config(&server.url(), "4s");
        support::guests::install("plain-assertion", folder.path());
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

/// A component built in another language from the same contract, beside one in Rust.
#[test]
fn a_python_behavior_runs_beside_a_rust_one() {
    let _alone = alone();
    let built = support::project().join("target/guests/python.wasm");
    assert!(built.exists(), "{} is missing: run `make guests`", built.display());
    let server = support::server::Server::start();
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

/// More users than descriptors: what then fails is the generator's own fault, and no pass.
#[test]
fn a_generator_without_descriptors_says_so_and_cannot_pass() {
    let _alone = alone();
    let server = support::server::Server::start();
    let runs = runs();
    let folder = plain_config(&server.url(), "3s");
    let path = folder.path().join("run.toml");
    let config = std::fs::read_to_string(&path).expect("reads").replace("users = 4", "users = 60")
        + "[[assertions]]\nplugin = \"sla\"\nconfig = { mean = \"10s\" }\n";
    std::fs::write(&path, config).expect("writes");
    // A hard limit that suffices by far for so many users, and next to nothing left of it: what a
    // look at the limits beforehand cannot see.
    let mut limited = Command::new("bash");
    let script = "ulimit -n 400; for i in {20..369}; do eval \"exec $i</dev/null\"; done; \
                  exec \"$0\" run \"$1\" --runs \"$2\"";
    limited.args(["-c", script, env!("CARGO_BIN_EXE_host")]).arg(&path).arg(runs.path());
    limited.current_dir(support::project()).env("NO_COLOR", "1");
    let output = finish(&mut limited, Duration::from_secs(60));
    let said = text(&output);
    assert_eq!(output.status.code(), Some(4), "{said}");
    let sentence = "times it had no file descriptor, port or memory left for what it should have done";
    assert!(said.contains("the load generator was the bottleneck") && said.contains(sentence), "{said}");
    assert!(
        said.contains("the load generator itself had no file descriptor left: raise `ulimit -n`"),
        "{said}"
    );
    let directory = run_directory(runs.path());
    assert!(summary(&directory)["generator"]["shortages"].as_u64() > Some(0), "{said}");
    let report = std::fs::read_to_string(directory.join("report.md")).expect("a report");
    assert!(report.contains(sentence), "{report}");
}

/// Who gets which row of a feed, as the target sees it.
#[test]
fn users_share_rows_of_data() {
    let _alone = alone();
    let server = support::server::Server::start();
    let words = |order: &str, seed: u64| -> Words {
        let runs = runs();
        let folder = plain_config(&server.url(), "2s");
        let path = folder.path().join("run.toml");
        let config = std::fs::read_to_string(&path).expect("reads");
        let config = format!("seed = {seed}\n{config}config = {{ feed = \"words\" }}\n")
            .replace(
                "path = \"plain-behavior.wasm\"",
                "path = \"plain-behavior.wasm\"\ngrants = { feed = [\"words\"] }",
            )
            .replace("100ms..200ms", "20ms..40ms")
            + &format!("[feeds.words]\npath = \"words.jsonl\"\norder = \"{order}\"\n");
        std::fs::write(&path, config).expect("writes");
        let rows: String = (0..10).map(|number| format!("{{\"word\": \"{number}\"}}\n")).collect();
        std::fs::write(folder.path().join("words.jsonl"), rows).expect("writes");
        server.take_heard();
        let output = finish(&mut run(&path.display().to_string(), runs.path()), Duration::from_secs(60));
        let heard: Vec<_> = server.take_heard().iter().filter_map(|line| user_and_word(line)).collect();
        assert!(heard.len() > 40, "{}", text(&output));
        heard
    };

    // In sequence: every row once before any comes again. Requests overtake each other by at most as
    // many places as there are users.
    let heard = words("sequential", 1);
    for (index, (_, word)) in heard.iter().enumerate() {
        let ahead = (word + 10 - index as u64 % 10) % 10;
        assert!(ahead <= 3 || ahead >= 7, "row {word} came as number {index}: {heard:?}");
    }

    // At random: what a user gets depends on the seed, and on nothing that others do.
    let (first, again, other) = (words("random", 1), words("random", 1), words("random", 2));
    for user in 0..4 {
        let (first, again, other) = (of_user(&first, user), of_user(&again, user), of_user(&other, user));
        let common = first.len().min(again.len()).min(other.len());
        assert!(common >= 5, "user {user} read {common} rows");
        assert_eq!(first[..common], again[..common], "user {user}");
        assert_ne!(first[..common], other[..common], "user {user}");
    }

    // Uniquely: one row each, and no two the same.
    let heard = words("unique", 1);
    let pairs: BTreeSet<_> = heard.iter().copied().collect();
    assert_eq!(pairs, BTreeSet::from([(0, 0), (1, 1), (2, 2), (3, 3)]));
}

/// What each request told: its user and its word.
type Words = Vec<(u64, u64)>;

fn user_and_word(line: &str) -> Option<(u64, u64)> {
    let (_, rest) = line.split_once("?user=")?;
    let (user, rest) = rest.split_once("&word=")?;
    Some((user.parse().ok()?, rest.split(' ').next()?.parse().ok()?))
}

fn of_user(words: &Words, user: u64) -> Vec<u64> {
    words.iter().filter(|(of, _)| *of == user).map(|(_, word)| *word).collect()
}

/// A config with one well-behaved behavior against a URL.
fn plain_config(url: &str, duration: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    support::guests::install("plain-behavior", folder.path());
    let config = format!(
        "name = \"plain\"\nenvironment = \"here\"\n[environments.here]\nkind = \"url\"\nurl = \"{url}\"\n\
         [plugins.plain-behavior]\npath = \"plain-behavior.wasm\"\n\
         [[phases]]\nname = \"all\"\nusers = 4\nduration = \"{duration}\"\n\
         [[behaviors]]\nplugin = \"plain-behavior\"\nshare = 100\nthink-time = \"100ms..200ms\"\n"
    );
    std::fs::write(folder.path().join("run.toml"), config).expect("writes");
    folder
}

/// The bodies of all changes of one kind of one fault.
fn fault_changes(directory: &Path, fault: &str, change: &str) -> Vec<Value> {
    let changes = facts(directory, "fault").into_iter().filter(|one| one["fault"] == fault);
    changes.filter_map(|mut one| Some(one["change"].get_mut(change)?.take())).collect()
}
