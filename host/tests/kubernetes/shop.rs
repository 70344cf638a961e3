//! The reference shop on a real cluster, where `make test-kubernetes` has deployed it: it is found, put under load,
//! and loses its database's primary.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use assay::{
    environment::{
        Environment, InstanceState, Manner,
        kubernetes::{ClusterConfig, Kubernetes, Target, Via},
    },
    observe::{Clock, Stream},
};
use k8s_openapi::api::{coordination::v1::Lease, core::v1::Pod};
use kube::{
    Api, ResourceExt,
    api::{ListParams, Patch, PatchParams},
};
use serde_json::{Value, json};

use crate::{
    kit::{Cluster, until},
    runs::{assert_passed, until_told},
    support::{self, SOONER, finish, kill, run_directory, summary, text},
};

pub(crate) const NAMESPACE: &str = "jewelry-shop";
const DRILL: &str = "config/drill-postgres-failover.toml";

/// More users than the config has, for less time.
const SMOKE: [&str; 3] = ["phases.smoke.users=20", "phases.smoke.ramp=2s", "phases.smoke.duration=40s"];

/// How many follow a primary. Who still copies it receives a stream, too.
const FOLLOWING: &str = "select count(*) from pg_stat_replication \
     where state = 'streaming' and application_name like 'postgres-%'";

/// The deployed shop, whole.
pub(crate) struct Shop {
    pub(crate) cluster: Cluster,
    pub(crate) kubernetes: Kubernetes,
    /// Where its runs lie.
    runs: tempfile::TempDir,
}

impl Shop {
    pub(crate) async fn open() -> Self {
        let cluster = Cluster::reach().await;
        let config = ClusterConfig {
            context: cluster.context.clone(),
            namespace: NAMESPACE.to_owned(),
            target: Target { service: "nginx-service".to_owned(), via: Via::NodePort, port: None },
            allow_nodes: false,
            groups: "tier".to_owned(),
            commands: None,
        };
        let stream = Stream::new(Clock::start());
        let found = Kubernetes::connect(&config, stream).await;
        let kubernetes = found.expect("the shop is there: `scripts/kubernetes deploy`");
        let shop = Self { cluster, kubernetes, runs: tempfile::tempdir().expect("a folder") };
        shop.whole().await;
        shop
    }

    /// Waits until everything is ready and the database has one primary, whom two follow.
    pub(crate) async fn whole(&self) {
        self.kubernetes.wait_ready(Duration::from_secs(180)).await.expect("it gets ready");
        until("two follow one primary", async || {
            let roles = self.roles().await;
            let mut primaries = roles.iter().filter(|(_, role)| *role == Some(true));
            let (Some((primary, _)), None) = (primaries.next(), primaries.next()) else { return false };
            self.ask(primary, FOLLOWING).await.as_deref() == Some("2")
        })
        .await;
    }

    /// What a database answers, by its own socket.
    async fn ask(&self, database: &str, statement: &str) -> Option<String> {
        let command = ["psql", "-U", "postgres", "-d", "postgres", "-tAc", statement].map(str::to_owned);
        let said = self.kubernetes.exec(database, &command, Duration::from_secs(10)).await.ok()?;
        (said.exit_code == 0).then(|| said.stdout.trim().to_owned())
    }

    /// Every database, and whether it says that it is the primary.
    async fn roles(&self) -> Vec<(String, Option<bool>)> {
        let databases = self.kubernetes.instances(&"app=postgres".parse().expect("a selector")).await;
        let mut roles = Vec::new();
        for database in databases.expect("instances") {
            let role = match self.ask(&database.name, "select pg_is_in_recovery()").await.as_deref() {
                Some("f") => Some(true),
                Some("t") => Some(false),
                _ => None,
            };
            roles.push((database.name, role));
        }
        roles
    }

    /// Who says that it is the primary, and one who says that it is not.
    async fn primary_and_standby(&self) -> (String, String) {
        let roles = self.roles().await;
        let one = |wanted| roles.iter().find(|(_, role)| *role == Some(wanted)).map(|(name, _)| name.clone());
        (one(true).expect("a primary"), one(false).expect("a standby"))
    }

    fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.cluster.client.clone(), NAMESPACE)
    }

    /// `host ACTION CONFIG` on this cluster, whatever its context is called.
    pub(crate) fn host(&self, action: &str, config: &str) -> Command {
        let mut command = support::host();
        let context = format!("environments.k3d.context={:?}", self.cluster.context);
        command.args([action, config, "--env", "k3d", "--set", &context]);
        command.env("XDG_STATE_HOME", self.runs.path().join("state"));
        if action == "run" {
            command.arg("--runs").arg(self.runs.path().join("runs"));
        }
        command
    }

    /// `host recover` of what this machine's runs left behind.
    pub(crate) fn recover(&self) -> Command {
        let mut command = support::host();
        command.arg("recover").env("XDG_STATE_HOME", self.runs.path().join("state"));
        command
    }

    pub(crate) fn directory(&self) -> std::path::PathBuf {
        run_directory(&self.runs.path().join("runs"))
    }

    /// No run has left anything in the namespace.
    pub(crate) async fn assert_untouched(&self) {
        let leases: Api<Lease> = Api::namespaced(self.cluster.client.clone(), NAMESPACE);
        assert!(leases.get_opt("assay").await.expect("asked").is_none());
        let pods = self.pods().list(&ListParams::default()).await.expect("pods");
        assert!(pods.items.iter().all(|pod| pod.finalizers().is_empty()), "{:?}", pods.items);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: make test-kubernetes"]
async fn the_deployed_shop_is_found_and_serves() {
    let shop = Shop::open().await;
    let uids = async || {
        let pods = shop.pods().list(&ListParams::default()).await.expect("pods");
        let mut uids: Vec<_> = pods.items.into_iter().filter_map(|pod| pod.metadata.uid).collect();
        uids.sort();
        uids
    };
    let before = uids().await;
    let mut command = shop.host("run", "config/smoke.toml");
    command.args(SMOKE.into_iter().flat_map(|one| ["--set", one]));
    let output = finish(&mut command, Duration::from_secs(180));
    let summary = summary(&shop.directory());
    assert_passed(&output, &summary);
    assert!(summary["load"]["whole"]["requests"].as_u64() > Some(100), "{}", text(&output));
    assert_eq!(uids().await, before, "a run deploys nothing");
    shop.assert_untouched().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: make test-kubernetes"]
async fn users_shop_while_the_primary_is_replaced() {
    let shop = Shop::open().await;
    let (victim, _) = shop.primary_and_standby().await;
    let mut command = shop.host("run", DRILL);
    command.args(SOONER.into_iter().flat_map(|one| ["--set", one]));
    let output = finish(&mut command, Duration::from_secs(360));
    let (said, directory) = (text(&output), shop.directory());
    let summary = summary(&directory);
    assert_passed(&output, &summary);
    let fault = &summary["faults"][0]["fault"];
    assert_eq!(fault["victims"][0]["name"], json!(victim), "{said}");
    assert_eq!(fault["effect"], "proven", "{said}");

    // Both times to recover are promises that were judged, and the verdict states them.
    for seen_by in ["users", "the component"] {
        let subject = format!("postgres-primary: RTO as {seen_by} saw it");
        let promises = summary["promises"].as_array().expect("promises");
        let promise = promises.iter().find(|promise| promise["subject"] == subject.as_str());
        let promise = promise.unwrap_or_else(|| panic!("{subject} is not judged: {promises:?}"));
        let nanos = promise["measured"]["duration"].as_u64().unwrap_or_else(|| panic!("measured: {promise}"));
        assert!((1_000_000_000..30_000_000_000).contains(&nanos), "{promise}");
        assert!(String::from_utf8_lossy(&output.stdout).contains(&subject), "{said}");
    }

    // Every confirmed sale is there.
    let audits = summary["audits"].as_array().expect("audits");
    assert_eq!(audits.len(), 2, "{audits:?}");
    for audit in audits {
        assert!(audit["confirmed"].as_u64() > Some(50), "{audit}");
        assert_eq!((&audit["lost"], &audit["failure"]), (&Value::from(0), &Value::Null), "{audit}");
    }

    let report = std::fs::read_to_string(directory.join("report.md")).expect("a report");
    assert_timeline(&report, &victim);
    shop.whole().await;
    let (primary, _) = shop.primary_and_standby().await;
    assert_ne!(primary, victim, "somebody else took over");
    shop.assert_untouched().await;
}

/// The pod's end, the label's move and the endpoint's change follow each other on one timeline, beside what the
/// component and the users saw.
fn assert_timeline(report: &str, victim: &str) {
    let timeline = report.split("Timeline:").nth(1).expect("a timeline");
    let lines: Vec<_> =
        timeline.lines().skip_while(|line| line.is_empty()).take_while(|line| !line.is_empty()).collect();
    let place = |what: &str, fits: &dyn Fn(&str) -> bool| {
        lines
            .iter()
            .position(|line| fits(line))
            .unwrap_or_else(|| panic!("{what}: not on the timeline:\n{timeline}"))
    };
    let struck = place("the strike", &|line| line.ends_with("| struck |") || line.contains("| struck "));
    let end =
        place("the pod's end", &|line| line.contains(&format!("{victim} on ")) && line.contains(": ended"));
    let label = place("the label's move", &|line| {
        line.contains("relabelled") && line.contains("role: ") && !line.contains(&format!("{victim} on "))
    });
    let endpoint = place("the endpoint's change", &|line| {
        line.contains("service postgres-primary leads to postgres-") && !line.contains(victim)
    });
    let promoted = place("the promotion", &|line| line.contains("promoted: "));
    let again = place("the users' way back", &|line| {
        line.contains("users ") && line.contains("requests succeed again")
    });
    assert!(
        struck < end && end < label && end < endpoint && endpoint < again && end < promoted,
        "{timeline}"
    );
}

/// Whom a label calls the primary is of no interest: the database is asked.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: make test-kubernetes"]
async fn a_pod_that_only_a_label_calls_primary_is_left_alone() {
    let shop = Shop::open().await;
    let (primary, standby) = shop.primary_and_standby().await;
    // By hand, again and again: whoever keeps the labels would put them right within seconds.
    let labelling = tokio::spawn(label_wrongly(shop.pods(), primary.clone(), standby.clone()));
    let wrong = async || {
        let role = async |pod: &str| {
            let pod = shop.pods().get(pod).await.expect("it is there");
            pod.labels().get("role").cloned().unwrap_or_default()
        };
        role(&standby).await == "master" && role(&primary).await == "replica"
    };
    until("the labels are wrong", &wrong).await;

    let planned = finish(&mut shop.host("plan", DRILL), Duration::from_secs(60));
    let said = text(&planned);
    assert!(planned.status.success(), "{said}");
    assert!(said.contains(&format!("as things are now it would strike {primary} (primary)")), "{said}");

    let mut command = shop.host("run", DRILL);
    command.args(["--set", "faults.postgres-primary.at=shopping+15s"]);
    let running = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let runs = shop.runs.path().join("runs");
    until("there is a run", async || std::fs::read_dir(&runs).is_ok_and(|mut runs| runs.next().is_some()))
        .await;
    let directory = shop.directory();
    until_told(&directory, "\"aimed\"").await;
    until("the labels were still wrong", &wrong).await;
    until_told(&directory, "\"injected\"").await;
    labelling.abort();
    // That is all that was to be seen: the rest of the run is the drill's own.
    kill(running.id(), "INT");
    let output = running.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(130), "{}", text(&output));
    assert_struck(&directory, &primary);
    shop.whole().await;
    shop.assert_untouched().await;
}

/// Has Patroni copy the primary anew, and freezes that where it has just begun.
const BEGIN_A_COPY: &str = r#"
patronictl reinit --force postgres-primary "$PATRONI_NAME" &
timeout 50 sh -c 'until [ -e /data/postgresql/backup_label ]; do sleep 0.02; done'
for process in /proc/[0-9]*; do
    read -r program <"$process/comm" && [ "$program" = pg_basebackup ] && kill -STOP "${process#/proc/}"
done
wait
"#;

/// A replica that loses its power while it copies the primary. What it had got is no database.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: make test-kubernetes"]
async fn a_copy_of_the_database_that_was_cut_short_is_made_anew() {
    let shop = Shop::open().await;
    let (_, standby) = shop.primary_and_standby().await;
    let shell = async |script: &str| {
        let command = ["sh", "-c", script].map(str::to_owned);
        shop.kubernetes.exec(&standby, &command, Duration::from_secs(60)).await.expect("it runs")
    };
    let begun = shell(BEGIN_A_COPY).await;
    let half = shell("cd /data/postgresql && [ -e backup_label ] && [ ! -e backup_manifest ]").await;
    assert_eq!(half.exit_code, 0, "{begun:?}");

    let named = format!("name={standby}").parse().expect("a selector");
    let instance = async || shop.kubernetes.instances(&named).await.expect("instances").remove(0);
    let before = instance().await;
    shop.kubernetes.terminate(&standby, &before.uid, Manner::Crash, false).await.expect("it crashes");
    until("it was started again", async || {
        let now = instance().await;
        now.uid != before.uid && now.state == InstanceState::Ready
    })
    .await;
    shop.whole().await;
    let whole = shell("cd /data/postgresql && [ ! -e backup_label ] && [ -e backup_manifest ]").await;
    assert_eq!(whole.exit_code, 0, "it has copied all of the primary");
    shop.assert_untouched().await;
}

async fn label_wrongly(pods: Api<Pod>, primary: String, standby: String) {
    loop {
        for (pod, role) in [(&primary, "replica"), (&standby, "master")] {
            let patch = json!({ "metadata": { "labels": { "role": role } } });
            // One that is gone has no label to be wrong.
            let _ = pods.patch(pod, &PatchParams::default(), &Patch::Merge(&patch)).await;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The one victim that was aimed at is the one whose processes were ended.
fn assert_struck(directory: &Path, primary: &str) {
    let summary = summary(directory);
    let fault = &summary["faults"][0]["fault"];
    let victims: Vec<_> = fault["victims"].as_array().expect("victims").iter().collect();
    assert_eq!(victims.len(), 1, "{fault}");
    assert_eq!(victims[0]["name"], primary, "{fault}");
    assert!(fault["means"].as_str().is_some_and(|means| means.contains(primary)), "{fault}");
}
