use std::cell::Cell;

use assay_sdk::config;
use assay_sdk::fake::{FakeHost, fault_seen};
use assay_sdk::observations::{Point, ReplicaPoint, WorkloadSeen};

use super::*;

/// Load from 100 s: calm, a peak from 200 s to 500 s, then calm again until 800 s.
const ALL: &str = r#"{
    "workload": "web",
    "up": {"phase": "peak", "replicas": 10, "within": "2m"},
    "down": {"phase": "calm", "replicas": 3, "within": "4m"},
    "latency": {"p95": "2s", "within": "1m"}
}"#;

thread_local! {
    /// The second until which the host has watched.
    static UNTIL: Cell<u64> = const { Cell::new(800) };
}

fn span(span: &Span) -> std::ops::Range<u64> {
    match span {
        Span::Whole => 100..800,
        Span::Phase(name) if name == "peak" => 200..500,
        Span::Phase(name) if name == "calm" => 500..800,
        Span::Between((from, _)) => from / SECOND..UNTIL.get(),
        _ => 0..0,
    }
}

/// A host on which p95 is so many milliseconds at each second.
fn host(p95: fn(u64) -> Option<u64>) -> FakeHost {
    let host = FakeHost::start();
    host.series(move |_, asked, metric| {
        let step = if metric == Metric::Users { 1 } else { 10 };
        let value = |second| match metric {
            Metric::Users | Metric::Requests => Some(1.0),
            _ => p95(second).map(|millis| millis as f64 * 1e6),
        };
        let points =
            span(asked).step_by(step).map(|second| Point { at: second * SECOND, value: value(second) });
        Ok(points.collect())
    });
    host
}

/// Counts at some seconds: desired, running, ready.
fn web(points: &[(u64, u32, u32, u32)]) -> WorkloadSeen {
    let point = |(second, desired, running, ready): &(u64, u32, u32, u32)| ReplicaPoint {
        at: second * SECOND,
        desired: *desired,
        running: *running,
        ready: *ready,
    };
    let replicas = points.iter().map(point).collect();
    WorkloadSeen { workload: "web".to_owned(), replicas, restarts: 0, oom_kills: 0 }
}

/// 3, 7, 10, and later 5 and 3.
const GOOD: [(u64, u32, u32, u32); 8] = [
    (90, 3, 3, 3),
    (215, 7, 7, 3),
    (230, 10, 10, 7),
    (233, 10, 10, 10),
    (575, 5, 10, 10),
    (576, 5, 5, 5),
    (635, 3, 5, 5),
    (636, 3, 3, 3),
];

fn judge(json: &str, moment: Moment) -> Vec<Verdict> {
    let config: Config = config::read(json).expect("a config");
    assert_eq!(config.errors(), []);
    Autoscaling::new(config).evaluate(moment).expect("verdicts")
}

fn outcomes(verdicts: &[Verdict]) -> Vec<(&str, Outcome)> {
    verdicts.iter().map(|it| (it.subject.as_str(), it.outcome)).collect()
}

#[test]
fn up_in_time_down_in_time_and_no_flapping() {
    let host = host(|second| Some(if second < 230 { 3_000 } else { 300 }));
    host.workload_seen(web(&GOOD));
    let verdicts = judge(ALL, Moment::Final);
    assert_eq!(
        outcomes(&verdicts),
        [
            ("web: up to 10 ready", Outcome::Kept),
            ("web: p95 back inside its bound", Outcome::Kept),
            ("web: back down to 3", Outcome::Kept),
            ("web: changes of direction", Outcome::Kept),
        ]
    );
    let measured: Vec<_> =
        verdicts.iter().map(|verdict| verdict.measured.clone().expect("a figure")).collect();
    assert_eq!(
        measured,
        [
            Measure::Duration(33 * SECOND),
            Measure::Duration(30 * SECOND),
            Measure::Duration(136 * SECOND),
            Measure::Count(1),
        ]
    );
    assert_eq!(
        verdicts[0].because,
        "from 3 at the start of phase peak: first more desired after 15 s, 10 desired after 30 s"
    );
    assert_eq!(
        verdicts[1].because,
        "p95 of each 10 s of phase peak outside faults against 2 s, at worst 3 s"
    );
    assert_eq!(verdicts[3].because, "desired: 3, 7, 10, 5, 3");
}

