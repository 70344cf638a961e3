use std::time::Duration;

use assay_sdk::fake::{self, FakeHost};
use assay_sdk::fault::Bite;

use super::*;

fn fault(json: &str) -> PodKill {
    PodKill::new(assay_sdk::config::read(json).expect("a config"))
}

fn webs(count: usize) -> FakeHost {
    let host = FakeHost::start();
    for number in 0..count {
        host.instance(fake::instance(&format!("web-{number}"), "app=web"));
    }
    host
}

/// Aims and strikes; answers who was struck.
fn struck(fault: &mut PodKill) -> Vec<String> {
    let strike = fault.aim().expect("an aim");
    fault.inject(&strike).expect("a strike");
    strike.victims.into_iter().map(|victim| victim.name).collect()
}

/// Brings an instance back in a new container.
fn restart(host: &FakeHost, name: &str) {
    let mut back = fake::instance(name, "app=web");
    back.restarts = 1;
    host.instance(back);
}

#[test]
fn as_many_as_the_config_says() {
    let victims = |json: &str| {
        let _host = webs(5);
        let mut all = struck(&mut fault(json));
        all.sort();
        all.dedup();
        all.len()
    };
    assert_eq!(victims(r#"{"selector": "app=web"}"#), 1);
    assert_eq!(victims(r#"{"selector": "app=web", "count": 3}"#), 3);
    assert_eq!(victims(r#"{"selector": "app=web", "share": "50%"}"#), 3, "rounded up");
    assert_eq!(victims(r#"{"selector": "app=web", "share": "100%"}"#), 5);
    let share: Config = assay_sdk::config::read(r#"{"selector": "", "share": "7%"}"#).expect("a config");
    assert_eq!([1, 100, 101].map(|ready| share.victims(ready)), [1, 7, 8]);
}

#[test]
fn contradictions_are_errors_of_the_config() {
    let errors = |json: &str| PodKill::validate(&assay_sdk::config::read(json).expect("a config"));
    let both = errors(r#"{"selector": "app=web", "count": 1, "share": "10%"}"#);
    assert_eq!(both, [ConfigError::at("/share", "allowed is a count or a share, not both")]);
    for share in ["0%", "101%"] {
        let errors = errors(&format!(r#"{{"selector": "app=web", "share": "{share}"}}"#));
        assert_eq!(errors, [ConfigError::at("/share", "allowed is more than 0% and at most 100%")]);
    }
}

#[test]
fn only_what_is_ready_is_drawn() {
    let host = webs(2);
    let mut pending = fake::instance("web-0", "app=web");
    pending.state = InstanceState::Pending;
    host.instance(pending);
    assert_eq!(struck(&mut fault(r#"{"selector": "app=web"}"#)), ["web-1"]);

    let failure = fault(r#"{"selector": "app=web", "count": 2}"#).aim().expect_err("too few");
    assert_eq!(failure.to_string(), "not found: none of app=web is ready");
    restart(&host, "web-0");
    let failure = fault(r#"{"selector": "app=web", "count": 2}"#).aim().expect_err("too few");
    assert_eq!(failure.to_string(), "conflict: only 1 of app=web are ready, and 2 shall be killed");
}

#[test]
fn one_that_changed_since_the_aim_is_stale_and_nobody_is_killed() {
    let host = webs(2);
    let mut fault = fault(r#"{"selector": "app=web", "count": 2}"#);
    let strike = fault.aim().expect("an aim");
    restart(&host, "web-1");
    assert!(matches!(fault.inject(&strike), Err(InjectError::Stale(_))));
    assert!(host.calls().iter().all(|call| !call.starts_with("cluster.terminate")));
}

#[test]
fn manner_and_hold_are_the_configs() {
    let host = webs(1);
    struck(&mut fault(r#"{"selector": "app=web", "manner": "graceful", "hold": true}"#));
    assert_eq!(host.calls().last().expect("a call"), "cluster.terminate web-0 graceful hold");
}

#[test]
fn it_is_over_when_as_many_are_ready_as_before() {
    let host = webs(3);
    let mut fault = fault(r#"{"selector": "app=web", "count": 2}"#);
    let victims = struck(&mut fault);
    host.pass(Duration::from_secs(1));
    assert_eq!(fault.effect().expect("an impact").bite, Bite::Proven);
    let recovery = fault.recovered().expect("a recovery");
    assert_eq!((recovery.complete, recovery.steps[0].name.as_str()), (false, "gone"));
    restart(&host, &victims[0]);
    assert!(!fault.recovered().expect("a recovery").complete);
    // Another one in the place of the second.
    host.instance(fake::instance("web-9", "app=web"));
    let recovery = fault.recovered().expect("a recovery");
    assert!(recovery.complete);
    assert_eq!(recovery.steps[1].detail, "3 are ready, 3 before");
}

#[test]
fn victims_that_go_on_prove_nothing() {
    let host = webs(1);
    let mut fault = fault(r#"{"selector": "app=web"}"#);
    struck(&mut fault);
    host.instance(fake::instance("web-0", "app=web"));
    assert_eq!(fault.effect().expect("an impact").bite, Bite::NotYet);
    assert!(!fault.recovered().expect("a recovery").complete, "ready, but never gone");
    host.pass(Duration::from_secs(10));
    let impact = fault.effect().expect("an impact");
    assert_eq!((impact.bite, impact.probed.as_str()), (Bite::Absent, "still ready, never restarted: web-0"));
}

#[test]
fn the_plan_names_all_who_may_be_drawn() {
    let _host = webs(2);
    let forecast = fault(r#"{"selector": "app=web", "share": "100%"}"#).preview().expect("a forecast");
    assert_eq!(forecast.victims.len(), 2);
    assert_eq!(forecast.actions, ["crash 100% of app=web"]);
    assert_eq!(forecast.findings[0].message, "none is left to serve meanwhile");
}
