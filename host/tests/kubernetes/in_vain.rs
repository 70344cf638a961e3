//! Faults that do nothing: whoever is chosen is not there, or the cluster accepts what it does not enforce. Neither
//! may ever look like a platform that withstood them.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    kit::{Stage, until},
    support::{self, finish, image, run_directory, summary, text},
};

/// Load on the cluster's own front, beside which two faults strike in vain.
fn config(stage: &Stage) -> String {
    let (context, namespace) = (&stage.context, &stage.namespace);
    format!(
        r#"
        name = "in-vain"
        environment = "there"

        [environments.there]
        kind = "kubernetes"
        context = "{context}"
        namespace = "{namespace}"
        target = {{ service = "front", via = "node-port" }}

        [plugins.pod-kill]
        grants = {{ cluster = ["app=nobody"] }}

        [plugins.network-partition]
        grants = {{ cluster = ["app in (outside, front)"] }}

        [[behaviors]]
        plugin = "http-get"
        think-time = "200ms"
        config = {{ path = "/hostname" }}

        [[phases]]
        name = "load"
        users = 2
        duration = "30s"

        [steady]
        for = "2s"

        [[faults]]
        name = "nobody"
        plugin = "pod-kill"
        at = "load+4s"
        recover-within = "5s"
        config = {{ selector = "app=nobody" }}

        [[faults]]
        name = "ignored"
        plugin = "network-partition"
        at = "load+8s"
        duration = "20s"
        recover-within = "5s"
        config = {{ selector = "app=outside", peer = "app=front", probe = {{ port = 8080 }} }}

        [[assertions]]
        plugin = "sla"
        config = {{ success-rate = "99%" }}
        "#
    )
}

/// A pod on its node's own network, for which no policy holds anywhere.
fn outside() -> Value {
    let image = image();
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "outside", "labels": { "app": "outside" } },
        "spec": {
            "hostNetwork": true, "terminationGracePeriodSeconds": 1,
            "containers": [{
                "name": "main", "image": image, "imagePullPolicy": "IfNotPresent",
                "command": ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 1000 & wait $!; done"],
            }],
        },
    })
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: make test-kubernetes"]
async fn what_does_nothing_is_inconclusive_and_says_why() {
    let stage = Stage::set().await;
    stage.apply(outside()).await;
    stage.ready().await;
    let pods = stage.api::<k8s_openapi::api::core::v1::Pod>();
    until("the pod outside runs", async || {
        let pod = pods.get("outside").await.expect("it is there");
        pod.status.is_some_and(|status| status.phase.as_deref() == Some("Running"))
    })
    .await;
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("in-vain.toml"), config(&stage)).expect("written");
    let mut command = support::host();
    command.args(["run", "in-vain.toml"]).current_dir(folder.path());
    command.env("XDG_STATE_HOME", folder.path().join("state"));
    let output = finish(&mut command, Duration::from_secs(180));
    let said = text(&output);
    assert_eq!(output.status.code(), Some(4), "{said}");

    let summary = summary(&run_directory(&folder.path().join("runs")));
    assert_eq!(summary["outcome"], "inconclusive", "{said}");
    let fault = |name: &str| {
        let mut faults = summary["faults"].as_array().expect("faults").iter();
        let told =
            faults.find(|told| told["fault"]["name"] == name).unwrap_or_else(|| panic!("{name}: {said}"));
        told["fault"].clone()
    };
    let (nobody, ignored) = (fault("nobody"), fault("ignored"));
    assert_eq!(nobody["struck"], Value::Null, "{nobody}");
    assert!(nobody["because"].as_str().is_some_and(|because| because.contains("app=nobody")), "{nobody}");
    assert_eq!(ignored["effect"], "absent", "{ignored}");
    let probed = ignored["probed"].as_str().expect("what was probed");
    assert!(probed.starts_with("outside still reaches front-"), "{probed}");
    assert!(probed.ends_with("is the policy enforced here?"), "{probed}");
    for reason in [probed, nobody["because"].as_str().unwrap_or_default()] {
        assert!(said.contains(reason), "{reason}: {said}");
    }
    stage.close().await;
}
