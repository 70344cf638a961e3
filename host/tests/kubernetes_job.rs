//! Runs inside a real cluster, as a Job. `make test-kubernetes` runs these against whatever `KUBECONFIG` points at, if that
//! is a test cluster. They need the image that `scripts/image-host` makes (`ASSAY_TEST_HOST_IMAGE`;
//! `localhost/assay:test` unless given).

#[expect(dead_code, reason = "the kit polls by it, and the suite itself runs elsewhere")]
mod conformance;
#[path = "kubernetes/kit.rs"]
#[expect(dead_code, reason = "other tests on a cluster use the rest")]
mod kit;
#[path = "kubernetes/shape.rs"]
mod shape;
mod support;
#[path = "kubernetes/volume.rs"]
mod volume;

use std::{
    collections::BTreeMap,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use k8s_openapi::api::{
    batch::v1::{CronJob, Job},
    coordination::v1::Lease,
    core::v1::{ConfigMap, PersistentVolumeClaim, Pod, ServiceAccount},
    networking::v1::NetworkPolicy,
    rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding},
};
use kit::{Stage, until};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, ListParams, LogParams, PostParams},
    config::Kubeconfig,
};
use serde_json::Value;
use shape::assert_same_shape;
use support::{Running, finish, run_directory, summary, text};
use volume::{Volume, admit};

/// How long anything may take that has to pull itself up first.
const PATIENCE: Duration = Duration::from_secs(240);

fn image() -> String {
    std::env::var("ASSAY_TEST_HOST_IMAGE").unwrap_or_else(|_| "localhost/assay:test".to_owned())
}

/// A folder with a config of several files, and its plugin.
fn folder(stage: &Stage, duration: &str, faults: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    support::guests::install("plain-fault", folder.path());
    let (context, namespace) = (&stage.context, &stage.namespace);
    let config = format!(
        r#"
        name = "inside"
        include = ["shared/places.toml"]
        seed = 7

        [plugins.plain-fault]
        path = "plain-fault.wasm"
        grants = {{ cluster = [""] }}

        [feeds.names]
        path = "data/names.csv"

        [[behaviors]]
        plugin = "http-get"
        think-time = "200ms"
        config = {{ path = "/hostname" }}

        [[phases]]
        name = "load"
        users = 5
        duration = "{duration}"

        [steady]
        for = "2s"

        [[assertions]]
        plugin = "sla"
        config = {{ success-rate = "99%", span = "outside-faults" }}

        {faults}
        "#
    );
    let places = format!(
        r#"
        [environments.there]
        kind = "kubernetes"
        context = "{context}"
        namespace = "{namespace}"
        target = {{ service = "front", via = "node-port" }}
        allow = ["nodes"]
        "#
    );
    for (path, content) in
        [("inside.toml", config.as_str()), ("shared/places.toml", &places), ("data/names.csv", "name\nada\n")]
    {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, content).expect("written");
    }
    folder
}

fn host(folder: &tempfile::TempDir, arguments: &[&str]) -> Command {
    let mut command = support::host();
    command.args(arguments).current_dir(folder.path()).env("XDG_STATE_HOME", folder.path().join("state"));
    command
}

/// Every instance but those of `front`: also the run's own pod, if that were one.
const CRASH: &str = r#"
    [[faults]]
    name = "crash"
    plugin = "plain-fault"
    at = "load+8s"
    recover-within = "10s"
    config = { selector = "app!=front", action = "crash" }
