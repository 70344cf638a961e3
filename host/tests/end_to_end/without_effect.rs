//! Faults that do nothing: a run with such a one proves nothing, and says why.

use std::{path::Path, time::Duration};

use crate::{
    run, runs,
    support::{alone, facts, finish, run_directory, text},
};

const RUN: &str = r#"
name = "without-effect"
environment = "tiny"

[environments.tiny]
kind = "lab"
stack = "tiny.toml"

[plugins.network-partition]
grants = { cluster = ["app in (front, store)"] }

[plugins.pod-kill]
grants = { cluster = ["app=nobody"] }

[[behaviors]]
plugin = "http-get"
think-time = "100ms..200ms"
config = { path = "/hostname" }

[[phases]]
name = "all"
users = 4
duration = "18s"

[steady]
for = "2s"

# What is cut is not what is asked for.
[[faults]]
name = "elsewhere"
plugin = "network-partition"
at = "all+4s"
duration = "4s"
recover-within = "5s"
config = { selector = "name=front-0", peer = "app=store", probe = { peer = "name=front-1", port = 8080 } }

[[faults]]
name = "nobody"
plugin = "pod-kill"
at = "all+10s"
recover-within = "5s"
config = { selector = "app=nobody" }

[[assertions]]
plugin = "recovery"
config = { promises = ["users", "component"] }
"#;

#[test]
fn what_has_no_effect_is_inconclusive_and_says_why() {
    let _alone = alone();
    let (runs, folder) = (runs(), tempfile::tempdir().expect("a folder"));
    let stacks = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stacks");
    for name in ["tiny.toml", "store.sh.j2"] {
        std::fs::copy(stacks.join(name), folder.path().join(name)).expect("copies");
    }
    let path = folder.path().join("run.toml");
    std::fs::write(&path, RUN).expect("writes");
    let output = finish(&mut run(&path.display().to_string(), runs.path()), Duration::from_secs(120));
    let said = text(&output);
    assert_eq!(output.status.code(), Some(4), "{said}");
    let first = "the effect of fault 'elsewhere' was not proven: front-0 still reaches front-1 at ";
    let ended = facts(&run_directory(runs.path()), "run-ended");
    assert!(ended[0]["because"].as_str().is_some_and(|because| because.starts_with(first)), "{said}");
    // Users were served well all along, and still nothing is said for the platform.
    let verdicts = facts(&run_directory(runs.path()), "verdict");
    assert!(verdicts.iter().all(|verdict| verdict["outcome"] == "inconclusive"), "{verdicts:#?}");
    for because in ["still reaches front-1", "it could not aim: not found: none of app=nobody is ready"] {
        let told = |verdict: &&serde_json::Value| {
            verdict["because"].as_str().is_some_and(|told| told.contains(because))
        };
        assert_eq!(verdicts.iter().filter(told).count(), 2, "{because}: {verdicts:#?}");
    }
}
