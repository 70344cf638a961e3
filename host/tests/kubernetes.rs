//! A real cluster, and what is done to it. `make test-kubernetes` runs these against whatever `KUBECONFIG`
//! points at, if that is a test cluster. They need an image with bash, and busybox or
//! Python (`ASSAY_TEST_IMAGE`; the reference shop's own unless given); what only a cluster's own tools can do
//! they do by the commands in `ASSAY_KUBE_NODE` and `ASSAY_KUBE_COMPONENT`.

mod conformance;
#[path = "kubernetes/kit.rs"]
mod kit;
mod support;

use std::{process::Stdio, time::Duration};

use assay::{
    environment::{
        Direction, Environment, EnvironmentError, Inverse, Manner, ObjectReference,
        kubernetes::{Kubernetes, RUN_LABEL},
    },
    observe::{Clock, Fact, InstanceEvent, Stream},
};
use conformance::{Traits, conforms};
use k8s_openapi::api::{
    coordination::v1::Lease,
    core::v1::{ConfigMap, Pod},
    networking::v1::NetworkPolicy,
};
use kit::{Stage, power_commands, until};
use kube::{
    ResourceExt,
    api::{DeleteParams, ListParams},
};
use serde_json::{Value, json};
use support::{Running, events, finish, kill, run_directory, summary, text};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: make test-kubernetes"]
async fn a_cluster_does_what_every_environment_must() {
    let stage = Stage::set().await;
    let environment = stage.environment("conformance").await;
    let power = power_commands().is_some();
    conforms(&environment, Traits { patience: Duration::from_secs(120), power }).await;
    environment.close().await.expect("closed");
    stage.close().await;
}

