//! What an instance works with, used up for real and given back: the scripts that do it run in a lab's instances.

use std::{path::Path, time::Duration};

use crate::{
    run, runs,
    support::{alone, facts, fault_changes, finish, run_directory, text},
};

const RUN: &str = r#"
name = "used-up"
environment = "tiny"

[environments.tiny]
kind = "lab"
stack = "tiny.toml"

[plugins.resource-exhaustion]
grants = { cluster = ["app=store"] }

[[behaviors]]
plugin = "http-get"
think-time = "100ms..200ms"
config = { path = "/hostname" }

[[phases]]
name = "all"
users = 4
duration = "60s"

[steady]
for = "2s"

[[faults]]
name = "cpu"
plugin = "resource-exhaustion"
at = "all+4s"
duration = "8s"
recover-within = "15s"
config = { selector = "app=store", resource = "cpu" }

[[faults]]
name = "disk"
plugin = "resource-exhaustion"
after = "cpu"
duration = "4s"
recover-within = "10s"
config = { selector = "app=store", resource = "disk", disk = { path = "/scratch", at-most = "2Mi" } }

[[faults]]
name = "memory"
plugin = "resource-exhaustion"
after = "disk"
recover-within = "30s"
config = { selector = "app=store", resource = "memory" }

[[assertions]]
plugin = "recovery"
config = { promises = ["component"] }
"#;

/// The tiny stack, in which so little processor time is allowed that a busy machine has it, too.
fn stack(folder: &Path) {
    let stacks = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stacks");
    let tiny = std::fs::read_to_string(stacks.join("tiny.toml")).expect("reads");
    let tiny = tiny.replace("limits = { cpu = \"500m\"", "limits = { cpu = \"250m\"");
    std::fs::write(folder.join("tiny.toml"), tiny).expect("writes");
    std::fs::copy(stacks.join("store.sh.j2"), folder.join("store.sh.j2")).expect("copies");
}

#[test]
fn what_is_used_up_shows_and_is_given_back() {
    let _alone = alone();
    let (runs, folder) = (runs(), tempfile::tempdir().expect("a folder"));
    stack(folder.path());
    let path = folder.path().join("run.toml");
    std::fs::write(&path, RUN).expect("writes");
    let output = finish(&mut run(&path.display().to_string(), runs.path()), Duration::from_secs(180));
    let said = text(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let directory = run_directory(runs.path());
    for (fault, shown) in [
        ("cpu", "m of 250m"),
        ("disk", "/scratch of store-0 takes nothing more: No space left on device"),
        ("memory", "store-0 was started anew since: it was left no memory"),
    ] {
        let effects = fault_changes(&directory, fault, "effect");
        let last = effects.last().unwrap_or_else(|| panic!("{fault} shows nothing:\n{said}"));
        assert_eq!(last["bite"], "proven", "{fault}: {last}");
        let probed = last["probed"].as_str().expect("a text");
        assert!(probed.contains(shown), "{fault}: {probed}");
        assert!(said.contains(&format!("fault {fault}: reverted")), "{said}");
    }
    let killed = facts(&directory, "instance");
    assert!(killed.iter().any(|change| change["change"] == "oom-killed"), "{said}");
}
