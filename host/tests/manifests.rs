//! What `host manifests` prints, with the real binary and the configs that are handed out. None of it needs
//! a cluster.

mod support;

use std::time::Duration;

use serde_json::Value;
use support::{finish, text};

fn manifests(arguments: &[&str]) -> std::process::Output {
    finish(support::host().arg("manifests").args(arguments), Duration::from_secs(120))
}

#[test]
fn a_job_carries_the_config_and_all_that_it_includes() {
    let options = ["--set", "phases.smoke.users=5", "--time-scale", "4", "--seed", "7"];
    let printed = manifests(&[&["job", "config/smoke.toml", "--env", "k3d"], options.as_slice()].concat());
    assert!(printed.status.success(), "{}", text(&printed));
    let printed = String::from_utf8(printed.stdout).expect("UTF-8");
    let objects: Vec<Value> = printed
        .split("---\n")
        .filter(|document| !document.is_empty())
        .map(|document| serde_saphyr::from_str(document).expect("YAML"))
        .collect();
    let of_kind = |kind: &str| objects.iter().find(|object| object["kind"] == kind).expect(kind);
    assert!(objects.iter().all(|object| object["metadata"]["namespace"] == "jewelry-shop"), "{printed}");
    for file in ["smoke.toml", "environments.toml"] {
        let written = std::fs::read_to_string(support::project().join("config").join(file)).expect("read");
        assert_eq!(of_kind("ConfigMap")["data"][file], written);
    }
    let container = &of_kind("Job")["spec"]["template"]["spec"]["containers"][0];
    let arguments: Vec<_> =
        container["args"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    let expected = ["run", "/config/smoke.toml", "--env", "k3d"].into_iter().chain(options);
    assert_eq!(arguments, expected.chain(["--runs", "/results"]).collect::<Vec<_>>());
    // The account may do what `manifests role` says, and no more.
    let role = manifests(&["role", "config/smoke.toml", "--env", "k3d"]);
    let role = String::from_utf8(role.stdout).expect("UTF-8");
    let role: Value = serde_saphyr::from_str(role.split("---\n").nth(1).expect("a Role")).expect("YAML");
    assert_eq!(of_kind("Role")["rules"], role["rules"]);
}

#[test]
fn what_cannot_run_inside_a_cluster_is_refused() {
    let refused = |arguments: &[&str]| {
        let output = manifests(&[&["job"], arguments].concat());
        assert_eq!(
            (output.status.code(), output.stdout.as_slice()),
            (Some(2), [].as_slice()),
            "{}",
            text(&output)
        );
        String::from_utf8(output.stderr).expect("UTF-8")
    };
    let all = [
        refused(&["config/smoke.toml", "--env", "local"]),
        refused(&["config/smoke.toml", "--env", "k3d", "--schedule", "every night"]),
        refused(&["config/smoke.toml", "--env", "k3d", "--results-size", "much"]),
        refused(&[
            "config/smoke.toml",
            "--env",
            "k3d",
            "--set",
            "credentials.db={ user = \"me\", password = { env = \"DB_PASSWORD\" } }",
        ]),
    ];
    insta::assert_snapshot!(all.join("--\n"));
}
