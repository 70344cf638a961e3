use assay_sdk::config;
use assay_sdk::fake::{FakeHost, fault_seen, outage_seen};

use super::*;

const SECOND: u64 = 1_000_000_000;

fn judge(json: &str, moment: Moment) -> Vec<Verdict> {
    let config: Config = config::read(json).expect("a config");
    Recovery::new(config).evaluate(moment).expect("verdicts")
}

/// The verdicts on one fault: users, component, unaided.
fn verdicts(fault: FaultSeen) -> Vec<Verdict> {
    let host = FakeHost::start();
    host.fault(fault);
    judge("{}", Moment::Final)
}

/// A fault with a bound of 30 s, struck at 100 s, complete at 110 s.
fn fault() -> FaultSeen {
    let mut fault = fault_seen("postgres-primary", 30 * SECOND);
    fault.requirement = Some("29".to_owned());
    fault
}

fn with_outage(outage: Outage) -> FaultSeen {
    FaultSeen { users: vec![outage_seen("(all)", outage)], ..fault() }
}

#[test]
fn a_recovery_within_the_bound_keeps_all_promises() {
    let mut fault = with_outage(Outage::Ended(12 * SECOND));
    fault.users.push(outage_seen("pos", Outage::Ended(12 * SECOND)));
    fault.probe = Some(outage_seen("(all)", Outage::NotSeen));
    let verdicts = verdicts(fault);
    for verdict in &verdicts {
        assert_eq!(verdict.outcome, Outcome::Kept, "{}", verdict.subject);
        assert_eq!(verdict.requirement.as_deref(), Some("29"));
    }
    assert_eq!(verdicts[0].subject, "postgres-primary: RTO as users saw it");
    assert_eq!(verdicts[0].measured, Some(Measure::Duration(12 * SECOND)));
    assert_eq!(verdicts[0].because, "killed; known to 100 ms; pos: 12 s; the probe: no outage seen");
    assert_eq!(verdicts[1].measured, Some(Measure::Duration(10 * SECOND)));
    assert_eq!(verdicts[2].subject, "postgres-primary: no manual step");
}

#[test]
fn no_outage_is_kept_but_not_zero() {
    let verdict = verdicts(fault()).remove(0);
    assert_eq!(verdict.outcome, Outcome::Kept);
    assert_eq!(verdict.measured, Some(Measure::Text("no outage seen".to_owned())));
    assert!(verdict.promised.is_some());
}

#[test]
fn a_longer_outage_is_broken() {
    assert_eq!(verdicts(with_outage(Outage::Ended(31 * SECOND)))[0].outcome, Outcome::Broken);
}

#[test]
fn an_outage_that_did_not_end_is_broken_once_the_bound_has_passed() {
    let mut fault = with_outage(Outage::NotEnded(34 * SECOND));
    fault.reverted = Some(135 * SECOND);
    let verdict = verdicts(fault).remove(0);
    assert_eq!(verdict.outcome, Outcome::Broken);
    assert_eq!(verdict.measured, Some(Measure::Text(">= 34 s".to_owned())));

    // The last failure came before the bound, but no calm until 5 s after it.
    let mut fault = with_outage(Outage::NotEnded(29 * SECOND));
    fault.reverted = Some(135 * SECOND);
    assert_eq!(verdicts(fault)[0].outcome, Outcome::Broken);
}

#[test]
fn what_was_not_back_when_its_bound_was_reached_is_broken() {
    let mut fault = with_outage(Outage::NotEnded(30 * SECOND));
    (fault.complete, fault.unaided, fault.reverted) = (None, false, Some(130 * SECOND));
    for verdict in verdicts(fault) {
        assert_eq!(verdict.outcome, Outcome::Broken, "{}", verdict.subject);
    }
}

#[test]
fn an_outage_that_was_not_watched_to_its_bound_is_inconclusive() {
    let mut fault = with_outage(Outage::NotEnded(8 * SECOND));
    fault.reverted = Some(110 * SECOND);
    let verdict = verdicts(fault).remove(0);
    assert_eq!(verdict.outcome, Outcome::Inconclusive);
    let shortage = verdict.shortage.expect("a shortage");
    assert_eq!(
        (shortage.needed, shortage.had),
        (Measure::Duration(30 * SECOND), Measure::Duration(10 * SECOND))
    );
}

#[test]
fn too_few_requests_are_inconclusive() {
    let verdict = verdicts(with_outage(Outage::Unknown)).remove(0);
    assert_eq!(verdict.outcome, Outcome::Inconclusive);
    assert!(verdict.shortage.is_some());
}

#[test]
fn without_a_proven_effect_nothing_is_kept() {
    for (struck, effect, because) in [
        (None, Bite::NotYet, "it never struck: the state was not steady"),
        (Some(100 * SECOND), Bite::NotYet, "its effect was not proven: it did not answer"),
        (Some(100 * SECOND), Bite::Absent, "it had no effect: it did not answer"),
    ] {
        let fault = FaultSeen { struck, effect, because: "the state was not steady".to_owned(), ..fault() };
        for verdict in verdicts(fault) {
            assert_eq!((verdict.outcome, verdict.because.as_str()), (Outcome::Inconclusive, because));
            assert_eq!(verdict.shortage, None);
        }
    }
}

#[test]
fn a_component_that_never_came_back_is_broken() {
    let mut fault = fault();
    (fault.complete, fault.unaided, fault.reverted) = (None, false, Some(135 * SECOND));
    let verdicts = verdicts(fault);
    assert_eq!(verdicts[1].outcome, Outcome::Broken);
    assert_eq!(verdicts[1].measured, Some(Measure::Text(">= 35 s".to_owned())));
    assert_eq!(verdicts[2].outcome, Outcome::Broken);
}