"#;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: make test-kubernetes"]
async fn a_run_inside_the_cluster_is_the_one_from_outside() {
    let stage = Stage::set().await;
    stage.ready().await;
    let folder = folder(&stage, "30s", CRASH);
    let volume = Volume::make(&stage, "assay-inside-results", &node_of(&stage, "app=front").await).await;

    let outside = finish(&mut host(&folder, &["run", "inside.toml"]), PATIENCE);
    let outside_said = text(&outside);
    let outside = run_directory(&folder.path().join("runs"));
    // A container that crashes for the second time is left waiting before it starts again.
    replace(&stage, "store-0").await;
    stage.ready().await;
    admit(&stage, "restricted").await;

    apply_job(&stage, &folder, &[]).await;
    // The way to the API server breaks down every few seconds.
    let kubeconfig = folder.path().join("kubeconfig");
    let weak = weak_way_to_the_api_server(&kubeconfig).await;
    let mut monitor = host(&folder, &["monitor", "inside.toml"]);
    let monitored =
        tokio::task::spawn_blocking(move || finish(monitor.env("KUBECONFIG", &kubeconfig), PATIENCE))
            .await
            .expect("it was followed");
    weak.abort();
    let pod = the_run_s_pod(&stage).await;
    let log = LogParams { container: Some("host".to_owned()), ..LogParams::default() };
    let log = stage.api::<Pod>().logs(&pod.name_any(), &log).await.expect("a log");
    assert_eq!(String::from_utf8_lossy(&monitored.stdout), log, "{}", text(&monitored));
    assert_eq!(monitored.status.code(), Some(exit_code_of(&pod)), "{log}");
    assert!(log.contains("fault crash: over, the target is steady again"), "{log}");

    let fetch = |to: &str| finish(&mut host(&folder, &["results", "inside.toml", "--to", to]), PATIENCE);
    let fetched = fetch("fetched");
    assert!(fetched.status.success(), "{}", text(&fetched));
    let inside = run_directory(&folder.path().join("fetched"));
    let again = fetch("fetched");
    assert!(again.status.success() && text(&again).contains("is there already"), "{}", text(&again));
    // What its pod left is there when the pod is gone.
    stage.api::<Pod>().delete(&pod.name_any(), &DeleteParams::default()).await.expect("deleted");
    assert!(fetch("fetched-later").status.success());
    let later = run_directory(&folder.path().join("fetched-later"));
    assert_same_shape(&inside, &later);

    for directory in [&outside, &inside] {
        let summary = summary(directory);
        // On a machine that is busy with other things the verdict is that nothing can be said.
        let held_back = summary["generator"]["bottleneck"] == true;
        let expected = if held_back { "inconclusive" } else { "pass" };
        assert_eq!(summary["outcome"], expected, "{}\n{outside_said}\n{log}", directory.display());
        let victims = &summary["faults"][0]["fault"]["victims"];
        assert_eq!(victims.as_array().map(Vec::len), Some(1), "{summary}");
        assert_eq!(victims[0]["name"], "store-0", "{summary}");
    }
    assert_same_shape(&outside, &inside);

    let removed = finish(&mut host(&folder, &["cleanup", "inside.toml"]), PATIENCE);
    let said = text(&removed);
    assert!(removed.status.success(), "{said}");
    let roles = ["RoleBinding", "Role", "ClusterRoleBinding", "ClusterRole"];
    for kind in [&["Job", "ServiceAccount", "ConfigMap"], roles.as_slice()].concat() {
        assert!(said.contains(&format!("{kind} 'assay")), "{kind}: {said}");
    }
    assert_eq!(left(&stage).await, ["PersistentVolumeClaim assay-inside-results"]);
    let removed = finish(&mut host(&folder, &["cleanup", "inside.toml", "--results"]), PATIENCE);
    assert!(removed.status.success(), "{}", text(&removed));
    until("the claim is gone", async || left(&stage).await.is_empty()).await;
    let nothing = finish(&mut host(&folder, &["cleanup", "inside.toml"]), PATIENCE);
    assert!(text(&nothing).contains("there is nothing to remove"), "{}", text(&nothing));
    volume.remove(&stage).await;
    stage.close().await;
}

/// The first fault would drain the node that carries the run; during the second one the run is told to end.
const OWN_NODE_THEN_CUT: &str = r#"
    [[faults]]
    name = "own-node"
    plugin = "plain-fault"
    at = "load+4s"
    config = { selector = "app=store", action = "drain" }

    [[faults]]
    name = "cut"
    plugin = "plain-fault"
    at = "load+15s"
    duration = "120s"
    config = { selector = "app=store", action = "isolate" }
