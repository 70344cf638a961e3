//! The load generator itself: what it keeps in memory, and what it says when it is at its end.

use std::{
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use crate::{
    plain_config, run, runs,
    support::{
        Running, alone, finish, kill, project, run_directory, server::Server, summary, text, wait_for,
    },
};

/// What a run keeps is bounded by its names and its seconds, not by its requests.
#[test]
fn memory_does_not_grow_with_requests() {
    let _alone = alone();
    let server = Server::start();
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

/// More users than descriptors: what then fails is the generator's own fault, and no pass.
#[test]
fn a_generator_without_descriptors_says_so_and_cannot_pass() {
    let _alone = alone();
    let server = Server::start();
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
    limited.current_dir(project()).env("NO_COLOR", "1");
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