#[test]
fn desired_is_not_enough() {
    let host = host(|_| Some(300));
    host.workload_seen(web(&[(90, 3, 3, 3), (215, 10, 10, 3), (340, 10, 10, 9)]));
    let verdicts = judge(ALL, Moment::Final);
    assert_eq!(verdicts[0].outcome, Outcome::Broken);
    assert_eq!(verdicts[0].measured, Some(Measure::Text(">= 5 min".to_owned())));
    assert_eq!(verdicts[2].outcome, Outcome::Broken, "it never came down");
    assert!(verdicts[1].because.starts_with("never outside; "), "{}", verdicts[1].because);
}

#[test]
fn too_late_is_broken() {
    let host = host(|second| Some(if second < 290 { 3_000 } else { 300 }));
    let late = [(90, 3, 3, 3), (215, 10, 10, 3), (321, 10, 10, 10), (700, 3, 10, 10), (741, 3, 3, 3)];
    host.workload_seen(web(&late));
    let verdicts = judge(ALL, Moment::Final);
    let outcomes: Vec<_> = verdicts.iter().map(|verdict| verdict.outcome).collect();
    assert_eq!(outcomes, [Outcome::Broken, Outcome::Broken, Outcome::Broken, Outcome::Kept]);
    // What is broken for certain is known before the end; latency may come back.
    assert_eq!(judge(ALL, Moment::SoFar).len(), 2);
}

#[test]
fn flapping_is_broken() {
    let host = host(|_| Some(300));
    let mut flapping = GOOD.to_vec();
    flapping.extend([(650, 4, 4, 4), (660, 3, 3, 3)]);
    host.workload_seen(web(&flapping));
    let verdict = judge(ALL, Moment::Final).remove(3);
    assert_eq!((verdict.outcome, verdict.measured), (Outcome::Broken, Some(Measure::Count(3))));
}

#[test]
fn latency_that_stays_outside_is_broken_and_faults_do_not_count() {
    let slow_at_the_end = |second| Some(if second >= 480 { 3_000 } else { 300 });
    let host = host(slow_at_the_end);
    host.workload_seen(web(&GOOD));
    let verdict = judge(ALL, Moment::Final).remove(1);
    assert_eq!(verdict.outcome, Outcome::Broken);
    assert_eq!(verdict.measured, Some(Measure::Text(">= 5 min".to_owned())));
    assert!(verdict.because.starts_with("still outside at its end"), "{}", verdict.because);
    let mut fault = fault_seen("primary", 30 * SECOND);
    (fault.struck, fault.steady_again) = (Some(481 * SECOND), Some(510 * SECOND));
    host.fault(fault);
    assert_eq!(judge(ALL, Moment::Final)[1].measured, Some(Measure::Duration(0)));
}

#[test]
fn a_fault_begins_with_its_strike_and_is_over_once_all_is_steady() {
    let slow = |second| Some(if (300..330).contains(&second) { 3_000 } else { 300 });
    let host = host(slow);
    host.workload_seen(web(&GOOD));
    let mut fault = fault_seen("primary", 30 * SECOND);
    // Of what was slow, neither what ended with the strike nor what began with the steady state is the fault's.
    (fault.struck, fault.steady_again) = (Some(310 * SECOND), Some(320 * SECOND));
    host.fault(fault);
    assert_eq!(judge(ALL, Moment::Final)[1].measured, Some(Measure::Duration(130 * SECOND)));
    let mut fault = fault_seen("primary", 30 * SECOND);
    (fault.struck, fault.steady_again) = (Some(320 * SECOND), Some(330 * SECOND));
    host.fault(fault);
    assert_eq!(judge(ALL, Moment::Final)[1].measured, Some(Measure::Duration(110 * SECOND)));
}