"#;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: make test-kubernetes"]
async fn a_run_that_is_told_to_end_puts_back_what_it_changed() {
    let stage = Stage::set().await;
    stage.ready().await;
    let folder = folder(&stage, "5m", OWN_NODE_THEN_CUT);
    // The volume keeps the run on the node of its victim.
    let volume = Volume::make(&stage, "assay-inside-results", &node_of(&stage, "app=store").await).await;
    admit(&stage, "restricted").await;
    apply_job(&stage, &folder, &[]).await;
    let policies = async || {
        stage.api::<NetworkPolicy>().list(&ListParams::default()).await.expect("policies").items.len()
    };
    until("its second fault has struck", async || policies().await == 1).await;

    let refused = finish(&mut host(&folder, &["cleanup", "inside.toml"]), PATIENCE);
    assert_eq!(refused.status.code(), Some(3), "{}", text(&refused));
    assert!(text(&refused).contains("still runs"), "{}", text(&refused));
    let early = finish(&mut host(&folder, &["results", "inside.toml", "--to", "early"]), PATIENCE);
    assert!(early.status.success() && text(&early).contains("left out"), "{}", text(&early));

    let seen = folder.path().join("seen");
    let mut monitor = host(&folder, &["monitor", "inside.toml"]);
    let monitor = monitor.stdout(std::fs::File::create(&seen).expect("created")).stderr(Stdio::null());
    let mut monitor = Running(monitor.spawn().expect("it starts"));
    let said = || std::fs::read_to_string(&seen).expect("read");
    until("it is followed", async || said().contains("load begins")).await;
    let ended = finish(&mut host(&folder, &["cleanup", "inside.toml", "--stop"]), PATIENCE);
    assert!(ended.status.success(), "{}", text(&ended));
    assert_eq!(policies().await, 0);
    assert!(stage.api::<Lease>().get_opt("assay").await.expect("asked").is_none());
    let mut status = None;
    until("its end is seen", async || {
        status = monitor.0.try_wait().expect("it is a child");
        status.is_some()
    })
    .await;
    // Its pod may be gone before it was asked how it ended.
    assert!(matches!(status.and_then(|status| status.code()), Some(130 | 4)), "{status:?}\n{}", said());
    assert!(said().contains("carries this run, and is never a victim"), "{}", said());

    let fetched = finish(&mut host(&folder, &["results", "inside.toml", "--to", "fetched"]), PATIENCE);
    assert!(fetched.status.success(), "{}", text(&fetched));
    let summary = summary(&run_directory(&folder.path().join("fetched")));
    assert_eq!(summary["outcome"], "interrupted", "{summary}");
    let removed = finish(&mut host(&folder, &["cleanup", "inside.toml", "--results"]), PATIENCE);
    assert!(removed.status.success(), "{}", text(&removed));
    volume.remove(&stage).await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: make test-kubernetes"]
async fn what_is_not_there_is_said_and_schedules_are_admitted() {
    let stage = Stage::set().await;
    let folder = folder(&stage, "30s", CRASH);
    let said = |arguments: &[&str]| {
        let output = finish(&mut host(&folder, arguments), PATIENCE);
        assert_eq!(output.status.code(), Some(3), "{}", text(&output));
        String::from_utf8_lossy(&output.stderr).replace(&stage.namespace, "NAMESPACE")
    };
    insta::assert_snapshot!(
        [said(&["monitor", "inside.toml"]), said(&["results", "inside.toml"])].concat(),
        @r"
    error: not found: there is no Job of run config 'inside' in namespace 'NAMESPACE': `host manifests job` prints what makes one
    error: not found: there are no results of run config 'inside' in namespace 'NAMESPACE': it has no claim 'assay-inside-results'
    "
    );
    let scheduled = job_objects(&folder, &["--schedule", "30 2 * * *"]);
    let scheduled = scheduled.into_iter().find(|object| object["kind"] == "CronJob").expect("a CronJob");
    let scheduled: CronJob = serde_json::from_value(scheduled).expect("a CronJob");
    let schedules = stage.api::<CronJob>();
    let dry = PostParams { dry_run: true, ..PostParams::default() };
    let admitted = schedules.create(&dry, &scheduled).await.expect("the API server takes it");
    assert_eq!(admitted.spec.and_then(|spec| spec.concurrency_policy).as_deref(), Some("Forbid"));
    schedules.create(&PostParams::default(), &scheduled).await.expect("created");
    assert!(said(&["monitor", "inside.toml"]).contains("has begun no run yet"));
    let removed = finish(&mut host(&folder, &["cleanup", "inside.toml"]), PATIENCE);
    assert!(text(&removed).contains("CronJob 'assay-inside' removed"), "{}", text(&removed));
    stage.close().await;
}

/// What `manifests job` prints.
fn job_objects(folder: &tempfile::TempDir, options: &[&str]) -> Vec<Value> {
    let image = image();
    let arguments = ["manifests", "job", "inside.toml", "--image", &image, "--storage-class", ""];
    let printed = finish(&mut host(folder, &[&arguments, options].concat()), Duration::from_secs(60));
    assert!(printed.status.success(), "{}", text(&printed));
    let printed = String::from_utf8(printed.stdout).expect("UTF-8");
    let documents = printed.split("---\n").filter(|document| !document.is_empty());
    documents.map(|document| serde_saphyr::from_str(document).expect("YAML")).collect()
}

async fn apply_job(stage: &Stage, folder: &tempfile::TempDir, options: &[&str]) {
    for object in job_objects(folder, options) {
        stage.apply(object).await;
    }
}

/// Deletes a pod, and waits for the one that takes its place.
async fn replace(stage: &Stage, name: &str) {
    let pods = stage.api::<Pod>();
    let before = pods.get(name).await.expect("it is there").uid();
    pods.delete(name, &DeleteParams::default()).await.expect("deleted");
    until("another pod has its place", async || {
        let now = pods.get_opt(name).await.expect("asked").and_then(|pod| pod.uid());
        now.is_some() && now != before
    })
    .await;
}

async fn node_of(stage: &Stage, labels: &str) -> String {
    let pods = stage.api::<Pod>().list(&ListParams::default().labels(labels)).await.expect("pods").items;
    pods.into_iter().find_map(|pod| pod.spec?.node_name).expect("one runs on a node")
}

async fn the_run_s_pod(stage: &Stage) -> Pod {
    let labels = ListParams::default().labels("app.kubernetes.io/component=run");
    let mut pods = stage.api::<Pod>().list(&labels).await.expect("pods").items;
    assert_eq!(pods.len(), 1);
    pods.remove(0)
}

fn exit_code_of(pod: &Pod) -> i32 {
    let statuses = pod.status.as_ref().and_then(|status| status.container_statuses.as_ref());
    let state = statuses.and_then(|statuses| statuses[0].state.as_ref());
    state.and_then(|state| state.terminated.as_ref()).expect("it has ended").exit_code
}

/// All that has the labels of the Job, by kind and name.
async fn left(stage: &Stage) -> Vec<String> {
    let labels = "app.kubernetes.io/managed-by=assay,app.kubernetes.io/instance=inside";
    let labelled = ListParams::default().labels(labels);
    let mut left = Vec::new();
    macro_rules! list {
        ($($kind:ident),*) => {$(
            let found = stage.api::<$kind>().list(&labelled).await.expect("listed").items;
            left.extend(found.iter().map(|one| format!("{} {}", stringify!($kind), one.name_any())));
        )*};
    }
    list!(Job, CronJob, Pod, RoleBinding, Role, ServiceAccount, ConfigMap, PersistentVolumeClaim);
    let name = format!("assay:{}:inside", stage.namespace);
    let (roles, bindings): (Api<ClusterRole>, Api<ClusterRoleBinding>) =
        (Api::all(stage.client.clone()), Api::all(stage.client.clone()));
    left.extend(roles.get_opt(&name).await.expect("asked").map(|_| format!("ClusterRole {name}")));
    left.extend(bindings.get_opt(&name).await.expect("asked").map(|_| format!("ClusterRoleBinding {name}")));
    left
}

/// Writes a kubeconfig that leads to the API server over a way on which every connection breaks after some
/// seconds.
async fn weak_way_to_the_api_server(kubeconfig: &Path) -> tokio::task::JoinHandle<()> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let own = listener.local_addr().expect("an address");
    let mut config = Kubeconfig::read().expect("KUBECONFIG leads to a cluster");
    let mut servers = BTreeMap::new();
    for named in &mut config.clusters {
        let cluster = named.cluster.as_mut().expect("a cluster");
        let server = cluster.server.replace(format!("https://{own}"));
        servers.insert(named.name.clone(), server.expect("it has a server"));
        // Its certificate is for another address.
        cluster.insecure_skip_tls_verify = Some(true);
        (cluster.certificate_authority, cluster.certificate_authority_data) = (None, None);
    }
    let current = config.current_context.clone().expect("a context");
    let context = config.contexts.iter().find(|one| one.name == current).and_then(|one| one.context.clone());
    let server = servers.remove(&context.expect("a context").cluster).expect("its server");
    let server = server.trim_start_matches("https://").trim_end_matches('/').to_owned();
    std::fs::write(kubeconfig, serde_json::to_string(&config).expect("JSON is YAML")).expect("written");
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let server = server.clone();
            tokio::spawn(async move {
                let mut server = tokio::net::TcpStream::connect(server).await.expect("it is reached");
                let carried = tokio::io::copy_bidirectional(&mut client, &mut server);
                // In whatever state it is then; both ends see it closed.
                let _broken = tokio::time::timeout(Duration::from_secs(4), carried).await;
            });
        }
    })
}
