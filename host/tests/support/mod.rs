//! What end-to-end tests share: running the real binary, and waiting for a state with a bound.
#![allow(dead_code, reason = "each test binary uses its own part of this")]

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

pub(crate) mod figures;
pub(crate) mod guests;
pub(crate) mod kept_lab;
pub(crate) mod kills;
pub(crate) mod labs;
pub(crate) mod prober;
pub(crate) mod server;

/// Of a drill, sooner and with less around it. What it measures begins with its strike.
pub(crate) const SOONER: [&str; 4] =
    ["faults.0.at=shopping+15s", "phases.shopping.ramp=5s", "phases.shopping.duration=75s", "steady.for=5s"];

/// The folder of the whole project.
pub(crate) fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the host lies in the project").to_owned()
}

/// The binary under test.
pub(crate) fn host() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_host"));
    command.current_dir(project()).env("NO_COLOR", "1").stdin(Stdio::null());
    command
}

/// The image of the pods that tests make on a cluster: one with bash, and busybox or Python.
pub(crate) fn image() -> String {
    std::env::var("ASSAY_TEST_IMAGE").unwrap_or_else(|_| "localhost/jewelry-shop:test".to_owned())
}

/// Says that something could not be tested here, so that a script can count it. Not by `eprintln!`, which the
/// test harness keeps to itself where a test passes.
pub(crate) fn skipped(what: &str, because: &str) {
    writeln!(std::io::stderr(), "\nskipped: {what}: {because}").expect("there is a standard error");
}

/// One at a time: whole runs share the machine's processors with the target that they measure, and
/// what a neighbour takes would show in their figures.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static LAB: Mutex<()> = Mutex::new(());
    LAB.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs to the end, or kills and fails after `at_most`.
pub(crate) fn finish(command: &mut Command, at_most: Duration) -> Output {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts");
    let pid = child.id();
    let (done, waiting) = std::sync::mpsc::channel();
    let waiter = std::thread::spawn(move || {
        let output = child.wait_with_output();
        // The receiver is gone only if the test has already failed.
        let _ = done.send(());
        output
    });
    if waiting.recv_timeout(at_most).is_err() {
        kill(pid, "KILL");
        let output = waiter.join().expect("the waiter ends").expect("the output is there");
        panic!("not finished after {at_most:?}:\n{}", text(&output));
    }
    waiter.join().expect("the waiter ends").expect("the output is there")
}

/// Both streams, for messages.
pub(crate) fn text(output: &Output) -> String {
    format!(
        "status: {:?}\n--- stdout\n{}\n--- stderr\n{}",
        output.status.code(),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// Polls until `state` answers something, and fails with `what` after `at_most`.
pub(crate) fn wait_for<T>(what: &str, at_most: Duration, mut state: impl FnMut() -> Option<T>) -> T {
    let give_up = Instant::now() + at_most;
    loop {
        if let Some(found) = state() {
            return found;
        }
        assert!(Instant::now() < give_up, "waited {at_most:?} in vain for {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Sends a signal to one process.
pub(crate) fn kill(pid: u32, signal: &str) {
    let status = Command::new("kill").args([&format!("-{signal}"), &pid.to_string()]).status();
    assert!(status.expect("kill runs").success(), "no process {pid}");
}

/// A child that does not outlive its test.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself, and then both fail.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The only run directory below `runs`.
pub(crate) fn run_directory(runs: &Path) -> PathBuf {
    let mut entries: Vec<_> = std::fs::read_dir(runs)
        .expect("the runs' folder is there")
        .map(|entry| entry.expect("reads").path())
        .collect();
    assert_eq!(entries.len(), 1, "one run in {}: {entries:?}", runs.display());
    entries.remove(0)
}

/// The machine-readable report of a run.
pub(crate) fn summary(directory: &Path) -> serde_json::Value {
    let text = std::fs::read_to_string(directory.join("summary.json")).expect("the summary is there");
    serde_json::from_str(&text).expect("the summary is JSON")
}

/// All events of a run, one JSON value each.
pub(crate) fn events(directory: &Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(directory.join("events.jsonl")).expect("the events are there");
    text.lines().map(|line| serde_json::from_str(line).expect("an event is JSON")).collect()
}

/// The bodies of all facts of one kind.
pub(crate) fn facts(directory: &Path, kind: &str) -> Vec<serde_json::Value> {
    events(directory).into_iter().filter_map(|mut event| Some(event["fact"].get_mut(kind)?.take())).collect()
}

/// The bodies of all changes of one kind of one fault.
pub(crate) fn fault_changes(directory: &Path, fault: &str, change: &str) -> Vec<serde_json::Value> {
    let changes = facts(directory, "fault").into_iter().filter(|one| one["fault"] == fault);
    changes.filter_map(|mut one| Some(one["change"].get_mut(change)?.take())).collect()
}
