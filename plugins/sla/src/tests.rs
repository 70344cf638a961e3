use assay_sdk::config;
use assay_sdk::fake::{self, FakeHost};
use assay_sdk::observations::Latency;

use super::*;

fn sla(json: &str) -> Sla {
    let config: Config = config::read(json).expect("a config");
    assert_eq!(config.errors(), []);
    Sla::new(config)
}

fn judge(json: &str) -> Vec<Verdict> {
    sla(json).evaluate(Moment::Final).expect("verdicts")
}

fn outcomes(verdicts: &[Verdict]) -> Vec<(&str, Outcome)> {
    verdicts.iter().map(|it| (it.subject.as_str(), it.outcome)).collect()
}

#[test]
fn every_key_is_a_promise() {
    let host = FakeHost::start();
    host.summary(|_, span| {
        assert_eq!(*span, Span::OutsideFaults);
        Ok(fake::totals(200_000, 20))
    });
    host.percentile(|_, _, _, percent| Some(percent as u64 * 10_000_000));
    let verdicts = judge(
        r#"{"availability": "99.9%", "success-rate": "99%", "mean": "500ms", "p95": "900ms", "p99": 
            "1s", "max": "500ms", "requests": 100000, "peak-rate": "500/s"}"#,
    );
    assert_eq!(
        outcomes(&verdicts),
        [
            ("availability by request", Outcome::Kept),
            ("availability by time", Outcome::Broken),
            ("success rate", Outcome::Kept),
            ("mean of response time", Outcome::Kept),
            ("p95 of response time", Outcome::Broken),
            ("p99 of response time", Outcome::Kept),
            ("maximum of response time", Outcome::Broken),
            ("requests", Outcome::Kept),
            ("peak rate", Outcome::Broken),
        ]
    );
    assert_eq!(verdicts[4].because, "199980 successes outside faults, success rate 99.99 %");
}