/// What the watches tell of the life of one instance.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: make test-kubernetes"]
async fn what_happens_is_told_once_as_it_happens() {
    let stage = Stage::set().await;
    let stream = Stream::new(Clock::start());
    let mut told = stream.subscribe();
    let environment = stage.environment_telling("watching", stream).await;
    let all = environment.instances(&"app=front".parse().expect("a selector")).await.expect("instances");
    let (victim, uid) = (&all[0].name, &all[0].uid);
    environment.terminate(victim, uid, Manner::Crash, false).await.expect("it crashes");
    let (mut life, mut replicas) = (Vec::new(), Vec::new());
    until("it is ready again, and its workload has two", async || {
        while let Ok(event) = told.try_recv() {
            match &event.fact {
                Fact::Instance(change) if change.instance == *victim => life.push(change.change),
                Fact::Replicas { workload, desired, ready, .. } if workload == "front" => {
                    replicas.push((*desired, *ready));
                }
                _ => {}
            }
        }
        life.contains(&InstanceEvent::Ready) && replicas.last() == Some(&(2, 2))
    })
    .await;
    let lives: Vec<_> = life.iter().filter(|change| **change != InstanceEvent::NotReady).collect();
    assert_eq!(lives, [&InstanceEvent::Exited, &InstanceEvent::Started, &InstanceEvent::Ready], "{life:?}");
    assert!(replicas.contains(&(2, 1)), "{replicas:?}");
    environment.close().await.expect("closed");
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: make test-kubernetes"]
async fn a_cut_that_another_policy_would_undo_is_refused() {
    let stage = Stage::set().await;
    let environment = stage.environment("cutting").await;
    let policy = json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": { "name": "open" },
        "spec": { "podSelector": { "matchLabels": { "app": "front" } }, "ingress": [{}] },
    });
    stage.apply(policy).await;
    let victims = "app=front".parse().expect("a selector");
    let refused = environment.isolate("cut", &victims, None, Direction::Both).await;
    let refused = refused.expect_err("it would have no effect").to_string();
    assert!(refused.starts_with("NetworkPolicy 'open' allows traffic of 'front-"), "{refused}");
    environment.close().await.expect("closed");
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: make test-kubernetes"]
async fn raw_objects_are_changed_and_given_back() {
    let stage = Stage::set().await;
    let environment = stage.environment("objects").await;
    let object = |api_version: &str, kind: &str, name: &str| ObjectReference {
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
        name: name.to_owned(),
    };
    let objects = environment.objects().expect("a cluster has objects");
    let map = object("v1", "ConfigMap", "made");
    let new = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "made" }, "data": { "a": "1" } });
    let made = objects.create(&new).await.expect("created");
    assert_eq!(made["metadata"]["labels"][RUN_LABEL], "objects");
    let taken = objects.create(&new).await;
    assert!(matches!(taken, Err(EnvironmentError::Conflict(_))), "{taken:?}");
    let patched = objects.patch(&map, &json!({ "data": { "a": null, "b": "2" } })).await.expect("patched");
    assert_eq!(patched["data"], json!({ "b": "2" }));
    let before = Inverse::Patch { object: map.clone(), before: json!({ "data": { "a": "1", "b": null } }) };
    environment.undo(&before).await.expect("given back");
    assert_eq!(objects.get(&map).await.expect("it is there")["data"], json!({ "a": "1" }));
    let found =
        objects.find(&object("apps/v1", "Deployment", ""), &"app=front".parse().expect("a selector")).await;
    assert_eq!(found.expect("found").len(), 1);
    environment.undo(&Inverse::Delete { object: map.clone() }).await.expect("deleted");
    environment.undo(&Inverse::Delete { object: map.clone() }).await.expect("deleted twice is fine");
    assert!(matches!(objects.get(&map).await, Err(EnvironmentError::NotFound(_))));
    // What somebody else made under the same name is left alone.
    stage.apply(new.clone()).await;
    environment.undo(&Inverse::Delete { object: map.clone() }).await.expect("nothing to delete");
    assert!(objects.get(&map).await.is_ok());
    let node = objects.get(&object("v1", "Node", "any")).await;
    assert!(matches!(node, Err(EnvironmentError::Unsupported(_))), "{node:?}");
    environment.close().await.expect("closed");
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: make test-kubernetes"]
async fn a_second_run_is_kept_out() {
    let stage = Stage::set().await;
    let first = stage.environment("first").await;
    let second =
        Kubernetes::reach(&stage.config(), Stream::new(Clock::start())).await.expect("it is reached");
    let refused = second.claim("second").await.expect_err("it is taken").to_string();
    assert_eq!(refused, format!("run 'first' holds namespace '{}': one run at a time", stage.namespace));
    first.close().await.expect("closed");
    second.claim("second").await.expect("it is free");
    second.close().await.expect("closed");
    assert!(stage.api::<Lease>().get_opt("assay").await.expect("asked").is_none());
    stage.close().await;
}

/// Load on the cluster's own front, with one fault.
fn config(stage: &Stage, action: &str, at: &str) -> String {
    let (context, namespace) = (&stage.context, &stage.namespace);
    format!(
        r#"
        name = "there"

        [environments.there]
        kind = "kubernetes"
        context = "{context}"
        namespace = "{namespace}"
        target = {{ service = "front", via = "node-port" }}
        allow = ["nodes"]
        faults.cut.config = {{ selector = "app=store", action = "{action}" }}

        [plugins.plain-fault]
        path = "plain-fault.wasm"
        grants = {{ cluster = ["", "tier=data"] }}

        [[behaviors]]
        plugin = "http-get"
        think-time = "200ms"
        config = {{ path = "/hostname" }}

        [[phases]]
        name = "load"
        users = 5
        duration = "40s"

        [[faults]]
        name = "cut"
        plugin = "plain-fault"
        at = "load+{at}"
        recover-within = "10s"
        config = {{ selector = "app=nobody", action = "nothing" }}

        [[assertions]]
        plugin = "sla"
        config = {{ success-rate = "99%", span = "outside-faults" }}
        "#
    )
}

/// A folder with such a config and its plugin, where runs and state lie, too.
fn folder(stage: &Stage, action: &str, at: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    support::guests::install("plain-fault", folder.path());
    std::fs::write(folder.path().join("there.toml"), config(stage, action, at)).expect("written");
    folder
}

