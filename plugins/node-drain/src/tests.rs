use assay_sdk::fake::{self, FakeHost};
use assay_sdk::fault::Bite;

use super::*;

fn fault(json: &str) -> NodeDrain {
    NodeDrain::new(assay_sdk::config::read(json).expect("a config"))
}

fn put(host: &FakeHost, name: &str, node: &str, uid: &str) {
    let mut instance = fake::instance(name, "app=web");
    (instance.node, instance.uid) = (node.to_owned(), uid.to_owned());
    host.instance(instance);
}

/// Two nodes; the first carries a web.
fn two_nodes() -> FakeHost {
    let host = FakeHost::start();
    host.node("node-1", "");
    host.node("node-2", "");
    put(&host, "web-0", "node-1", "one");
    host
}

#[test]
fn it_is_over_when_what_was_evicted_is_ready_elsewhere() {
    let host = two_nodes();
    let mut fault = fault(r#"{"selector": "app=web"}"#);
    let strike = fault.aim().expect("an aim");
    assert_eq!(strike.victims[0].name, "node-1", "the other one carries nothing");
    fault.inject(&strike).expect("a strike");
    assert_eq!(host.calls().last().expect("a call"), "cluster.drain node-1");
    let impact = fault.effect().expect("an impact");
    assert_eq!((impact.bite, impact.probed.as_str()), (Bite::NotYet, "node-1 still carries web-0"));

    put(&host, "web-0", "node-2", "two");
    assert_eq!(fault.effect().expect("an impact").bite, Bite::Proven);
    let recovery = fault.recovered().expect("a recovery");
    let steps: Vec<_> = recovery.steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!((recovery.complete, steps), (true, vec!["evicted", "ready"]));
}

#[test]
fn a_node_that_takes_instances_again_was_not_drained() {
    let host = two_nodes();
    let mut fault = fault(r#"{"selector": "app=web"}"#);
    let strike = fault.aim().expect("an aim");
    fault.inject(&strike).expect("a strike");
    cluster::uncordon("node-1").expect("it is there");
    assert_eq!(fault.effect().expect("an impact").bite, Bite::Absent);
    drop(host);
}

#[test]
fn an_aim_whose_instances_left_by_themselves_is_stale() {
    let host = two_nodes();
    let mut fault = fault(r#"{"selector": "app=web"}"#);
    let strike = fault.aim().expect("an aim");
    put(&host, "web-0", "node-2", "two");
    assert!(matches!(fault.inject(&strike), Err(InjectError::Stale(_))));
}

#[test]
fn a_budget_that_forbids_it_is_told() {
    let host = two_nodes();
    let mut fault = fault(r#"{"selector": "app=web"}"#);
    let strike = fault.aim().expect("an aim");
    host.refuse_next(Failure::Conflict("the budget web allows no disruption".to_owned()));
    let Err(InjectError::Failed(failure)) = fault.inject(&strike) else { panic!("it was drained") };
    assert_eq!(failure.to_string(), "conflict: the budget web allows no disruption");
}
