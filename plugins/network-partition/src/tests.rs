use std::time::Duration;

use assay_sdk::cluster::ExecResult;
use assay_sdk::fake::{self, FakeHost};
use assay_sdk::fault::Bite;

use super::*;

fn fault(json: &str) -> NetworkPartition {
    NetworkPartition::new(assay_sdk::config::read(json).expect("a config"))
}

/// Five of etcd and one web, each at an address of its own.
fn cluster_of_six() -> FakeHost {
    let host = FakeHost::start();
    for (name, labels, address) in [
        ("etcd-0", "app=etcd", "10.0.0.10"),
        ("etcd-1", "app=etcd", "10.0.0.11"),
        ("etcd-2", "app=etcd", "10.0.0.12"),
        ("etcd-3", "app=etcd", "10.0.0.13"),
        ("etcd-4", "app=etcd", "10.0.0.14"),
        ("web-0", "app=web", "10.0.0.20"),
    ] {
        let mut instance = fake::instance(name, labels);
        instance.address = Some(address.to_owned());
        host.instance(instance);
    }
    host
}

fn answers(host: &FakeHost, from: &str, address: &str, codes: &[i32]) {
    for code in codes {
        let result = ExecResult { exit_code: *code, stdout: String::new(), stderr: "no route".to_owned() };
        let command = format!("timeout 2 bash -c exec 3<>\"/dev/tcp/$0/$1\" {address} 2379");
        host.exec(from, &command, Ok(result));
    }
}

fn isolations(host: &FakeHost) -> Vec<String> {
    host.calls().into_iter().filter(|call| call.starts_with("cluster.isolate")).collect()
}

const WEB_FROM_ETCD: &str = r#"{"selector": "app=web", "peer": "app=etcd", "probe": {"port": 2379}}"#;

#[test]
fn a_group_is_cut_off_and_the_probe_shows_it() {
    let host = cluster_of_six();
    answers(&host, "web-0", "10.0.0.10", &[0, 0, 124]);
    let mut fault = fault(WEB_FROM_ETCD);
    let strike = fault.aim().expect("an aim");
    fault.inject(&strike).expect("a strike");
    assert_eq!(isolations(&host), ["cluster.isolate app=web from app=etcd both"]);
    assert_eq!(fault.effect().expect("an impact").bite, Bite::NotYet);
    assert!(!fault.recovered().expect("a recovery").complete);
    let impact = fault.effect().expect("an impact");
    assert_eq!(
        (impact.bite, impact.probed.as_str()),
        (Bite::Proven, "web-0 reached etcd-0 at 10.0.0.10:2379 before, and does not now")
    );
    let recovery = fault.recovered().expect("a recovery");
    assert_eq!((recovery.complete, recovery.steps[0].name.as_str()), (true, "separated"));
}

#[test]
fn what_is_not_enforced_has_no_effect() {
    let host = cluster_of_six();
    answers(&host, "web-0", "10.0.0.10", &[0, 0]);
    let mut fault = fault(WEB_FROM_ETCD);
    let strike = fault.aim().expect("an aim");
    fault.inject(&strike).expect("a strike");
    host.pass(Duration::from_secs(15));
    let impact = fault.effect().expect("an impact");
    assert_eq!(
        (impact.bite, impact.probed.as_str()),
        (Bite::Absent, "web-0 still reaches etcd-0 at 10.0.0.10:2379: is the policy enforced here?")
    );
}

#[test]
fn what_was_not_connected_before_is_not_struck() {
    let host = cluster_of_six();
    answers(&host, "web-0", "10.0.0.10", &[1]);
    let failure = fault(WEB_FROM_ETCD).aim().expect_err("nothing could be shown");
    assert_eq!(
        failure.to_string(),
        "conflict: web-0 does not reach etcd-0 at 10.0.0.10:2379 before the strike either, so nothing could be \
         shown"
    );
    drop(host);
    let host = cluster_of_six();
    answers(&host, "web-0", "10.0.0.10", &[127]);
    let failure = fault(WEB_FROM_ETCD).aim().expect_err("there is no bash");
    assert_eq!(failure.text(), "a connection cannot be tried inside web-0: exit code 127, no route");
}

#[test]
fn what_comes_in_is_probed_from_the_other_side() {
    let host = cluster_of_six();
    answers(&host, "etcd-0", "10.0.0.20", &[0]);
    let json = WEB_FROM_ETCD.replace("\"probe\"", "\"direction\": \"ingress\", \"probe\"");
    let mut fault = fault(&json);
    let strike = fault.aim().expect("an aim");
    fault.inject(&strike).expect("a strike");
    assert_eq!(isolations(&host), ["cluster.isolate app=web from app=etcd ingress"]);
}

#[test]
fn a_quorum_loses_a_minority_or_a_majority() {
    for (members, wanted) in [("minority", 2), ("majority", 3), ("all", 1)] {
        let host = cluster_of_six();
        for member in 0..5 {
            answers(&host, &format!("etcd-{member}"), "10.0.0.20", &[0]);
        }
        let mut fault = fault(&format!(
            r#"{{"selector": "app=etcd", "members": "{members}", "probe": {{"peer": "app=web", "port": 2379}}}}"#
        ));
        let strike = fault.aim().expect("an aim");
        fault.inject(&strike).expect("a strike");
        let mut cuts = isolations(&host);
        cuts.dedup();
        assert_eq!(cuts.len(), wanted, "{members}: {cuts:?}");
        assert!(cuts.iter().all(|cut| cut.ends_with(" from everything both")), "{cuts:?}");
    }
    assert_eq!([1, 2, 3, 4, 5].map(|all| Members::Minority.of(all)), [0, 0, 1, 1, 2]);
    assert_eq!([1, 2, 3, 4, 5].map(|all| Members::Majority.of(all)), [1, 2, 2, 3, 3]);
}

#[test]
fn the_members_of_a_group_are_cut_off_from_each_other() {
    let host = cluster_of_six();
    for member in 0..5 {
        let other = if member == 0 { "10.0.0.11" } else { "10.0.0.10" };
        answers(&host, &format!("etcd-{member}"), other, &[0, 124]);
    }
    let mut fault = fault(r#"{"selector": "app=etcd", "peer": "app=etcd", "probe": {"port": 2379}}"#);
    let strike = fault.aim().expect("an aim");
    fault.inject(&strike).expect("a strike");
    assert_eq!(isolations(&host), ["cluster.isolate app=etcd from app=etcd both"]);
    assert_eq!(fault.effect().expect("an impact").bite, Bite::Proven);
}

#[test]
fn a_probe_needs_somebody_to_connect_to() {
    let config =
        assay_sdk::config::read(r#"{"selector": "app=web", "probe": {"port": 80}}"#).expect("a config");
    assert_eq!(NetworkPartition::validate(&config)[0].pointer, "/probe");
}