fn host(folder: &tempfile::TempDir, arguments: &[&str]) -> std::process::Command {
    let mut command = support::host();
    command.args(arguments).current_dir(folder.path()).env("XDG_STATE_HOME", folder.path().join("state"));
    command
}

/// The config says that the fault does nothing to nobody; the environment swaps that for a crash.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: make test-kubernetes"]
async fn a_run_from_outside_finds_its_target_and_passes() {
    let stage = Stage::set().await;
    stage.ready().await;
    let folder = folder(&stage, "crash-and-hold", "12s");
    let planned = finish(&mut host(&folder, &["plan", "there.toml"]), Duration::from_secs(60));
    let said = text(&planned);
    assert!(planned.status.success() && said.contains("store-0"), "{said}");
    let output = finish(&mut host(&folder, &["run", "there.toml"]), Duration::from_secs(180));
    let said = text(&output);
    let summary = summary(&run_directory(&folder.path().join("runs")));
    // On a machine that is busy with other things the verdict is that nothing can be said.
    let held_back = summary["generator"]["bottleneck"] == true;
    assert_eq!(output.status.code(), Some(if held_back { 4 } else { 0 }), "{said}");
    assert_eq!(summary["promises"][0]["outcome"], "kept", "{said}");
    assert_eq!(summary["faults"][0]["fault"]["effect"], "proven", "{said}");
    assert!(summary["load"]["whole"]["requests"].as_u64() > Some(300), "{said}");
    // Nothing of the run is left.
    assert!(stage.api::<Lease>().get_opt("assay").await.expect("asked").is_none());
    let pods = stage.api::<Pod>().list(&ListParams::default()).await.expect("pods");
    assert!(pods.items.iter().all(|pod| pod.finalizers().is_empty()), "{:?}", pods.items);
    assert!(left_of_runs(&stage).await.is_empty());
    stage.close().await;
}

