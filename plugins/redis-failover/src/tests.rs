use std::time::Duration;

use assay_sdk::fake::{self, FakeHost};
use assay_sdk::fault::{Bite, When};
use assay_sdk::redis::Item;

use super::*;

const CONFIG: &str =
    r#"{"selector": "app=redis", "sentinel": {"selector": "app=sentinel", "master": "shop"}}"#;

fn fault(json: &str) -> RedisFailover {
    RedisFailover::new(assay_sdk::config::read(json).expect("a config"))
}

fn texts(words: &[&str]) -> Result<Vec<Item>> {
    Ok(words.iter().map(|word| Item::Text((*word).to_owned())).collect())
}

fn silence() -> Result<Vec<Item>> {
    Err(Failure::Unreachable("connection refused".to_owned()))
}

/// What the Sentinels from this number on say.
fn sentinels_say(host: &FakeHost, which: impl IntoIterator<Item = u32>, place: &str, flags: &str) {
    for number in which {
        let sentinel = format!("sentinel-{number}:26379");
        host.redis_now(&sentinel, "SENTINEL GET-MASTER-ADDR-BY-NAME shop", texts(&[place, "6379"]));
        let described = texts(&["name", "shop", "ip", place, "flags", flags]);
        host.redis_now(&sentinel, "SENTINEL MASTER shop", described);
    }
}

/// Three servers, of which redis-1 is the master, though the labels say redis-0; and three Sentinels.
fn cluster_of_six() -> FakeHost {
    let host = FakeHost::start();
    for (number, role) in [(0, "master"), (1, "slave"), (2, "slave")] {
        let mut server = fake::instance(&format!("redis-{number}"), &format!("app=redis,role={role}"));
        server.address = Some(format!("10.0.0.{number}"));
        host.instance(server);
        host.redis(
            &format!("redis-{number}"),
            "ROLE",
            texts(&[if number == 1 { "master" } else { "slave" }]),
        );
        let mut sentinel = fake::instance(&format!("sentinel-{number}"), "app=sentinel");
        sentinel.address = Some(format!("10.0.1.{number}"));
        host.instance(sentinel);
    }
    sentinels_say(&host, 0..3, "10.0.0.1", "master");
    host
}

fn struck(host: &FakeHost, fault: &mut RedisFailover) {
    let strike = fault.aim().expect("an aim");
    fault.inject(&strike).expect("a strike");
    host.redis_now("redis-1", "ROLE", silence());
}

#[test]
fn aims_at_who_says_so_and_is_named() {
    let _host = cluster_of_six();
    let strike = fault(CONFIG).aim().expect("an aim");
    assert_eq!((strike.victims[0].name.as_str(), strike.victims[0].role.as_str()), ("redis-1", "primary"));
    assert_eq!(
        strike.victims[0].because,
        "asked by redis: redis-0 is a replica; redis-1 is a master; redis-2 is a replica; sentinel-0 names \
         10.0.0.1; sentinel-1 names 10.0.0.1; sentinel-2 names 10.0.0.1"
    );
}

#[test]
fn a_master_that_is_not_named_is_none() {
    let host = cluster_of_six();
    // Two of three speak of somebody else, one by a name.
    sentinels_say(&host, 0..2, "redis-2.redis.shop.svc", "master");
    let failure = fault(CONFIG).aim().expect_err("they disagree");
    assert!(
        failure.to_string().starts_with(
            "conflict: not exactly one of app=redis is a master that most Sentinels name: redis-0 is a replica"
        ),
        "{failure}"
    );
    host.redis_now("redis-2", "ROLE", texts(&["master"]));
    assert_eq!(fault(CONFIG).aim().expect("an aim").victims[0].name, "redis-2");
}

#[test]
fn manner_and_hold_are_the_configs() {
    for (more, call) in [
        ("", "cluster.terminate redis-1 crash hold"),
        (r#", "manner": "freeze", "hold": false"#, "cluster.terminate redis-1 freeze"),
    ] {
        let host = cluster_of_six();
        let json = format!("{}{more}}}", CONFIG.strip_suffix('}').expect("an object"));
        struck(&host, &mut fault(&json));
        assert_eq!(host.calls().last().expect("a call"), call);
    }
}

#[test]
fn an_aim_that_no_longer_holds_is_stale() {
    let host = cluster_of_six();
    let mut fault = fault(CONFIG);
    let strike = fault.aim().expect("an aim");
    host.redis_now("redis-1", "ROLE", texts(&["slave"]));
    assert!(matches!(fault.inject(&strike), Err(InjectError::Stale(_))));
}

#[test]
fn silence_of_the_victim_proves_the_effect() {
    let host = cluster_of_six();
    let mut fault = fault(CONFIG);
    let strike = fault.aim().expect("an aim");
    fault.inject(&strike).expect("a strike");
    assert_eq!(fault.effect().expect("an impact").bite, Bite::NotYet);
    host.pass(Duration::from_secs(10));
    let impact = fault.effect().expect("an impact");
    assert_eq!((impact.bite, impact.probed.as_str()), (Bite::Absent, "redis-1 is a master"));
    host.redis_now("redis-1", "ROLE", silence());
    assert_eq!(fault.effect().expect("an impact").bite, Bite::Proven);
}

#[test]
fn a_failover_is_followed_step_by_step() {
    let host = cluster_of_six();
    let mut fault = fault(CONFIG);
    struck(&host, &mut fault);
    assert_eq!(fault.recovered().expect("a recovery").steps, []);
    host.pass(Duration::from_secs(3));
    sentinels_say(&host, 0..1, "10.0.0.1", "master,s_down,o_down");
    fault.recovered().expect("a recovery");
    host.pass(Duration::from_secs(1));
    host.redis_now("redis-2", "ROLE", texts(&["master"]));
    sentinels_say(&host, 0..1, "10.0.0.2", "master");
    assert!(!fault.recovered().expect("a recovery").complete, "one of three is not most");
    host.pass(Duration::from_secs(1));
    sentinels_say(&host, 1..2, "10.0.0.2", "master");
    let recovery = fault.recovered().expect("a recovery");
    let steps: Vec<_> = recovery.steps.iter().map(|step| (step.name.as_str(), step.at.clone())).collect();
    let at = |seconds: u64| When::Observed(seconds * 1_000_000_000);
    assert!(recovery.complete);
    assert_eq!(steps, [("detected", at(3)), ("promoted", at(4)), ("routed", at(5))]);
}

#[test]
fn a_master_that_came_back_in_place_is_no_failover() {
    let host = cluster_of_six();
    let mut fault = fault(CONFIG);
    struck(&host, &mut fault);
    let mut back = fake::instance("redis-1", "app=redis");
    (back.restarts, back.address) = (1, Some("10.0.0.1".to_owned()));
    host.instance(back);
    host.redis_now("redis-1", "ROLE", texts(&["master"]));
    let recovery = fault.recovered().expect("a recovery");
    assert_eq!((recovery.complete, recovery.steps[0].name.as_str()), (true, "same-primary-returned"));
}
