//! Whole runs of the real binary on a cluster: from outside it, with its accounts, killed in the middle, and
//! without its API server.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use assay::environment::{
    Environment, Manner,
    kubernetes::{Kubernetes, RUN_LABEL},
};
use assay::observe::{Clock, Stream};
use k8s_openapi::api::{
    apps::v1::{Deployment, StatefulSet},
    coordination::v1::Lease,
    core::v1::{ConfigMap, Pod, Service},
    networking::v1::NetworkPolicy,
};
use kube::{ResourceExt, api::ListParams};
use serde_json::{Value, json};

use crate::{
    kit::{ApiServer, Stage, until},
    support::{self, Running, events, finish, kill, run_directory, skipped, summary, text},
};

/// Load on the cluster's own front, with one fault: as the config has it that of a database's primary, in
/// this environment what the tests want of it.
fn config(stage: &Stage, action: &str, at: &str) -> String {
    let (context, namespace) = (&stage.context, &stage.namespace);
    format!(
        r#"
        name = "there"
        environment = "there"

        [environments.elsewhere]
        kind = "url"
        url = "http://127.0.0.1:9"

        [environments.there]
        kind = "kubernetes"
        context = "{context}"
        namespace = "{namespace}"
        target = {{ service = "front", via = "node-port" }}
        allow = ["nodes"]

        [environments.there.faults.cut]
        plugin = "plain-fault"
        config = {{ selector = "app=store", action = "{action}" }}

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
        plugin = "postgres-failover"
        at = "load+{at}"
        recover-within = "10s"
        config = {{ selector = "app=nobody", credentials = "nobody" }}

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

fn host(folder: &tempfile::TempDir, arguments: &[&str]) -> Command {
    let mut command = support::host();
    command.args(arguments).current_dir(folder.path()).env("XDG_STATE_HOME", folder.path().join("state"));
    command
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

/// All objects of the namespace that a run could touch, each as somebody wrote it: without its status.
async fn as_written(stage: &Stage) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    macro_rules! add {
        ($($kind:ty),* $(,)?) => {
            $(
                for object in stage.api::<$kind>().list(&ListParams::default()).await.expect("objects").items {
                    let name = format!("{} {}", stringify!($kind), object.name_any());
                    let object = serde_json::to_value(object).expect("JSON");
                    let metadata = &object["metadata"];
                    let kept = ["uid", "labels", "annotations", "finalizers"].map(|key| metadata[key].clone());
                    all.insert(name, json!([kept, object["spec"], object["data"]]));
                }
            )*
        };
    }
    add!(Pod, ConfigMap, Service, Deployment, StatefulSet, NetworkPolicy, Lease);
    all
}

/// On a machine that is busy with other things the verdict of a run that did well is that nothing can be said.
pub(crate) fn assert_passed(output: &std::process::Output, summary: &Value) {
    let held_back = summary["generator"]["bottleneck"] == true;
    let said = text(output);
    assert_eq!(output.status.code(), Some(if held_back { 4 } else { 0 }), "{}\n{said}", summary["because"]);
    let broken = |promise: &&Value| !["kept", "void"].map(Value::from).contains(&promise["outcome"]);
    let broken: Vec<_> = summary["promises"].as_array().expect("promises").iter().filter(broken).collect();
    assert!(broken.is_empty(), "{broken:?}\n{said}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: make test-kubernetes"]
async fn a_run_from_outside_finds_its_target_and_strikes_with_the_plugin_of_its_environment() {
    let stage = Stage::set().await;
    stage.ready().await;
    let folder = folder(&stage, "crash-and-hold", "12s");
    let plan = |environment: &str| {
        text(&finish(
            &mut host(&folder, &["plan", "there.toml", "--env", environment]),
            Duration::from_secs(60),
        ))
    };
    let (here, there) = (plan("elsewhere"), plan("there"));
    assert!(here.contains("cut by postgres-failover") && !here.contains("store-0"), "{here}");
    assert!(there.contains("cut by plain-fault") && there.contains("store-0"), "{there}");

    let output = finish(&mut host(&folder, &["run", "there.toml"]), Duration::from_secs(180));
    let directory = run_directory(&folder.path().join("runs"));
    let (said, summary) = (text(&output), summary(&directory));
    assert_passed(&output, &summary);
    assert!(summary["load"]["whole"]["requests"].as_u64() > Some(300), "{said}");
    // The swapped plugin alone was loaded, and it struck: the victim ended, was held, and came back as another.
    let loaded: Vec<_> = summary["plugins"]["loaded"].as_array().expect("plugins").iter().collect();
    assert!(loaded.iter().any(|plugin| plugin["name"] == "plain-fault"), "{loaded:?}");
    assert!(loaded.iter().all(|plugin| plugin["name"] != "postgres-failover"), "{loaded:?}");
    let fault = &summary["faults"][0]["fault"];
    assert_eq!((&fault["plugin"], &fault["effect"]), (&json!("plain-fault"), &json!("proven")), "{fault}");
    assert_eq!(told(&directory, "store-0"), ["held", "exited", "released", "started", "ready"], "{said}");
    // Nothing of the run is left.
    assert!(stage.api::<Lease>().get_opt("assay").await.expect("asked").is_none());
    let pods = stage.api::<Pod>().list(&ListParams::default()).await.expect("pods");
    assert!(pods.items.iter().all(|pod| pod.finalizers().is_empty()), "{:?}", pods.items);
    assert!(left_of_runs(&stage).await.is_empty());
    stage.close().await;
}

/// What a run told of one instance, but for what may or may not be seen in between.
fn told(directory: &Path, instance: &str) -> Vec<String> {
    let changes = events(directory).into_iter().map(|event| event["fact"]["instance"].clone());
    let passing = ["not-ready", "rescheduled"].map(Value::from);
    let changes =
        changes.filter(|change| change["instance"] == instance && !passing.contains(&change["change"]));
    changes.map(|change| change["change"].as_str().expect("a word").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: make test-kubernetes"]
async fn what_a_killed_run_left_is_undone_from_any_folder() {
    let stage = Stage::set().await;
    let other = json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": { "name": "other" },
        "spec": { "podSelector": { "matchLabels": { "app": "nobody" } } },
    });
    stage.apply(other).await;
    stage.ready().await;
    let before = as_written(&stage).await;
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
    assert_eq!(left_of_runs(&stage).await.len(), 2, "nobody was left to take the policy away");
    // Another run does not build upon what is left.
    let refused = finish(&mut host(&folder, &["run", "there.toml", "--quiet"]), Duration::from_secs(90));
    assert_eq!(refused.status.code(), Some(3), "{}", text(&refused));
    assert!(text(&refused).contains("`host recover` undoes it"), "{}", text(&refused));

    let recovered = recover(&folder);
    let said = text(&recovered);
    assert!(recovered.status.success() && said.contains("healed") && said.contains("2 undone"), "{said}");
    // The policy, the journal and the lease are gone, and all else is what it was before the run.
    assert_eq!(as_written(&stage).await, before);

    let version = stage.version().await;
    let again = recover(&folder);
    assert!(again.status.success() && text(&again).contains("nothing to do"), "{}", text(&again));
    assert_eq!(stage.changed_since::<NetworkPolicy>(&version).await, [""; 0]);
    assert_eq!(stage.changed_since::<ConfigMap>(&version).await, [""; 0]);
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
    let version = stage.version().await;
    for action in ["plan", "run"] {
        let mut command = host(&folder, &[action, "there.toml"]);
        let refused = finish(command.env("KUBECONFIG", &kubeconfig), Duration::from_secs(60));
        let said = text(&refused);
        assert_eq!(refused.status.code(), Some(3), "{said}");
        assert!(said.contains("this account may not create pods/eviction in the whole cluster"), "{said}");
        assert!(said.contains("kind: ClusterRole"), "{said}");
    }
    // Not even for a moment was there a lease or a journal.
    assert_eq!(stage.changed_since::<Lease>(&version).await, [""; 0]);
    assert_eq!(stage.changed_since::<ConfigMap>(&version).await, [""; 0]);
    assert_eq!(stage.changed_since::<NetworkPolicy>(&version).await, [""; 0]);
    // With the whole Role it may.
    stage.grant(&role, &kubeconfig).await;
    let mut command =
        host(&folder, &["run", "there.toml", "--quiet", "--set", "phases.load.duration=\"20s\""]);
    let run = finish(command.env("KUBECONFIG", &kubeconfig), Duration::from_secs(180));
    assert!(!text(&run).contains("may not"), "{}", text(&run));
    assert_ne!(stage.changed_since::<Lease>(&version).await, [""; 0], "what was looked for can be seen");
    stage.revoke().await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: make test-kubernetes"]
async fn without_the_api_server_the_load_goes_on_and_nothing_is_told_twice() {
    let Some(api_server) = ApiServer::switch() else {
        return skipped("a run without its API server", "it cannot be taken away here");
    };
    let stage = Stage::set().await;
    stage.ready().await;
    let folder = folder(&stage, "nothing", "5s");
    let mut command = host(&folder, &["run", "there.toml", "--set", "phases.load.duration=\"75s\""]);
    let running = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let directory = until_loaded(&folder).await;
    api_server.away(Duration::from_secs(20)).await;
    until_told(&directory, "\"sight-regained\"").await;
    // What happens from then on is seen by the watches that were there before.
    let cluster =
        Kubernetes::reach(&stage.config(), Stream::new(Clock::start())).await.expect("it is reached");
    let store =
        cluster.instances(&"app=store".parse().expect("a selector")).await.expect("instances").remove(0);
    cluster.terminate(&store.name, &store.uid, Manner::Crash, false).await.expect("it crashes");
    let output = running.wait_with_output().expect("it ends");

    let (said, summary, events) = (text(&output), summary(&directory), events(&directory));
    assert_passed(&output, &summary);
    let blind = summary["target"]["blind"].as_array().expect("blind spans").clone();
    assert_eq!(blind.len(), 1, "{blind:?}\n{said}");
    let (from, until) = (nanos(&blind[0]["from"]), nanos(&blind[0]["until"]));
    assert!((18_000_000_000..40_000_000_000).contains(&(until - from)), "{blind:?}");
    let report = std::fs::read_to_string(directory.join("report.md")).expect("a report");
    assert!(report.contains("### Not seen") && report.contains("broke off"), "{report}");

    // The load went on: there is no second of the blind span without successes.
    let seconds: Vec<_> = events.iter().map(|event| &event["fact"]["interval"]).collect();
    let mut successes = BTreeMap::new();
    for second in seconds.into_iter().filter(|second| !second.is_null()) {
        let good = second["endpoints"].as_array().expect("rows").iter().map(|row| nanos(&row["successes"]));
        let earlier = successes.insert(nanos(&second["second"]), good.sum::<u64>());
        assert_eq!(earlier, None, "a second was told twice: {second}");
    }
    for second in from / 1_000_000_000 + 1..until / 1_000_000_000 {
        assert!(successes.get(&second).is_some_and(|count| *count > 0), "second {second}: {successes:?}");
    }
    assert_eq!(successes.values().sum::<u64>(), nanos(&summary["load"]["whole"]["successes"]));

    // Of instances there is the crash to tell and nothing else, and each of its steps once.
    assert_eq!(told(&directory, "store-0"), ["exited", "started", "ready"], "{said}");
    let others = |event: &&Value| {
        let change = &event["fact"]["instance"];
        !change.is_null() && change["instance"] != "store-0"
    };
    assert_eq!(events.iter().find(others), None);
    let workloads = summary["target"]["workloads"].as_array().expect("workloads");
    let restarts =
        |name: &str| workloads.iter().find(|one| one["workload"] == name).map(|one| &one["restarts"]);
    assert_eq!((restarts("store"), restarts("front")), (Some(&json!(1)), Some(&json!(0))), "{workloads:?}");
    let mut counts = BTreeMap::new();
    for replicas in events.iter().map(|event| &event["fact"]["replicas"]).filter(|fact| !fact.is_null()) {
        let before = counts.insert(replicas["workload"].clone().to_string(), replicas);
        assert_ne!(before, Some(replicas), "the same counts were told twice");
    }
    assert!(stage.api::<Lease>().get_opt("assay").await.expect("asked").is_none());
    stage.close().await;
}

fn nanos(number: &Value) -> u64 {
    number.as_u64().unwrap_or_else(|| panic!("a number: {number}"))
}

/// The run's directory, once it has put load for some seconds.
async fn until_loaded(folder: &tempfile::TempDir) -> PathBuf {
    let runs = folder.path().join("runs");
    until("there is a run", async || std::fs::read_dir(&runs).is_ok_and(|mut runs| runs.next().is_some()))
        .await;
    let directory = run_directory(&runs);
    until("load is put", async || told_so_far(&directory).matches("\"interval\"").count() > 5).await;
    directory
}

/// Waits until the run has told something, by its words in the file of events.
pub(crate) async fn until_told(directory: &Path, words: &str) {
    until(words, async || told_so_far(directory).contains(words)).await;
}

fn told_so_far(directory: &Path) -> String {
    std::fs::read_to_string(directory.join("events.jsonl")).unwrap_or_default()
}
