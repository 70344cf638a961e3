//! Faults against an environment of paper: grants, the journal, and what each export may do.

mod timeline;

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use assay::{
    capability::{FaultInstance, FaultPlugin, FaultPorts, ports},
    config::Grants,
    environment::{
        Direction, EnterNetwork, Environment, EnvironmentError, ExecOutput, Instance, InstanceState, Inverse,
        Manner, Node, Quota, QuotaStatus, Result, Selector, Workload,
    },
    faults::{Armed, Armory, Journal},
    observe::{Clock, Fact, PluginFailureKind, Stream, UsageReading},
};
use assay_bindings::fault::exports::assay::plugin::fault::InjectError;
use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::stage::{Memory, Stage, limits, source, worlds};

/// Two databases and a web server on one node, and everything that was done to them.
struct Paper {
    memory: Arc<Memory>,
    refuse_journal: bool,
}

fn labels(key: &str, value: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(key.to_owned(), value.to_owned())])
}

fn instance(name: &str, app: &str) -> Instance {
    Instance {
        name: name.to_owned(),
        uid: format!("{name}-uid"),
        workload: app.to_owned(),
        node: "node-a".to_owned(),
        address: Some(IpAddr::from([10, 0, 0, 1])),
        labels: labels("app", app),
        state: InstanceState::Ready,
        restarts: 0,
        started: None,
    }
}

fn workload(name: &str, group: &str) -> Workload {
    Workload {
        name: name.to_owned(),
        labels: labels("app", name),
        desired: 2,
        running: 2,
        ready: 2,
        declared_only: false,
        cpu_request: None,
        cpu_limit: None,
        memory_request: None,
        memory_limit: None,
        group: Some(group.to_owned()),
    }
}

impl Paper {
    fn done(&self, what: String) -> Result<()> {
        self.memory.note(what);
        Ok(())
    }
}

#[async_trait]
impl Environment for Paper {
    fn kind(&self) -> &'static str {
        "paper"
    }

    fn base_url(&self) -> String {
        "http://10.0.0.9:8080".to_owned()
    }

    fn enter_network(&self) -> EnterNetwork {
        Arc::new(|| Ok(()))
    }

    async fn endpoint(&self, instance: &str, _: u16) -> Result<SocketAddr> {
        Err(EnvironmentError::Unreachable(instance.to_owned()))
    }

    async fn instances(&self, selector: &Selector) -> Result<Vec<Instance>> {
        let all = [instance("db-0", "db"), instance("db-1", "db"), instance("web-0", "web")];
        Ok(all.into_iter().filter(|one| selector.matches(&one.name, &one.labels)).collect())
    }

    async fn terminate(&self, instance: &str, _: &str, manner: Manner, hold: bool) -> Result<String> {
        self.done(format!("terminate {instance} {manner:?} hold={hold}"))?;
        Ok("crossed out".to_owned())
    }

    async fn release(&self, instance: &str) -> Result<()> {
        self.done(format!("release {instance}"))
    }

    async fn exec(&self, instance: &str, command: &[String], _: Duration) -> Result<ExecOutput> {
        self.done(format!("exec {instance} {command:?}"))?;
        Ok(ExecOutput { exit_code: 0, stdout: String::new(), stderr: String::new() })
    }

    async fn nodes(&self) -> Result<Vec<Node>> {
        let node = |name: &str| Node {
            name: name.to_owned(),
            labels: BTreeMap::new(),
            ready: true,
            schedulable: true,
        };
        Ok(vec![node("node-a"), node("node-b")])
    }

    async fn set_schedulable(&self, node: &str, schedulable: bool) -> Result<()> {
        self.done(format!("schedulable {node} {schedulable}"))
    }

    async fn drain(&self, node: &str, timeout: Duration) -> Result<()> {
        assert!(timeout <= Duration::from_secs(3), "the call's own deadline bounds it");
        self.done(format!("drain {node}"))
    }

    async fn fail_node(&self, node: &str) -> Result<String> {
        self.done(format!("fail {node}"))?;
        Ok("torn off".to_owned())
    }

    async fn restore_node(&self, node: &str) -> Result<()> {
        self.done(format!("restore {node}"))
    }

    async fn isolate(
        &self,
        _: &str,
        what: &Selector,
        peer: Option<&Selector>,
        direction: Direction,
    ) -> Result<()> {
        let peer = peer.map(ToString::to_string);
        self.done(format!("isolate {what} from {peer:?} {direction:?}"))
    }

    async fn heal(&self, _: &str) -> Result<()> {
        self.done("heal".to_owned())
    }

    async fn workloads(&self, selector: &Selector) -> Result<Vec<Workload>> {
        let all = [workload("db", "data"), workload("web", "front"), workload("worker", "front")];
        Ok(all.into_iter().filter(|one| selector.matches(&one.name, &one.labels)).collect())
    }

    async fn scale(&self, workload: &str, replicas: u32) -> Result<()> {
        self.done(format!("scale {workload} {replicas}"))
    }

    async fn quotas(&self, _: &Selector) -> Result<Vec<QuotaStatus>> {
        let quota = Quota { cpu: Some(3000), memory: None };
        Ok(vec![QuotaStatus { group: "data".to_owned(), quota, capacity: Quota::default() }])
    }

    async fn set_quota(&self, group: &str, quota: Quota) -> Result<()> {
        self.done(format!("quota {group} {:?}", quota.cpu))
    }

    async fn usage(&self, _: &Selector) -> Result<Vec<UsageReading>> {
        Ok(Vec::new())
    }

    async fn wait_ready(&self, _: Duration) -> Result<()> {
        Ok(())
    }

    async fn close(&self) -> Result<()> {
        Ok(())
    }
}