#[test]
fn exactly_what_was_promised_keeps_the_promise() {
    let host = FakeHost::start();
    host.summary(|_, _| Ok(fake::totals(1000, 1)));
    assert_eq!(judge(r#"{"success-rate": "99.9%"}"#)[0].outcome, Outcome::Kept);
}

#[test]
fn too_few_samples_are_inconclusive() {
    let host = FakeHost::start();
    host.summary(|_, _| Ok(fake::totals(150, 0)));
    host.percentile(|_, _, _, _| Some(1));
    let verdicts = judge(r#"{"availability": "99.9%", "p95": "1s", "mean": "1s"}"#);
    assert_eq!(
        outcomes(&verdicts),
        [
            ("availability by request", Outcome::Inconclusive),
            ("availability by time", Outcome::Inconclusive),
            ("mean of response time", Outcome::Kept),
            ("p95 of response time", Outcome::Inconclusive),
        ]
    );
    let shortage = verdicts[3].shortage.clone().expect("a shortage");
    assert_eq!((shortage.needed, shortage.had), (Measure::Count(200), Measure::Count(150)));
}

#[test]
fn no_data_is_never_a_pass() {
    let host = FakeHost::start();
    host.summary(|_, _| Ok(fake::totals(0, 0)));
    host.percentile(|_, _, _, _| None);
    let verdicts = judge(
        r#"{"availability": "99%", "success-rate": "99%", "mean": "1s", "p95": "1s", "max": "1s", "peak-rate": 1}"#,
    );
    for verdict in verdicts {
        assert_eq!(verdict.outcome, Outcome::Inconclusive, "{}", verdict.subject);
        assert!(verdict.shortage.is_some(), "{}", verdict.subject);
    }
}

#[test]
fn the_error_budget_says_who_spent_it() {
    let host = FakeHost::start();
    host.summary(|_, span| match span {
        Span::Fault(name) if name == "postgres-primary" => Ok(fake::totals(1_000, 90)),
        Span::Fault(_) => Ok(fake::totals(1_000, 7)),
        _ => Ok(fake::totals(100_000, 120)),
    });
    host.fault(fake::fault_seen("postgres-primary", 30_000_000_000));
    host.fault(fake::fault_seen("redis-primary", 30_000_000_000));
    let mut never = fake::fault_seen("node", 30_000_000_000);
    never.struck = None;
    host.fault(never);

    let whole = judge(r#"{"availability": "99.9%", "span": "whole"}"#);
    assert_eq!(whole[0].outcome, Outcome::Broken);
    assert_eq!(
        whole[0].because,
        "100000 requests over the whole run; error budget: 100 failures allowed, 120 seen; \
         spent by postgres-primary 90, redis-primary 7, elsewhere 23"
    );
    let outside = judge(r#"{"availability": "99.9%"}"#);
    assert_eq!(
        outside[1].because,
        "1000 seconds outside faults; error budget: 1 bad seconds allowed, 1000 seen; \
         not counted, during faults: postgres-primary 10, redis-primary 10"
    );
}

#[test]
fn a_request_count_in_a_shorter_time_says_nothing() {
    let host = FakeHost::start();
    host.summary(|_, _| Ok(fake::totals(5_000, 0)));
    assert_eq!(judge(r#"{"requests": 100000}"#)[0].outcome, Outcome::Broken);
    let verdict = &judge(r#"{"requests": 100000, "requests-in": "30m"}"#)[0];
    assert_eq!(verdict.outcome, Outcome::Inconclusive);
    assert_eq!(verdict.shortage.as_ref().map(|it| it.needed.to_string()), Some("30 min".to_owned()));
    assert_eq!(judge(r#"{"requests": 100000, "requests-in": "50s"}"#)[0].outcome, Outcome::Broken);
}

#[test]
fn enough_requests_keep_the_promise_however_long_they_took() {
    let host = FakeHost::start();
    host.summary(|_, _| Ok(fake::totals(5_000, 0)));
    for requests in [4_999, 5_000] {
        let verdict = &judge(&format!(r#"{{"requests": {requests}, "requests-in": "30m"}}"#))[0];
        assert_eq!((verdict.outcome, &verdict.shortage), (Outcome::Kept, &None));
    }
}

#[test]
fn seconds_without_requests_are_unknown_and_said_to_be() {
    let host = FakeHost::start();
    host.summary(|_, _| Ok(Totals { empty_windows: 7, ..fake::totals(100_000, 0) }));
    let by_time = &judge(r#"{"availability": "99%"}"#)[1];
    assert_eq!(by_time.measured, Some(Measure::Ratio(1.0)));
    assert_eq!(
        by_time.because,
        "1000 seconds, and 7 unknown for want of requests outside faults; \
         error budget: 10 bad seconds allowed, 0 seen"
    );
}

#[test]
fn filters_and_requirements_show() {
    let host = FakeHost::start();
    host.summary(|filter, _| {
        assert_eq!(filter.behavior.as_deref(), Some("shop"));
        assert_eq!(filter.group.as_deref(), Some("pos"));
        Ok(fake::totals(1000, 0))
    });
    host.percentile(|_, _, latency, _| (latency == Latency::Service).then_some(1));
    let verdicts = judge(
        r#"{"p95": "1s", "behavior": "shop", "group": "pos", "latency": "service", "requirements": {"p95": "12"}}"#,
    );
    assert_eq!(verdicts[0].subject, "p95 of service time of shop, group pos");
    assert_eq!(verdicts[0].outcome, Outcome::Kept);
    assert_eq!(verdicts[0].requirement.as_deref(), Some("12"));
}

#[test]
fn so_far_only_what_cannot_be_mended() {
    let host = FakeHost::start();
    host.summary(|_, _| Ok(fake::totals(1000, 500)));
    let verdicts =
        sla(r#"{"success-rate": "99%", "max": "500ms"}"#).evaluate(Moment::SoFar).expect("verdicts");
    assert_eq!(outcomes(&verdicts), [("maximum of response time", Outcome::Broken)]);
}

#[test]
fn configs_that_promise_nothing_or_too_much_are_refused() {
    let errors = |json| Sla::validate(&config::read(json).expect("JSON"));
    assert_eq!(errors(r#"{"availability": "100%"}"#), [], "nobody may fail");
    assert_eq!(errors("{}")[0].pointer, "");
    assert_eq!(errors(r#"{"availability": 99.9}"#)[0].pointer, "/availability");
    assert_eq!(errors(r#"{"p95": "1s", "requirements": {"p99": "1"}}"#)[0].pointer, "/requirements/p99");
    assert_eq!(errors(r#"{"mean": "1s", "latency": "service"}"#)[0].pointer, "/latency");
    assert_eq!(errors(r#"{"p95": "1s", "requests-in": "1m"}"#)[0].pointer, "/requests-in");
}