/// ConfigMaps and NetworkPolicies with a run's label.
async fn left_of_runs(stage: &Stage) -> Vec<String> {
    let labelled = ListParams::default().labels(RUN_LABEL);
    let maps = stage.api::<ConfigMap>().list(&labelled).await.expect("config maps");
    let policies = stage.api::<NetworkPolicy>().list(&labelled).await.expect("policies");
    maps.items
        .iter()
        .map(ResourceExt::name_any)
        .chain(policies.items.iter().map(ResourceExt::name_any))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: make test-kubernetes"]
async fn what_a_killed_run_left_is_undone_from_any_folder() {
    let stage = Stage::set().await;
    stage.ready().await;
    let other = json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": { "name": "other" },
        "spec": { "podSelector": { "matchLabels": { "app": "nobody" } } },
    });
    stage.apply(other).await;
    let folder = folder(&stage, "isolate", "12s");
    let mut command = host(&folder, &["run", "there.toml", "--quiet"]);
    let running = Running(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts"));
    until("its policy is there", async || left_of_runs(&stage).await.len() == 2).await;
    // While it lives, recovery leaves it alone.
    let recover = |folder: &tempfile::TempDir| {
        let mut command = host(folder, &["recover", "--env", "there"]);
        finish(command.current_dir("/"), Duration::from_secs(60))
    };
    let busy = recover(&folder);
    assert!(text(&busy).contains("still goes on"), "{}", text(&busy));
    assert_eq!(left_of_runs(&stage).await.len(), 2);
    kill(running.0.id(), "KILL");
    drop(running);
    // Another run does not build upon what is left.
    let refused = finish(&mut host(&folder, &["run", "there.toml", "--quiet"]), Duration::from_secs(90));
    assert_eq!(refused.status.code(), Some(3), "{}", text(&refused));
    assert!(text(&refused).contains("`host recover` undoes it"), "{}", text(&refused));

    let recovered = recover(&folder);
    let said = text(&recovered);
    assert!(recovered.status.success() && said.contains("healed") && said.contains("2 undone"), "{said}");
    assert_eq!(left_of_runs(&stage).await, [""; 0]);
    assert!(stage.api::<NetworkPolicy>().get_opt("other").await.expect("asked").is_some());
    assert!(stage.api::<Lease>().get_opt("assay").await.expect("asked").is_none());
    let again = recover(&folder);
    assert!(again.status.success() && text(&again).contains("nothing to do"), "{}", text(&again));
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: make test-kubernetes"]
async fn an_account_that_lacks_a_right_is_refused_before_any_change() {
    let stage = Stage::set().await;
    stage.ready().await;
    let folder = folder(&stage, "drain", "12s");
    let printed = finish(&mut host(&folder, &["manifests", "role", "there.toml"]), Duration::from_secs(60));
    assert!(printed.status.success(), "{}", text(&printed));
    let role = String::from_utf8(printed.stdout).expect("UTF-8");
    assert!(role.contains("pods/eviction"), "{role}");
    let kubeconfig = folder.path().join("kubeconfig");
    stage.grant(&role.replace("pods/eviction", "pods/nothing"), &kubeconfig).await;
    for action in ["plan", "run"] {
        let mut command = host(&folder, &[action, "there.toml"]);
        let refused = finish(command.env("KUBECONFIG", &kubeconfig), Duration::from_secs(60));
        let said = text(&refused);
        assert_eq!(refused.status.code(), Some(3), "{said}");
        assert!(said.contains("this account may not create pods/eviction in the whole cluster"), "{said}");
        assert!(said.contains("kind: ClusterRole"), "{said}");
    }
    assert!(left_of_runs(&stage).await.is_empty());
    // With the whole Role it may.
    stage.grant(&role, &kubeconfig).await;
    let mut command =
        host(&folder, &["run", "there.toml", "--quiet", "--set", "phases.load.duration=\"20s\""]);
    let run = finish(command.env("KUBECONFIG", &kubeconfig), Duration::from_secs(180));
    assert!(!text(&run).contains("may not"), "{}", text(&run));
    stage.revoke().await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: make test-kubernetes"]
async fn without_the_api_server_the_load_goes_on_and_nothing_is_told_twice() {
    if std::env::var_os("ASSAY_KUBE_COMPONENT").is_none() {
        eprintln!("skipped: the API server cannot be taken away here");
        return;
    }
    let stage = Stage::set().await;
    stage.ready().await;
    let folder = folder(&stage, "nothing", "5s");
    let mut command = host(&folder, &["run", "there.toml", "--set", "phases.load.duration=\"50s\""]);
    let running = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let directory = until_loaded(&folder).await;
    kit::api_server("stop");
    tokio::time::sleep(Duration::from_secs(20)).await;
    kit::api_server("start");
    let output = running.wait_with_output().expect("it ends");
    let said = text(&output);
    let summary = summary(&directory);
    let blind = summary["target"]["blind"].as_array().expect("blind spans").clone();
    assert_eq!(blind.len(), 1, "{blind:?}\n{said}");
    let lasted = blind[0]["until"].as_u64().expect("it ended") - blind[0]["from"].as_u64().expect("it began");
    assert!((18_000_000_000..40_000_000_000).contains(&lasted), "{blind:?}");
    assert!(summary["load"]["whole"]["success-rate"].as_f64() > Some(0.99), "{said}");
    // Nothing happened to the instances, and so nothing may have been told of them.
    let changes: Vec<Value> =
        events(&directory).into_iter().filter(|event| !event["fact"]["instance"].is_null()).collect();
    assert!(changes.is_empty(), "{changes:?}");
    stage.until_calm().await;
    let _ = stage.api::<Lease>().delete("assay", &DeleteParams::default()).await;
    stage.close().await;
}

/// The run's directory, once it has put load for some seconds.
async fn until_loaded(folder: &tempfile::TempDir) -> std::path::PathBuf {
    let runs = folder.path().join("runs");
    let mut found = None;
    until("load is put", async || {
        let entries = std::fs::read_dir(&runs).into_iter().flatten();
        found = entries.filter_map(|entry| Some(entry.ok()?.path())).find(|path| {
            let events = std::fs::read_to_string(path.join("events.jsonl")).unwrap_or_default();
            events.matches("\"interval\"").count() > 5
        });
        found.is_some()
    })
    .await;
    found.expect("it was found")
}
