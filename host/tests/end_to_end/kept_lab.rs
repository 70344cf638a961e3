//! A lab that somebody keeps up outlives the runs in it, and what they changed with it.

use std::{path::Path, process::Stdio, time::Duration};

use crate::support::{Running, alone, guests, kept_lab::KeptLab, kill, kills::Platform, wait_for};

#[test]
fn what_a_killed_run_left_in_a_kept_up_lab_is_undone_from_any_folder() {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a folder");
    let stacks = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stacks");
    for name in ["tiny.toml", "store.sh.j2"] {
        std::fs::copy(stacks.join(name), folder.path().join(name)).expect("copied");
    }
    guests::install("plain-fault", folder.path());
    let config = r#"
        name = "kept"
        environments.here = { kind = "lab", stack = "tiny.toml" }
        plugins.plain-fault = { path = "plain-fault.wasm", grants = { cluster = ["app=front"] } }
        behaviors = [{ plugin = "http-get", config = { path = "/hostname" } }]
        phases = [{ name = "load", users = 2, duration = "5m" }]
        [[faults]]
        name = "cut"
        plugin = "plain-fault"
        at = "load+11s"
        recover-within = "4m"
        config = { selector = "name=front-1", action = "crash-and-hold" }
    "#;
    std::fs::write(folder.path().join("kept.toml"), config).expect("written");
    let lab = KeptLab::start(&folder.path().join("tiny.toml"));
    let soon = Duration::from_secs(40);
    // All that is said of a run's place is relative to where it was called.
    let mut run = lab.host(&["run", "kept.toml", "--quiet"]);
    run.current_dir(folder.path()).stdout(Stdio::null()).stderr(Stdio::null());
    let run = Running(run.spawn().expect("it starts"));
    wait_for("the strike", soon, || lab.status("front-1").contains("held").then_some(()));
    kill(run.0.id(), "KILL");
    drop(run);
    let said = lab.recover();
    assert!(said.contains("'front-1' released") && said.contains("2 undone"), "{said}");
    wait_for("it to come back", soon, || lab.status("front-1").contains(" ready ").then_some(()));
    assert_eq!(lab.recover(), "nothing to do\n");
}
