use assay_sdk::fake::{FakeHost, fault_seen};

use super::*;

fn judged(json: &str, audits: Vec<AuditSeen>) -> Vec<Verdict> {
    let host = FakeHost::start();
    for audit in audits {
        host.audit(audit);
    }
    let config = assay_sdk::config::read(json).expect("a config");
    DataLoss::new(config).evaluate(Moment::Final).expect("verdicts")
}

fn audit() -> AuditSeen {
    AuditSeen {
        behavior: "shop".to_owned(),
        attempted: 110,
        confirmed: 100,
        rejected: 7,
        indeterminate: 3,
        lost: 0,
        lost_keys: Vec::new(),
        lost_span: None,
        phantom: 0,
        duplicated: 0,
        failure: None,
    }
}

fn outcomes(verdicts: &[Verdict]) -> Vec<(&str, Outcome)> {
    verdicts.iter().map(|verdict| (verdict.subject.as_str(), verdict.outcome)).collect()
}

#[test]
fn all_there_is_kept() {
    let verdicts = judged(r#"{"rpo": "15m"}"#, vec![audit()]);
    assert_eq!(
        outcomes(&verdicts),
        [
            ("shop: confirmed writes lost", Outcome::Kept),
            ("shop: RPO", Outcome::Kept),
            ("shop: writes duplicated", Outcome::Kept),
            ("shop: phantom writes", Outcome::Kept),
        ]
    );
    assert_eq!(verdicts[0].because, "of 100 confirmed; 110 attempted, 7 rejected, 3 indeterminate");
}

#[test]
fn every_kind_of_loss_breaks_its_own_promise() {
    let lossy = AuditSeen {
        lost: 2,
        lost_keys: vec!["sale-7".to_owned(), "sale-9".to_owned()],
        lost_span: Some(16 * 60 * 1_000_000_000),
        duplicated: 1,
        phantom: 1,
        ..audit()
    };
    let verdicts = judged(r#"{"rpo": "15m"}"#, vec![lossy.clone()]);
    assert!(verdicts.iter().all(|verdict| verdict.outcome == Outcome::Broken), "{verdicts:?}");
    assert!(verdicts[0].because.ends_with("the first of them is sale-7"));
    // At its bound a promise is kept.
    let verdicts = judged(r#"{"lost": 2, "rpo": "16m", "duplicated": 1, "phantom": 1}"#, vec![lossy]);
    assert!(verdicts.iter().all(|verdict| verdict.outcome == Outcome::Kept), "{verdicts:?}");
}

#[test]
fn what_was_not_audited_to_its_end_proves_nothing() {
    assert_eq!(outcomes(&judged("{}", Vec::new())), [("data loss", Outcome::Inconclusive)]);
    let broken_off = AuditSeen { failure: Some("timed out".to_owned()), ..audit() };
    let silent = AuditSeen { behavior: "probe".to_owned(), confirmed: 0, ..audit() };
    assert_eq!(
        outcomes(&judged(r#"{"only": ["shop", "probe", "admin"]}"#, vec![broken_off, silent])),
        [
            ("shop: confirmed writes lost", Outcome::Inconclusive),
            ("probe: confirmed writes lost", Outcome::Inconclusive),
            ("admin: confirmed writes lost", Outcome::Inconclusive),
        ]
    );
}

#[test]
fn sessions_that_are_gone_are_counted_and_said_of_which_fault() {
    let judged = |allowed: u64| {
        let host = FakeHost::start();
        host.audit(audit());
        for name in ["redis", "web", "never"] {
            host.fault(fault_seen(name, 30_000_000_000));
        }
        host.checks(|span| {
            let (passed, failed) = match span {
                Span::Whole => (997, 3),
                Span::Fault(name) if name == "redis" => (40, 2),
                Span::Fault(_) => (50, 0),
                _ => (0, 0),
            };
            let check = |name: &str, failed| CheckSeen { name: name.to_owned(), passed, failed };
            Ok(vec![check("priced", 7), check(metrics::STILL_SIGNED_IN, failed)])
        });
        let config = assay_sdk::config::read(&format!(r#"{{"sessions": {allowed}}}"#)).expect("a config");
        DataLoss::new(config).evaluate(Moment::Final).expect("verdicts").pop().expect("the last one")
    };
    let verdict = judged(2);
    assert_eq!((verdict.subject.as_str(), verdict.outcome), ("sessions lost", Outcome::Broken));
    assert_eq!(verdict.because, "in 1000 answers that showed it; 2 of them during redis");
    assert_eq!(judged(3).outcome, Outcome::Kept);
}

#[test]
fn sessions_of_which_nobody_told_prove_nothing() {
    let verdicts = judged(r#"{"sessions": 0}"#, vec![audit()]);
    let last = verdicts.last().expect("one");
    assert_eq!((last.subject.as_str(), last.outcome), ("sessions lost", Outcome::Inconclusive));
    assert!(
        judged("{}", vec![audit()]).iter().all(|verdict| verdict.subject != "sessions lost"),
        "not promised"
    );
}

#[test]
fn only_the_named_behaviors_are_judged() {
    let lossy = AuditSeen { behavior: "other".to_owned(), lost: 1, ..audit() };
    let verdicts = judged(r#"{"only": ["shop"]}"#, vec![audit(), lossy]);
    assert!(verdicts.iter().all(|verdict| verdict.outcome == Outcome::Kept));
}