#[test]
fn bounds_of_the_assertion_come_first() {
    let host = FakeHost::start();
    host.fault(with_outage(Outage::Ended(8 * SECOND)));
    let verdicts = judge(r#"{"bounds": {"postgres-primary": {"users": "5s"}}}"#, Moment::Final);
    assert_eq!(verdicts[0].outcome, Outcome::Broken);
    assert_eq!(verdicts[1].outcome, Outcome::Kept);
}

#[test]
fn chooses_faults_and_promises() {
    let host = FakeHost::start();
    host.fault(fault());
    host.fault(fault_seen("redis-primary", SECOND));
    let verdicts = judge(r#"{"only": ["redis-primary", "node"], "promises": ["unaided"]}"#, Moment::Final);
    let subjects: Vec<_> = verdicts.iter().map(|it| (it.subject.as_str(), it.outcome)).collect();
    assert_eq!(
        subjects,
        [("redis-primary: no manual step", Outcome::Kept), ("node: recovery", Outcome::Inconclusive),]
    );
}

#[test]
fn strikes_of_a_repeated_fault_go_by_its_name_or_their_own() {
    let host = FakeHost::start();
    for name in ["web", "web#2", "store"] {
        host.fault(FaultSeen { recover_within: None, ..fault_seen(name, 0) });
    }
    let subjects = |json: &str| -> Vec<String> {
        let verdicts = judge(json, Moment::Final);
        assert!(verdicts.iter().all(|it| it.outcome == Outcome::Kept), "{verdicts:?}");
        verdicts.into_iter().map(|it| it.subject).collect()
    };
    let unaided = r#""promises": ["unaided"]"#;
    assert_eq!(
        subjects(&format!(r#"{{"only": ["web"], {unaided}}}"#)),
        ["web: no manual step", "web#2: no manual step"]
    );
    assert_eq!(subjects(&format!(r#"{{"only": ["web#2"], {unaided}}}"#)), ["web#2: no manual step"]);
    // A bound of the assertion makes a fault one that it judges.
    assert_eq!(
        subjects(r#"{"bounds": {"web": {"component": "10s"}}, "promises": ["component"]}"#),
        ["web: RTO as the component saw it", "web#2: RTO as the component saw it"]
    );
}

#[test]
fn a_fault_that_is_still_in_force_says_nothing_about_manual_steps() {
    let mut fault = with_outage(Outage::NotEnded(8 * SECOND));
    (fault.unaided, fault.complete, fault.reverted) = (false, None, None);
    let verdict = verdicts(fault).remove(2);
    assert_eq!(
        (verdict.outcome, verdict.because.as_str()),
        (Outcome::Inconclusive, "it was not reverted yet")
    );
    assert_eq!(verdict.shortage, None);
}

#[test]
fn a_config_that_promises_nothing_is_refused() {
    let pointers = |json| -> Vec<String> {
        let errors = Recovery::validate(&config::read(json).expect("a config"));
        errors.into_iter().map(|error| error.pointer).collect()
    };
    assert_eq!(pointers(r#"{"promises": []}"#), ["/promises"]);
    assert_eq!(pointers("{}"), [""; 0]);
}

#[test]
fn no_fault_is_inconclusive() {
    let _host = FakeHost::start();
    let verdicts = judge("{}", Moment::Final);
    assert_eq!(verdicts.len(), 1);
    assert_eq!(verdicts[0].outcome, Outcome::Inconclusive);
}

#[test]
fn so_far_only_what_is_certain() {
    let host = FakeHost::start();
    let mut going_on = with_outage(Outage::NotEnded(8 * SECOND));
    (going_on.complete, going_on.unaided, going_on.reverted) = (None, false, None);
    host.fault(going_on);
    assert_eq!(judge("{}", Moment::SoFar), []);
    let mut late = fault_seen("redis-primary", 5 * SECOND);
    late.users = vec![outage_seen("(all)", Outage::Ended(9 * SECOND))];
    host.fault(late);
    let subjects: Vec<_> = judge("{}", Moment::SoFar).into_iter().map(|it| it.subject).collect();
    assert_eq!(
        subjects,
        ["redis-primary: RTO as users saw it", "redis-primary: RTO as the component saw it"]
    );
}

#[test]
fn a_revert_before_the_bound_says_nothing_about_manual_steps() {
    let mut fault = with_outage(Outage::NotEnded(8 * SECOND));
    (fault.unaided, fault.complete, fault.reverted) = (false, None, Some(125 * SECOND));
    let verdict = verdicts(fault.clone()).remove(2);
    assert_eq!(verdict.outcome, Outcome::Inconclusive);
    assert_eq!(verdict.shortage.map(|it| it.needed), Some(Measure::Duration(30 * SECOND)));

    fault.reverted = Some(135 * SECOND);
    assert_eq!(verdicts(fault)[2].outcome, Outcome::Broken);
}

#[test]
fn a_plugin_that_cannot_say_is_not_the_targets_failure() {
    let mut fault = with_outage(Outage::Ended(12 * SECOND));
    (fault.unaided, fault.complete, fault.reverted) = (false, None, Some(135 * SECOND));
    fault.trouble = Some("trapped: unreachable".to_owned());
    let verdicts = verdicts(fault);
    assert_eq!(verdicts[0].outcome, Outcome::Kept, "users were seen without it");
    for verdict in &verdicts[1..] {
        assert_eq!(verdict.outcome, Outcome::Inconclusive, "{}", verdict.subject);
        assert!(verdict.because.contains("trapped: unreachable"), "{}", verdict.because);
    }
}
