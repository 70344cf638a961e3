//! The model against made-up runs.

mod faults;
mod generator;
mod requests;

use super::*;
use crate::observe::{
    Event, Fact, Outage,
    fixtures::{self, MS, S, interval, observations, observed, row},
};

fn all() -> Filter {
    Filter::all()
}

#[test]
fn the_whole_is_from_the_first_phase_to_the_last() {
    let known = observations();
    let totals = known.totals(&all(), &Span::Whole, 0.0).unwrap();
    assert_eq!(totals.covered, 60 * S);
    // 20 s of 10 + 2, 32 s of 50 + 10, and 8 s of 20 + 4 of which 5 + 1 succeed.
    assert_eq!(totals.requests, 20 * 12 + 32 * 60 + 8 * 24);
    assert_eq!(totals.failures, 8 * 18);
    assert_eq!((totals.good_windows, totals.bad_windows, totals.empty_windows), (52, 8, 0));
    assert_eq!(totals.peak_rate, 60.0);
    assert_eq!(totals.errors, [(crate::observe::ErrorClass::Refused, 144)]);
}

#[test]
fn outside_faults_and_a_fault_make_the_whole() {
    let known = observations();
    let whole = known.totals(&all(), &Span::Whole, 0.0).unwrap();
    let outside = known.totals(&all(), &Span::OutsideFaults, 0.0).unwrap();
    let inside = known.totals(&all(), &Span::Fault("store-primary".to_owned()), 0.0).unwrap();
    assert_eq!(outside.requests + inside.requests, whole.requests);
    assert_eq!(outside.covered + inside.covered, whole.covered);
    assert_eq!(inside.covered, 16 * S);
    assert_eq!(outside.failures, 0);
}

#[test]
fn phases_share_no_second() {
    let known = observed(&[
        Event { at: 1_400 * MS, fact: Fact::PhaseStarted { phase: "a".to_owned(), users: 1, rate: None } },
        Event { at: 1_400 * MS, fact: Fact::Endpoint { index: 0, endpoint: fixtures::endpoint("g", "t") } },
        interval(1, 1, vec![row(0, 1, 0, MS)]),
        interval(2, 1, vec![row(0, 1, 0, MS)]),
        Event { at: 3_500 * MS, fact: Fact::PhaseEnded { phase: "a".to_owned() } },
        Event { at: 3_500 * MS, fact: Fact::PhaseStarted { phase: "b".to_owned(), users: 1, rate: None } },
        interval(3, 1, vec![row(0, 1, 0, MS)]),
        interval(4, 1, vec![row(0, 1, 0, MS)]),
    ]);
    let requests = |span: Span| known.totals(&all(), &span, 0.0).unwrap().requests;
    assert_eq!(requests(Span::Phase("a".to_owned())), 2);
    assert_eq!(requests(Span::Phase("b".to_owned())), 2);
    assert_eq!(requests(Span::Whole), 4);
    assert_eq!(known.phase().unwrap().name, "b");
}

#[test]
fn what_is_not_known_yet_is_not_empty() {
    let known = observed(&[
        Event { at: 0, fact: Fact::PhaseStarted { phase: "a".to_owned(), users: 1, rate: None } },
        Event { at: 0, fact: Fact::Endpoint { index: 0, endpoint: fixtures::endpoint("g", "t") } },
        interval(0, 1, vec![row(0, 1, 0, MS)]),
        interval(2, 1, vec![row(0, 1, 0, MS)]),
    ]);
    let totals = known.totals(&all(), &Span::Between(0, 1_000 * S), 0.0).unwrap();
    assert_eq!((totals.covered, totals.empty_windows), (3 * S, 1));
    assert_eq!(known.totals(&all(), &Span::Whole, 0.0).unwrap(), totals);
}

#[test]
fn what_is_empty_is_known_once_the_load_has_ended() {
    let known = observed(&[
        Event { at: 0, fact: Fact::PhaseStarted { phase: "a".to_owned(), users: 1, rate: None } },
        Event { at: 0, fact: Fact::Endpoint { index: 0, endpoint: fixtures::endpoint("g", "t") } },
        interval(0, 1, vec![row(0, 1, 0, MS)]),
        Event { at: 4 * S, fact: Fact::PhaseEnded { phase: "a".to_owned() } },
        Event { at: 4 * S, fact: Fact::LoadEnded },
    ]);
    let totals = known.totals(&all(), &Span::Whole, 0.0).unwrap();
    assert_eq!((totals.covered, totals.good_windows, totals.empty_windows), (4 * S, 1, 3));
}

#[test]
fn no_data_is_absent_and_not_zero() {
    let known = Observations::default();
    let totals = known.totals(&all(), &Span::Whole, 0.0).unwrap();
    assert_eq!((totals.requests, totals.mean, totals.max), (0, None, None));
    assert_eq!((totals.success_rate(), totals.rate(), totals.availability()), (None, None, None));
    let percentiles = known.percentiles(&all(), &Span::Whole, Latency::Response, &[50.0, 99.0]).unwrap();
    assert_eq!(percentiles, [None, None]);
    assert!(known.series(&all(), &Span::Whole, Metric::Users, S).unwrap().is_empty());
    let generator = known.generator();
    assert_eq!((generator.bottleneck, generator.because.as_str()), (false, "no second of load was seen"));
}

