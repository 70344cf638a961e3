//! Finished runs, judged again by the real binary from nothing but their directories.

mod support;

use std::{path::Path, time::Duration};

use support::{alone, facts, finish, host, project, run_directory, text};

/// Exit code, what is said on standard output, and what beside it.
fn judged(directory: &Path) -> (Option<i32>, String, String) {
    let output = finish(host().arg("judge").arg(directory), Duration::from_secs(60));
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), said(&output.stdout), said(&output.stderr))
}

#[test]
fn a_run_is_judged_again_as_it_was() {
    let _alone = alone();
    let server = support::server::Server::start();
    let folder = tempfile::tempdir().expect("a folder");
    let config = format!(
        "name = \"again\"\nenvironments.here = {{ kind = \"url\", url = \"{}\" }}\n\
         behaviors = [{{ plugin = \"http-get\", think-time = \"10ms\" }}]\n\
         phases = [{{ name = \"all\", users = 2, duration = \"3s\" }}]\n\
         assertions = [\n\
             {{ plugin = \"sla\", requirement = \"7\", config = {{ mean = \"1ns\", success-rate = \"90%\" }} }},\n\
             {{ plugin = \"data-loss\" }},\n\
         ]\n",
        server.url()
    );
    let path = folder.path().join("again.toml");
    std::fs::write(&path, config).expect("written");
    let runs = folder.path().join("runs");
    let mut run = host();
    let first = finish(run.args(["run", "--quiet", "--runs"]).arg(&runs).arg(&path), Duration::from_secs(60));
    let told = text(&first);
    assert_eq!(first.status.code(), Some(1), "{told}");
    // What it was judged by is in the directory, and nothing else is needed.
    std::fs::remove_file(&path).expect("removed");
    let directory = run_directory(&runs);
    let before = std::fs::read(directory.join("events.jsonl")).expect("events");

    let (code, said, beside) = judged(&directory);
    assert_eq!((code, beside.as_str()), (Some(1), ""), "{said}");
    let whole = String::from_utf8_lossy(&first.stdout);
    let (verdict, _report) = whole.split_once("\nreport: ").expect("it says where the report is");
    assert!(said.starts_with("again: FAIL"), "{said}");
    assert_eq!(said, verdict);
    assert_eq!(std::fs::read(directory.join("events.jsonl")).expect("events"), before);
}

/// A run of `config/drill-lost-writes.toml` that lost confirmed writes, as it was recorded.
#[test]
fn the_recorded_loss_is_found_again() {
    let recorded = project().join("host/tests/recorded/drill-lost-writes");
    let (code, said, beside) = judged(&recorded);
    assert_eq!(code, Some(1), "{said}{beside}");
    let lost = |audit: &serde_json::Value| audit["lost"].as_u64().expect("a count");
    let lost: u64 = facts(&recorded, "audit").iter().map(lost).sum();
    assert!(lost > 0 && said.contains("BROKEN") && said.contains("confirmed writes lost"), "{said}");
    // Plugins may have been built anew since, as long as they judge as they did.
    let otherwise: Vec<_> = beside.lines().filter(|line| !line.contains("is another build now")).collect();
    assert_eq!(otherwise, Vec::<&str>::new(), "{said}");
}
