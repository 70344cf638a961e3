use std::time::Duration;

use assay_sdk::fake::{self, FakeHost};
use assay_sdk::fault::{Bite, Severity, When};
use assay_sdk::http::Error;
use assay_sdk::sql::Value;

use super::roles::ROLE;
use super::*;

const CONFIG: &str = r#"{"selector": "app=postgres", "credentials": "shop", "database": "shop"}"#;

fn fault(json: &str) -> PostgresFailover {
    PostgresFailover::new(assay_sdk::config::read(json).expect("a config"))
}

fn primary(timeline: &str) -> Result<sql::RawRows> {
    fake::rows(&["recovery", "timeline"], vec![vec![false.into(), timeline.into()]])
}

fn standby() -> Result<sql::RawRows> {
    fake::rows(&["recovery", "timeline"], vec![vec![true.into(), Value::Null]])
}

fn silence() -> Result<sql::RawRows> {
    Err(Failure::Unreachable("connection refused".to_owned()))
}

/// Three instances; pg-1 is the primary, though the labels say pg-0.
fn cluster_of_three() -> FakeHost {
    let host = FakeHost::start();
    for (number, role) in [(0, "primary"), (1, "replica"), (2, "replica")] {
        let mut instance = fake::instance(&format!("pg-{number}"), &format!("app=postgres,role={role}"));
        instance.address = Some(format!("10.0.0.{number}"));
        host.instance(instance);
    }
    host.sql("pg-0", ROLE, standby());
    host.sql("pg-1", ROLE, primary("00000003"));
    host.sql("pg-2", ROLE, standby());
    host
}

fn struck(host: &FakeHost, fault: &mut PostgresFailover) -> Injected {
    let strike = fault.aim().expect("an aim");
    let injected = fault.inject(&strike).expect("a strike");
    host.sql_now("pg-1", ROLE, silence());
    injected
}

fn step_names(recovery: &Recovery) -> Vec<&str> {
    recovery.steps.iter().map(|step| step.name.as_str()).collect()
}

#[test]
fn aims_at_who_says_to_be_the_primary_whatever_labels_say() {
    let _host = cluster_of_three();
    let strike = fault(CONFIG).aim().expect("an aim");
    assert_eq!(strike.victims.len(), 1);
    assert_eq!((strike.victims[0].name.as_str(), strike.victims[0].role.as_str()), ("pg-1", "primary"));
    assert_eq!(
        strike.victims[0].because,
        "asked by sql: pg-0 is in recovery; pg-1 is the primary on timeline 3; pg-2 is in recovery"
    );
}

#[test]
fn none_or_two_primaries_are_a_conflict_that_names_the_answers() {
    let host = cluster_of_three();
    host.sql_now("pg-2", ROLE, primary("00000004"));
    let failure = fault(CONFIG).aim().expect_err("a failure");
    assert_eq!(
        failure.to_string(),
        "conflict: not exactly one primary among app=postgres: pg-0 is in recovery; \
         pg-1 is the primary on timeline 3; pg-2 is the primary on timeline 4"
    );
    host.sql_now("pg-1", ROLE, silence());
    host.sql_now("pg-2", ROLE, standby());
    let failure = fault(CONFIG).aim().expect_err("a failure");
    assert!(failure.text().contains("pg-1 does not answer (unreachable: connection refused)"), "{failure}");
}

#[test]
fn strikes_hard_holds_and_reads_the_clock_before() {
    let host = cluster_of_three();
    host.pass(Duration::from_secs(100));
    let injected = struck(&host, &mut fault(CONFIG));
    assert_eq!(injected.at, 100_000_000_000);
    assert_eq!(host.calls().last().expect("a call"), "cluster.terminate pg-1 crash hold");
}