#[test]
fn wrong_questions_are_told_what_is_allowed() {
    let known = observations();
    let errors = [
        known.totals(&all(), &Span::Phase("night".to_owned()), 0.0).unwrap_err(),
        known.totals(&all(), &Span::Fault("flood".to_owned()), 0.0).unwrap_err(),
        known.totals(&all(), &Span::Between(2, 1), 0.0).unwrap_err(),
        known.totals(&all(), &Span::Whole, 1.5).unwrap_err(),
        known.totals(&all(), &Span::Whole, f64::NAN).unwrap_err(),
        known.percentiles(&all(), &Span::Whole, Latency::Service, &[101.0]).unwrap_err(),
        known.series(&all(), &Span::Whole, Metric::Users, 5).unwrap_err(),
    ];
    let text: Vec<String> = errors.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(text.join("\n"));
    assert!(known.series(&all(), &Span::Whole, Metric::Users, 0).is_err());
    // A phase that did not begin yet is known, and so is a moment.
    assert!(known.totals(&all(), &Span::Between(S, S), 0.0).is_ok());
    let planned = observed(&[Event { at: 0, fact: Fact::RunStarted(fixtures::info()) }]);
    assert_eq!(planned.totals(&all(), &Span::Phase("peak".to_owned()), 0.0).unwrap(), Totals::default());
    assert!(planned.totals(&all(), &Span::Phase("night".to_owned()), 0.0).is_err());
}

#[test]
fn usage_is_per_subject_and_span() {
    let known = observations();
    let usage = known.usage(&Span::Whole).unwrap();
    let subjects: Vec<_> = usage.iter().map(|seen| seen.subject.as_str()).collect();
    assert_eq!(subjects, ["(group) tenant", "store-0", "web-0"]);
    assert_eq!((usage[0].cpu_peak, usage[0].cpu_limit), (1860, Some(3000)));
    assert_eq!(usage[2].throttled, Some(0.125));
    assert!(known.usage(&Span::Between(0, S)).unwrap().is_empty());
}

#[test]
fn means_are_weighted_by_the_time_between_readings() {
    let usage = |at, subject: &str, cpu, throttled, oom_kills| {
        let reading = crate::observe::UsageReading {
            subject: subject.to_owned(),
            cpu,
            memory: cpu << 20,
            cpu_limit: Some(500),
            memory_limit: None,
            throttled,
            oom_kills,
        };
        Event { at, fact: Fact::Usage { readings: vec![reading] } }
    };
    let known = observed(&[
        Event { at: 10 * S, fact: Fact::PhaseStarted { phase: "a".to_owned(), users: 1, rate: None } },
        usage(9 * S, "web-0", 900, Some(1.0), 2),
        usage(10 * S, "web-0", 100, Some(0.5), 2),
        usage(13 * S, "web-0", 500, None, 3),
        usage(15 * S, "web-0", 200, Some(0.25), 5),
        usage(10 * S, "store-0", 100, None, 0),
        usage(13 * S, "store-0", 400, None, 0),
        Event { at: 16 * S, fact: Fact::LoadEnded },
        usage(17 * S, "web-0", 900, Some(1.0), 9),
    ]);
    let seen = |subject: &str, cpu_mean, cpu_peak, memory_mean, throttled, oom_kills| UsageSeen {
        subject: subject.to_owned(),
        cpu_mean,
        cpu_peak,
        memory_mean,
        memory_peak: cpu_peak << 20,
        cpu_limit: Some(500),
        memory_limit: None,
        throttled,
        oom_kills,
    };
    // Nobody knows for how long the first reading of all held; it counts as one second.
    let store = seen("store-0", (100 + 3 * 400) / 4, 400, ((100 + 3 * 400) << 20) / 4, None, 0);
    let web = seen("web-0", 333, 500, (2_000 << 20) / 6, Some(1.0 / 3.0), 3);
    assert_eq!(known.usage(&Span::Whole).unwrap(), [store, web]);
}

#[test]
fn checks_are_those_made_in_a_span() {
    let known = observations();
    let failed =
        |span: &Span| known.checks(span).unwrap().into_iter().next().map(|check| (check.name, check.failed));
    assert_eq!(failed(&Span::Whole), Some(("still signed in".to_owned(), 1)));
    assert_eq!(failed(&Span::Phase("light".to_owned())), Some(("still signed in".to_owned(), 0)));
    assert_eq!(failed(&Span::Between(42 * S, 43 * S)), Some(("still signed in".to_owned(), 1)));
    assert_eq!(failed(&Span::Between(0, S)), None, "nobody was there");
    assert!(known.checks(&Span::Fault("none".to_owned())).is_err());
}

#[test]
fn workloads_count_restarts() {
    let workloads = observations().workloads();
    assert_eq!(workloads[0].workload, "store");
    assert_eq!(workloads[0].restarts, 1);
    assert_eq!(workloads[1].replicas.len(), 3);
}