impl ports::Journal for Paper {
    fn pending_lines(&self) -> String {
        String::new()
    }

    fn before(&self, fault: &str, inverse: &Inverse) -> io::Result<()> {
        if self.refuse_journal {
            return Err(io::Error::other("the disk is full"));
        }
        let inverse = match inverse {
            Inverse::Heal { id } => {
                assert!(id.starts_with("strike-"), "{id}");
                "Heal".to_owned()
            }
            other => format!("{other:?}"),
        };
        self.memory.note(format!("journal of {fault}: {inverse}"));
        Ok(())
    }
}

struct Struck {
    memory: Arc<Memory>,
    stage: Stage,
    instance: FaultInstance,
}

fn to_cluster(selector: &str) -> Grants {
    Grants { cluster: vec![selector.to_owned()], ..Grants::default() }
}

async fn armed(config: Value, grants: Grants, refuse_journal: bool) -> Struck {
    armed_in(config, grants, refuse_journal, Arc::default()).await
}

async fn armed_in(config: Value, grants: Grants, refuse_journal: bool, memory: Arc<Memory>) -> Struck {
    // Loading compiles it, which no test has to do again.
    static PLAIN: OnceCell<FaultPlugin> = OnceCell::const_new();
    let plugin = PLAIN
        .get_or_init(async || worlds().fault(&source("plain-fault")).await.expect("the fixture loads"))
        .await;
    let stage = Stage::new(plugin.plugin(), limits(), grants);
    let paper = Arc::new(Paper { memory: memory.clone(), refuse_journal });
    let ports = FaultPorts {
        fault: "strike".to_owned(),
        environment: paper.clone(),
        journal: paper,
        credentials: Arc::default(),
    };
    let mut instance = plugin.instantiate(&stage.tenant, ports).await.expect("instantiates");
    instance.configure(&config.to_string()).await.expect("accepts");
    Struck { memory, stage, instance }
}

/// Aims and injects; answers what was done in order, and how it ended.
async fn strike(
    action: &str,
    selector: &str,
    grant: &str,
) -> (Vec<String>, std::result::Result<String, String>) {
    let config = json!({ "selector": selector, "action": action });
    let mut struck = armed(config, to_cluster(grant), false).await;
    let aim = struck.instance.aim().await.expect("aims");
    let outcome = struck.instance.inject(aim).await.expect("returns");
    let outcome = outcome.map(|injected| injected.means).map_err(|error| match error {
        InjectError::Stale(because) => format!("stale: {because}"),
        InjectError::Failed(failure) => assay::capability::failure_text(&failure),
    });
    (struck.memory.take(), outcome)
}

#[tokio::test]
async fn the_inverse_is_in_the_journal_before_the_act() {
    for (action, grant, expected) in [
        ("crash", "app=db", &["terminate db-0 Crash hold=false", "terminate db-1 Crash hold=false"] as &[_]),
        (
            "crash-and-hold",
            "app=db",
            &[
                "journal of strike: Release { instance: \"db-0\" }",
                "terminate db-0 Crash hold=true",
                "journal of strike: Release { instance: \"db-1\" }",
                "terminate db-1 Crash hold=true",
            ],
        ),
        ("isolate", "app=db", &["journal of strike: Heal", "isolate app=db from None Both"]),
        (
            "scale-to-zero",
            "app=db",
            &["journal of strike: Scale { workload: \"db\", replicas: 2 }", "scale db 0"],
        ),
        (
            "set-quota",
            "app=db",
            &[
                "journal of strike: SetQuota { group: \"data\", quota: Quota { cpu: Some(3000), memory: None } }",
                "quota data Some(1000)",
            ],
        ),
        ("fail-node", "", &["journal of strike: RestoreNode { node: \"node-a\" }", "fail node-a"]),
        (
            "cordon",
            "",
            &[
                "journal of strike: SetSchedulable { node: \"node-a\", schedulable: true }",
                "schedulable node-a false",
            ],
        ),
    ] {
        let (done, outcome) = strike(action, "app=db", grant).await;
        assert!(outcome.is_ok(), "{action}: {outcome:?}");
        assert_eq!(done[..expected.len()], *expected, "{action}");
    }
}

