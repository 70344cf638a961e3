use std::time::Duration;

use assay_sdk::fake::{self, FakeHost};
use assay_sdk::fault::Bite;

use super::*;

fn fault(json: &str) -> NodeFailure {
    NodeFailure::new(assay_sdk::config::read(json).expect("a config"))
}

fn put(host: &FakeHost, name: &str, node: &str) {
    let mut instance = fake::instance(name, "app=web");
    instance.node = node.to_owned();
    host.instance(instance);
}

/// Three nodes, of which two carry a web each.
fn three_nodes() -> FakeHost {
    let host = FakeHost::start();
    for name in ["node-1", "node-2", "node-3"] {
        host.node(name, "");
    }
    put(&host, "web-0", "node-1");
    put(&host, "web-1", "node-2");
    host
}

#[test]
fn only_a_node_that_carries_something_is_struck() {
    let host = three_nodes();
    let strike = fault(r#"{"selector": "app=web"}"#).aim().expect("an aim");
    assert!(["node-1", "node-2"].contains(&strike.victims[0].name.as_str()));
    let strike = fault(r#"{"selector": "app=web", "node": "node-2"}"#).aim().expect("an aim");
    assert_eq!(
        (strike.victims[0].name.as_str(), strike.victims[0].because.as_str()),
        ("node-2", "carries web-1")
    );
    let failure = fault(r#"{"selector": "app=web", "node": "node-3"}"#).aim().expect_err("it is empty");
    assert_eq!(failure.to_string(), "not found: no node node-3 is ready and carries a ready app=web");
    let failure = fault(r#"{"selector": "app=db"}"#).aim().expect_err("there is none");
    assert_eq!(failure.to_string(), "not found: no node is ready and carries a ready app=db");
    assert!(host.calls().iter().all(|call| !call.starts_with("cluster.fail-node")));
}

#[test]
fn it_is_over_when_as_much_is_ready_elsewhere() {
    let host = three_nodes();
    let mut fault = fault(r#"{"selector": "app=web", "node": "node-1"}"#);
    let strike = fault.aim().expect("an aim");
    fault.inject(&strike).expect("a strike");
    assert_eq!(host.calls().last().expect("a call"), "cluster.fail-node node-1");
    host.pass(Duration::from_secs(1));
    assert_eq!(fault.effect().expect("an impact").bite, Bite::Proven);
    let recovery = fault.recovered().expect("a recovery");
    assert_eq!((recovery.complete, recovery.steps[0].name.as_str()), (false, "detected"));
    // On a dead node it counts for nothing, whatever it seems to be.
    put(&host, "web-2", "node-3");
    let recovery = fault.recovered().expect("a recovery");
    assert!(recovery.complete);
    assert_eq!(recovery.steps[1].detail, "2 are ready on other nodes, 2 on all before");
}

#[test]
fn a_node_that_stays_ready_proves_nothing() {
    let host = three_nodes();
    let mut fault = fault(r#"{"selector": "app=web", "node": "node-1"}"#);
    let strike = fault.aim().expect("an aim");
    fault.inject(&strike).expect("a strike");
    cluster::restore_node("node-1").expect("it is there");
    assert_eq!(fault.effect().expect("an impact").bite, Bite::NotYet);
    assert!(!fault.recovered().expect("a recovery").complete);
    host.pass(Duration::from_secs(60));
    assert_eq!(fault.effect().expect("an impact").bite, Bite::Absent);
}

#[test]
fn a_node_that_fell_by_itself_is_stale() {
    let _host = three_nodes();
    let mut fault = fault(r#"{"selector": "app=web", "node": "node-1"}"#);
    let strike = fault.aim().expect("an aim");
    cluster::fail_node("node-1").expect("it is there");
    assert!(matches!(fault.inject(&strike), Err(InjectError::Stale(_))));
}