#[test]
fn what_takes_as_long_as_its_bound_is_inside() {
    let host = host(|_| Some(2_000));
    host.workload_seen(web(&GOOD));
    assert_eq!(judge(ALL, Moment::Final)[1].measured, Some(Measure::Duration(0)));
}

#[test]
fn a_phase_that_did_not_run_says_nothing() {
    let host = host(|_| Some(300));
    host.workload_seen(web(&GOOD));
    let other = ALL.replace(r#""phase": "peak""#, r#""phase": "night""#);
    for verdict in &judge(&other, Moment::Final)[..2] {
        assert_eq!(
            (verdict.outcome, verdict.because.as_str()),
            (Outcome::Inconclusive, "phase night did not run")
        );
    }
}

#[test]
fn nothing_that_succeeds_is_outside() {
    let host = host(|second| (second >= 250).then_some(300));
    host.workload_seen(web(&GOOD));
    assert_eq!(judge(ALL, Moment::Final)[1].measured, Some(Measure::Duration(50 * SECOND)));
}

#[test]
fn no_data_is_never_a_pass() {
    let unseen = host(|_| Some(300));
    let verdicts = judge(ALL, Moment::Final);
    assert_eq!(outcomes(&verdicts), [("web: autoscaling", Outcome::Inconclusive)]);
    assert_eq!(judge(ALL, Moment::SoFar), []);
    // Ten from the beginning, and nobody asked for anything: nothing follows.
    drop(unseen);
    let host = host(|_| None);
    host.series(|_, asked, _| {
        Ok(span(asked).map(|second| Point { at: second * SECOND, value: None }).collect())
    });
    host.workload_seen(web(&[(90, 10, 10, 10)]));
    let verdicts = judge(ALL, Moment::Final);
    assert_eq!(verdicts[0].outcome, Outcome::Inconclusive);
    assert_eq!(verdicts[1].outcome, Outcome::Inconclusive);
    assert_eq!(verdicts[1].because, "no request ended outside faults in phase peak");
}

#[test]
fn a_phase_in_which_nothing_succeeds_is_broken() {
    let host = host(|_| None);
    host.workload_seen(web(&GOOD));
    let verdict = judge(ALL, Moment::Final).remove(1);
    assert_eq!(verdict.outcome, Outcome::Broken);
    assert!(verdict.because.ends_with("at worst none, because no request succeeded"), "{}", verdict.because);
}

#[test]
fn who_is_about_to_leave_does_not_count() {
    let host = host(|_| Some(300));
    // Ten are ready only when no more than seven are to stay.
    host.workload_seen(web(&[(90, 3, 3, 3), (215, 10, 10, 3), (230, 7, 10, 10), (231, 7, 7, 7)]));
    assert_eq!(judge(ALL, Moment::Final)[0].outcome, Outcome::Broken);
}

#[test]
fn down_is_waited_for_beyond_the_load() {
    let after_load = ALL.replace(r#""phase": "calm", "replicas": 3"#, r#""replicas": 3"#);
    let watched = |points: &[(u64, u32, u32, u32)], until, moment| {
        let host = host(|_| Some(300));
        host.workload_seen(web(points));
        UNTIL.set(until);
        judge(&after_load, moment)
    };
    let (up, mut down) = (&GOOD[..4], GOOD[..4].to_vec());
    down.extend([(930, 3, 10, 10), (931, 3, 3, 3)]);
    // Time is what it wants; the rest is said when all is over.
    let awaited = watched(up, 900, Moment::SoFar);
    assert_eq!(outcomes(&awaited), [("web: back down to 3", Outcome::Inconclusive)]);
    let shortage = awaited[0].shortage.clone().expect("a shortage");
    assert_eq!(
        (shortage.needed, shortage.had),
        (Measure::Duration(240 * SECOND), Measure::Duration(100 * SECOND))
    );
    assert_eq!(watched(&down, 940, Moment::SoFar), []);
    let verdict = watched(&down, 940, Moment::Final).remove(2);
    assert_eq!((verdict.outcome, verdict.measured), (Outcome::Kept, Some(Measure::Duration(131 * SECOND))));
    assert_eq!(
        verdict.because,
        "from 10 at the end of load: first fewer desired after 2 min 10 s, 3 desired after 2 min 10 s"
    );
    let given_up = watched(up, 1040, Moment::SoFar);
    assert_eq!(outcomes(&given_up), [("web: back down to 3", Outcome::Broken)]);
}

#[test]
fn a_run_that_was_too_short_to_tell_says_so() {
    let host = host(|_| Some(300));
    host.workload_seen(web(&GOOD[..4]));
    let short = ALL.replace(r#""4m""#, r#""10m""#);
    let verdict = judge(&short, Moment::Final).remove(2);
    assert_eq!(verdict.outcome, Outcome::Inconclusive);
    let shortage = verdict.shortage.expect("a shortage");
    assert_eq!(
        (shortage.needed, shortage.had),
        (Measure::Duration(600 * SECOND), Measure::Duration(300 * SECOND))
    );
}

#[test]
fn counts_without_load_say_nothing_of_its_changes() {
    let host = FakeHost::start();
    host.series(|_, _, _| Ok(Vec::new()));
    host.workload_seen(web(&GOOD));
    let verdict = judge(ALL, Moment::Final).remove(3);
    assert_eq!(
        (verdict.outcome, verdict.because.as_str()),
        (Outcome::Inconclusive, "nothing was seen of it under load")
    );
}

#[test]
fn nobody_waits_for_what_time_cannot_mend() {
    let host = host(|_| Some(300));
    // More are still to come in the peak, and of before nothing is known.
    host.workload_seen(web(&[(700, 3, 3, 3)]));
    assert_eq!(judge(ALL, Moment::SoFar), []);
    let slow = ALL.replace(r#""2m""#, r#""10m""#);
    drop(host);
    let host = self::host(|_| Some(300));
    host.workload_seen(web(&[(90, 3, 3, 3), (215, 5, 5, 5)]));
    let up = judge(&slow, Moment::Final).remove(0);
    assert_eq!((up.outcome, up.shortage.is_some()), (Outcome::Inconclusive, true));
    assert!(judge(&slow, Moment::SoFar).iter().all(|verdict| verdict.subject != up.subject));
}

#[test]
fn requirements_are_printed_as_they_are() {
    let host = host(|_| Some(300));
    host.workload_seen(web(&GOOD));
    let numbered = ALL.replacen('{', r#"{"requirements": {"up": "12", "reversals": "14"}, "#, 1);
    let verdicts = judge(&numbered, Moment::Final);
    let requirements: Vec<_> = verdicts.iter().map(|verdict| verdict.requirement.as_deref()).collect();
    assert_eq!(requirements, [Some("12"), None, None, Some("14")]);
}

#[test]
fn configs_that_promise_nothing_are_refused() {
    let errors = |json| Autoscaling::validate(&config::read(json).expect("a config"));
    let pointers = |json| errors(json).into_iter().map(|error| error.pointer).collect::<Vec<_>>();
    assert_eq!(pointers(r#"{"workload": "web"}"#), [""]);
    assert_eq!(
        pointers(
            r#"{"workload": "web", "down": {"phase": "a", "replicas": 3, "within": "1m"}, "latency": {"p95": "1s", "within": "1m"}}"#
        ),
        ["/latency"]
    );
    let swapped = ALL.replace(r#""replicas": 10"#, r#""replicas": 3"#);
    assert_eq!(pointers(&swapped), ["/down/replicas"]);
    let numbered = ALL.replacen('{', r#"{"requirements": {"p95": "12"}, "#, 1);
    assert_eq!(pointers(&numbered), ["/requirements/p95"]);
}