#[test]
fn manner_and_hold_are_the_configs() {
    let host = cluster_of_three();
    let json = CONFIG.replace('}', r#", "manner": "freeze", "hold": false}"#);
    struck(&host, &mut fault(&json));
    assert_eq!(host.calls().last().expect("a call"), "cluster.terminate pg-1 freeze");
}

#[test]
fn an_aim_that_no_longer_holds_is_stale_and_changes_nothing() {
    let host = cluster_of_three();
    let mut fault = fault(CONFIG);
    let strike = fault.aim().expect("an aim");
    host.sql_now("pg-1", ROLE, standby());
    assert!(matches!(fault.inject(&strike), Err(InjectError::Stale(_))));

    host.sql_now("pg-1", ROLE, primary("00000003"));
    let mut anew = fake::instance("pg-1", "app=postgres");
    anew.uid = "another".to_owned();
    host.instance(anew);
    assert!(matches!(fault.inject(&strike), Err(InjectError::Stale(_))));
}

#[test]
fn silence_of_the_victim_proves_the_effect() {
    let host = cluster_of_three();
    let mut fault = fault(CONFIG);
    let strike = fault.aim().expect("an aim");
    fault.inject(&strike).expect("a strike");
    assert_eq!(fault.effect().expect("an impact").bite, Bite::NotYet);
    host.sql_now("pg-1", ROLE, Err(Failure::Conflict("the database system is starting up".to_owned())));
    assert_eq!(fault.effect().expect("an impact").bite, Bite::NotYet);
    host.sql_now("pg-1", ROLE, silence());
    let impact = fault.effect().expect("an impact");
    assert_eq!(impact.bite, Bite::Proven);
    assert_eq!(impact.probed, "pg-1 does not answer: unreachable: connection refused");
    host.sql_now("pg-1", ROLE, primary("00000003"));
    host.pass(Duration::from_secs(11));
    assert_eq!(fault.effect().expect("an impact").bite, Bite::Absent);
}

#[test]
fn follows_detection_and_promotion() {
    let host = cluster_of_three();
    let mut fault = fault(&CONFIG.replace('}', r#", "patroni-port": 8008}"#));
    let members = |leader: &str| {
        format!(r#"{{"members": [{{"name": "pg-0", "role": "replica"}}{leader}], "scope": "shop"}}"#)
    };
    let old = members(r#", {"name": "one", "role": "leader", "host": "10.0.0.1", "timeline": 3}"#);
    host.http("GET", "http://10.0.0.0:8008/cluster", 200, old.clone());
    host.http("GET", "http://10.0.0.2:8008/cluster", 200, old);
    struck(&host, &mut fault);

    assert_eq!(fault.recovered().expect("a recovery"), Recovery { complete: false, steps: Vec::new() });

    host.pass(Duration::from_secs(4));
    host.http_now("GET", "http://10.0.0.2:8008/cluster", Ok(fake::Answer::new(200, members(""))));
    assert_eq!(step_names(&fault.recovered().expect("a recovery")), ["detected"]);

    host.pass(Duration::from_secs(2));
    host.sql_now("pg-0", ROLE, primary("00000004"));
    let recovery = fault.recovered().expect("a recovery");
    assert!(recovery.complete);
    assert_eq!(step_names(&recovery), ["detected", "promoted"]);
    assert_eq!(recovery.steps[0].at, When::Observed(4_000_000_000));
    assert_eq!(recovery.steps[0].detail, "pg-2 sees no leader");
    assert_eq!(recovery.steps[1].at, When::Observed(6_000_000_000));
    assert_eq!(recovery.steps[1].detail, "pg-0 accepts writes on timeline 4, 3 before");

    host.pass(Duration::from_secs(2));
    assert_eq!(fault.recovered().expect("a recovery"), recovery);
}

#[test]
fn without_a_grant_for_patroni_the_step_is_skipped_once_and_aloud() {
    let host = cluster_of_three();
    let mut fault = fault(&CONFIG.replace('}', r#", "patroni-port": 8008}"#));
    host.http_answer("GET", "http://10.0.0.0:8008/cluster", Err(Error::Denied("not granted".to_owned())));
    struck(&host, &mut fault);
    host.sql_now("pg-0", ROLE, primary("00000004"));
    for _ in 0..2 {
        assert_eq!(step_names(&fault.recovered().expect("a recovery")), ["promoted"]);
    }
    assert_eq!(host.logged().len(), 1);
}

#[test]
fn waits_for_the_route_where_there_is_one() {
    let host = cluster_of_three();
    host.instance(fake::instance("haproxy-0", "app=haproxy"));
    let json = CONFIG.replace('}', r#", "route": {"selector": "app=haproxy", "port": 5000}}"#);
    let mut fault = fault(&json);
    struck(&host, &mut fault);
    host.sql_now("pg-2", ROLE, primary("00000004"));
    let recovery = fault.recovered().expect("a recovery");
    assert!(!recovery.complete);
    host.sql("haproxy-0:5000", ROLE, primary("00000004"));
    let recovery = fault.recovered().expect("a recovery");
    assert!(recovery.complete);
    assert_eq!(step_names(&recovery), ["promoted", "routed"]);
}

#[test]
fn a_primary_that_came_back_in_place_is_named_so() {
    let host = cluster_of_three();
    let mut fault = fault(&CONFIG.replace('}', r#", "hold": false}"#));
    struck(&host, &mut fault);
    assert!(!fault.recovered().expect("a recovery").complete);
    let mut back = fake::instance("pg-1", "app=postgres");
    back.restarts = 1;
    host.instance(back);
    host.sql_now("pg-1", ROLE, primary("00000003"));
    let recovery = fault.recovered().expect("a recovery");
    assert!(recovery.complete);
    assert_eq!(step_names(&recovery), ["same-primary-returned"]);
}

#[test]
fn the_preview_says_what_would_happen() {
    let _host = cluster_of_three();
    let forecast = fault(CONFIG).preview().expect("a forecast");
    assert_eq!(forecast.victims[0].name, "pg-1");
    assert_eq!(forecast.actions, ["crash pg-1 and hold it until the revert"]);
    assert_eq!(forecast.findings, []);
}

#[test]
fn the_preview_warns_where_nobody_can_take_over() {
    let host = FakeHost::start();
    host.instance(fake::instance("pg-0", "app=postgres"));
    host.sql("pg-0", ROLE, primary("00000001"));
    let forecast = fault(CONFIG).preview().expect("a forecast");
    assert_eq!(forecast.findings[0].severity, Severity::Warning);
}