#[tokio::test]
async fn what_cannot_be_journaled_is_not_done() {
    let config = json!({ "selector": "app=db", "action": "crash-and-hold" });
    let mut struck = armed(config, to_cluster("app=db"), true).await;
    let aim = struck.instance.aim().await.expect("aims");
    let Ok(Err(InjectError::Failed(failure))) = struck.instance.inject(aim).await else { panic!("injected") };
    insta::assert_snapshot!(
        assay::capability::failure_text(&failure),
        @"not done, because the journal cannot be written: the disk is full"
    );
    assert_eq!(struck.memory.take(), [] as [&str; 0]);
}

#[tokio::test]
async fn what_is_not_granted_is_denied_and_named() {
    let mut struck =
        armed(json!({ "selector": "app=db", "action": "crash" }), Grants::default(), false).await;
    let denied = struck.instance.aim().await.expect_err("denied");
    insta::assert_snapshot!(
        denied,
        @r#"denied: plugin 'plain-fault' may not use cluster on 'app=db'; add to [plugins.plain-fault]: grants = { cluster = ["app=db"] }"#
    );
    assert_eq!(struck.stage.failures()[0].1, PluginFailureKind::Failed);

    // Everything that the selector means must be granted, not only a part.
    let (done, outcome) = strike("isolate", "app in (db, web)", "app=db").await;
    assert!(done.is_empty(), "{done:?}");
    insta::assert_snapshot!(
        outcome.expect_err("denied"),
        @r#"denied: plugin 'plain-fault' may not use cluster on instance 'web-0'; add to [plugins.plain-fault]: grants = { cluster = ["app in (db, web)"] }"#
    );
    // Instances are not nodes.
    let (done, outcome) = strike("fail-node", "app=db", "app=db").await;
    assert!(done.is_empty(), "{done:?}");
    insta::assert_snapshot!(
        outcome.expect_err("denied"),
        @r#"denied: plugin 'plain-fault' may not use cluster on node 'node-a'; add to [plugins.plain-fault]: grants = { cluster = ["name=node-a"] }"#
    );
    // A quota bounds whole groups.
    let (done, outcome) = strike("set-quota", "app=web", "").await;
    assert!(done.is_empty(), "{done:?}");
    insta::assert_snapshot!(
        outcome.expect_err("refused"),
        @"invalid: 'app=web' leaves out workload 'worker' of group 'front', which a quota would bound, too"
    );
}

/// Makes instances as they were made for the strike.
struct Again {
    config: Value,
    memory: Arc<Memory>,
}

#[async_trait]
impl Armory for Again {
    async fn instance(&self) -> std::result::Result<FaultInstance, String> {
        self.memory.note("a new instance");
        Ok(armed_in(self.config.clone(), to_cluster("app=db"), false, self.memory.clone()).await.instance)
    }
}

#[tokio::test]
async fn a_fault_that_dies_is_reverted_by_a_fresh_instance() {
    let config = json!({ "selector": "app=db", "action": "exec", "panic-in-effect": true });
    let Struck { memory, instance, .. } = armed(config.clone(), to_cluster("app=db"), false).await;
    let folder = tempfile::tempdir().expect("a folder");
    let stream = Stream::new(Clock::start());
    let mut events = stream.subscribe();
    let mut armed = Armed {
        name: "strike".to_owned(),
        instance,
        armory: Arc::new(Again { config, memory: memory.clone() }),
        stream,
        journal: Arc::new(Journal::open(&folder.path().join("journal.jsonl")).expect("a journal")),
        environment: Arc::new(Paper { memory: memory.clone(), refuse_journal: false }),
    };
    armed.strike().await.expect("strikes");
    let on_each = [r#"exec db-0 ["true"]"#, r#"exec db-1 ["true"]"#];
    assert_eq!(memory.take(), on_each);
    armed.prove(Duration::from_millis(1)).await;
    assert!(armed.revert().await, "it is put back");
    assert_eq!(memory.take(), ["a new instance", on_each[0], on_each[1]]);
    assert!(armed.revert().await && memory.take().is_empty(), "once");

    let told: Vec<_> =
        std::iter::from_fn(|| events.try_recv().ok()).map(|event| event.fact.clone()).collect();
    let findings = told.iter().filter_map(|fact| match fact {
        Fact::Finding { message, .. } => Some(message.as_str()),
        _ => None,
    });
    let findings: Vec<_> = findings.collect();
    assert!(findings[0].ends_with("the config said so"), "{findings:?}");
}

#[tokio::test]
async fn a_preview_names_victims_and_findings() {
    let config = json!({ "selector": "app=db", "action": "crash", "blocking": "no room" });
    let mut struck = armed(config, to_cluster("app=db"), false).await;
    let forecast = struck.instance.preview().await.expect("looks ahead");
    assert_eq!(forecast.victims.len(), 2);
    assert_eq!(forecast.findings[0].message, "no room");
    assert_eq!(struck.memory.take(), [] as [&str; 0]);
}
