//! Load as its target sees it, to the request.

use std::{collections::BTreeSet, time::Duration};

use serde_json::Value;

use crate::{
    plain_config, run, runs,
    support::{alone, facts, finish, host, run_directory, server::Server, summary, text},
};

/// Starts by the clock, and a probe beside them: what the server got is what the report says, and the
/// two are apart.
#[test]
fn an_open_phase_and_a_probe_are_counted_apart_and_to_the_request() {
    let _alone = alone();
    let server = Server::start();
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

/// Who gets which row of a feed, as the target sees it.
#[test]
fn users_share_rows_of_data() {
    let _alone = alone();
    let server = Server::start();
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
