//! The model against made-up runs.

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
fn no_data_is_absent_and_not_zero() {
    let known = Observations::default();
    let totals = known.totals(&all(), &Span::Whole, 0.0).unwrap();
    assert_eq!((totals.requests, totals.mean, totals.max), (0, None, None));
    assert_eq!((totals.success_rate(), totals.rate(), totals.availability()), (None, None, None));
    let percentiles = known.percentiles(&all(), &Span::Whole, Latency::Response, &[50.0, 99.0]).unwrap();
    assert_eq!(percentiles, [None, None]);
    assert!(known.series(&all(), &Span::Whole, Metric::Users, S).unwrap().is_empty());
    assert!(!known.generator().bottleneck);
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
}

#[test]
fn probes_are_apart() {
    let known = observations();
    let probe = known.totals(&Filter::probe(), &Span::Whole, 0.0).unwrap();
    assert_eq!((probe.requests, probe.failures), (600, 80));
    let sales = known.totals(&Filter::group("sales"), &Span::Whole, 0.0).unwrap();
    assert_eq!(sales.requests, 20 * 2 + 32 * 10 + 8 * 4);
}

#[test]
fn a_series_has_gaps_where_nothing_was_seen() {
    let known = observed(&[
        Event { at: 0, fact: Fact::PhaseStarted { phase: "a".to_owned(), users: 1, rate: None } },
        Event { at: 0, fact: Fact::Endpoint { index: 0, endpoint: fixtures::endpoint("g", "t") } },
        interval(0, 1, vec![row(0, 4, 0, MS)]),
        interval(3, 2, vec![row(0, 0, 2, MS)]),
        interval(4, 2, vec![row(0, 1, 0, MS)]),
    ]);
    let series = |metric| -> Vec<Option<f64>> {
        let points = known.series(&all(), &Span::Whole, metric, S).unwrap();
        points.into_iter().map(|point| point.value).collect()
    };
    assert_eq!(series(Metric::Requests), [Some(4.0), None, None, Some(2.0), Some(1.0)]);
    assert_eq!(series(Metric::Failures), [Some(0.0), None, None, Some(2.0), Some(0.0)]);
    assert!(series(Metric::LatencyP95)[3].is_none());
    let pairs = known.series(&all(), &Span::Whole, Metric::Users, 2 * S).unwrap();
    assert_eq!(pairs.iter().map(|point| point.value).collect::<Vec<_>>(), [Some(1.0), Some(2.0), Some(2.0)]);
    assert_eq!(pairs[2].at, 4 * S);
}

#[test]
fn a_fault_is_told_whole() {
    let known = observations();
    let faults = known.faults();
    assert_eq!(faults.len(), 2);
    let store = &faults[0];
    assert_eq!(store.struck, Some(40 * S));
    assert_eq!(store.component_recovery(), Some(7 * S));
    assert_eq!(store.all_users().unwrap().outage, Outage::Ended(8 * S));
    assert!(store.unaided());
    assert!(!store.in_flight());
    assert_eq!(faults[1].struck, None);
    assert_eq!(faults[1].because, "the steady state did not hold");
}

#[test]
fn the_profile_is_no_fault() {
    let mut events = fixtures::run();
    let profile = |change| Fact::Fault { fault: "profile".to_owned(), change };
    let means = "limits set".to_owned();
    events.insert(3, Event { at: 6 * S, fact: profile(crate::observe::FaultChange::Injected { means }) });
    let known = observed(&events);
    assert_eq!(known.faults().len(), 2);
    assert_eq!(known.profile().unwrap().struck, Some(6 * S));
    let outside = known.totals(&all(), &Span::OutsideFaults, 0.0).unwrap();
    assert_eq!(outside, observations().totals(&all(), &Span::OutsideFaults, 0.0).unwrap());
}

#[test]
fn a_revert_that_came_first_is_aid() {
    let mut known = observations();
    let fault = &mut known.faults[0];
    fault.reverted = Some(47 * S + 500 * MS);
    assert!(!fault.unaided(), "users recovered 8 s after the strike, the revert came before");
    fault.reverted = Some(46 * S);
    assert!(!fault.unaided(), "the component had not completed");
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

#[test]
fn a_slow_generator_is_told() {
    let mut events = fixtures::run();
    for event in &mut events {
        if let Fact::Interval(interval) = &mut event.fact
            && interval.second < 12
        {
            interval.generator.lag_p99 = 80 * MS;
        }
    }
    let seen = observed(&events).generator();
    assert!(seen.bottleneck);
    assert_eq!(seen.lag_p99, 80 * MS);
    insta::assert_snapshot!(seen.because);
    assert!(!observations().generator().bottleneck);
}
