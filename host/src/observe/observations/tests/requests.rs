//! Rates, latencies and series.

use super::*;
use crate::observe::{ALL_GROUPS, Endpoint, Interval, Stretch};

#[test]
fn rates_and_latencies_are_of_what_the_span_covers() {
    let known = observed(&[
        Event { at: 0, fact: Fact::PhaseStarted { phase: "a".to_owned(), users: 1, rate: None } },
        Event { at: 0, fact: Fact::Endpoint { index: 0, endpoint: fixtures::endpoint("g", "t") } },
        interval(0, 1, vec![row(0, 30, 10, 20 * MS)]),
        interval(1, 7, vec![row(0, 20, 0, 20 * MS)]),
        Event { at: 2_500 * MS, fact: Fact::PhaseEnded { phase: "a".to_owned() } },
        Event { at: 2_500 * MS, fact: Fact::LoadEnded },
    ]);
    let totals = known.totals(&all(), &Span::Whole, 0.0).unwrap();
    assert_eq!(totals.covered, 2_500 * MS);
    assert_eq!(totals.rate(), Some(24.0));
    assert_eq!(totals.success_rate(), Some(50.0 / 60.0));
    assert_eq!(totals.availability(), Some(0.5));
    // Successes are spread from 10 ms to 40 ms; failures take 1 ms to 2 ms and are not among them.
    let about = |value: Option<Nanos>, millis: f64| {
        let value = value.expect("a figure") as f64 / 1e6;
        assert!((value - millis).abs() < 1.5, "{value} is not about {millis}");
    };
    about(totals.mean, 24.5);
    about(totals.max, 39.0);
    let of = |latency, percents: &[f64]| known.percentiles(&all(), &Span::Whole, latency, percents).unwrap();
    let percentiles = of(Latency::Response, &[0.0, 50.0, 90.0, 100.0]);
    for (value, millis) in percentiles.into_iter().zip([10.0, 24.5, 36.5, 39.0]) {
        about(value, millis);
    }
    let of_all = known.latencies_of_all(&all(), &Span::Whole).unwrap();
    assert_eq!(
        (of_all.len(), known.latencies(&all(), &Span::Whole, Latency::Service).unwrap().len()),
        (60, 50)
    );
    assert!(of_all.min() < 2 * MS);
    assert_eq!(known.statuses(&all(), &Span::Whole).unwrap(), [(200, 50)]);
    assert_eq!(known.bytes(&all(), &Span::Whole).unwrap(), (200 * 60, 4_000 * 50));
    assert_eq!(known.users(), Some(7));
}

#[test]
fn response_time_counts_from_the_intended_start() {
    let mut late = row(0, 10, 0, 20 * MS);
    late.response = fixtures::spread(10, 1_000 * MS, 1_001 * MS);
    let known = observed(&[
        Event { at: 0, fact: Fact::PhaseStarted { phase: "a".to_owned(), users: 1, rate: None } },
        Event { at: 0, fact: Fact::Endpoint { index: 0, endpoint: fixtures::endpoint("g", "t") } },
        interval(0, 1, vec![late]),
    ]);
    let worst =
        |latency| known.percentiles(&all(), &Span::Whole, latency, &[100.0]).unwrap()[0].expect("a latency");
    assert!(worst(Latency::Response) >= 1_000 * MS);
    assert!(worst(Latency::Service) <= 40 * MS);
    assert!(known.totals(&all(), &Span::Whole, 0.0).unwrap().mean.expect("a mean") >= 1_000 * MS);
}

#[test]
fn a_window_is_good_up_to_the_share_that_may_fail() {
    let known = observed(&[
        Event { at: 0, fact: Fact::PhaseStarted { phase: "a".to_owned(), users: 1, rate: None } },
        Event { at: 0, fact: Fact::Endpoint { index: 0, endpoint: fixtures::endpoint("g", "t") } },
        interval(0, 1, vec![row(0, 3, 1, MS)]),
        interval(1, 1, vec![row(0, 2, 2, MS)]),
        interval(2, 1, vec![row(0, 0, 4, MS)]),
        interval(3, 1, vec![row(0, 4, 0, MS)]),
    ]);
    let windows = |good_window| {
        let totals = known.totals(&all(), &Span::Whole, good_window).unwrap();
        (totals.good_windows, totals.bad_windows)
    };
    assert_eq!([0.0, 0.25, 0.5, 1.0].map(windows), [(1, 3), (2, 2), (3, 1), (4, 0)]);
}

#[test]
fn a_filter_is_all_that_it_names() {
    let endpoint = |behavior: &str, group: &str, task: &str, name: &str| Endpoint {
        behavior: behavior.to_owned(),
        group: group.to_owned(),
        task: task.to_owned(),
        name: name.to_owned(),
        probe: false,
    };
    let endpoints = [
        endpoint("reader", "reads", "list", "GET /"),
        endpoint("clerk", "reads", "list", "GET /"),
        endpoint("reader", "sales", "list", "GET /"),
        endpoint("reader", "reads", "search", "GET /"),
        endpoint("reader", "reads", "list", "GET /next"),
        Endpoint { probe: true, ..endpoint("reader", "reads", "list", "GET /") },
    ];
    let mut events =
        vec![Event { at: 0, fact: Fact::PhaseStarted { phase: "a".to_owned(), users: 1, rate: None } }];
    for (index, endpoint) in (0..).zip(&endpoints) {
        events.push(Event { at: 0, fact: Fact::Endpoint { index, endpoint: endpoint.clone() } });
    }
    // One, two, four, … requests: a sum says whose they were.
    events.push(interval(0, 1, (0..6).map(|index| row(index, 1 << index, 0, MS)).collect()));
    let known = observed(&events);
    let requests = |filter: &Filter| known.totals(filter, &Span::Whole, 0.0).unwrap().requests;
    assert_eq!(endpoints.each_ref().map(|one| requests(&Filter::endpoint(one))), [1, 2, 4, 8, 16, 32]);
    let named = |name: &str| Some(name.to_owned());
    assert_eq!(requests(&Filter { behavior: named("clerk"), ..all() }), 2);
    assert_eq!(requests(&Filter { group: named("sales"), ..all() }), 4);
    assert_eq!(requests(&Filter { task: named("search"), ..all() }), 8);
    assert_eq!(requests(&Filter { endpoint: named("GET /next"), ..all() }), 16);
    assert_eq!(requests(&Filter::probe()), 32);
    assert_eq!(requests(&all()), 31);
}

#[test]
fn a_series_is_as_long_as_allowed_and_no_longer() {
    let series = |last| {
        let known = observed(&[
            Event { at: 0, fact: Fact::PhaseStarted { phase: "a".to_owned(), users: 1, rate: None } },
            interval(last, 1, Vec::new()),
        ]);
        known.series(&all(), &Span::Whole, Metric::Users, S).map(|points| points.len())
    };
    assert_eq!(series(99_999), Ok(100_000));
    assert_eq!(
        series(100_000),
        Err(QueryError::Invalid("100001 points: at most 100000 are allowed".to_owned()))
    );
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
        interval(4, 2, vec![row(0, 1, 3, MS)]),
    ]);
    let series = |metric| -> Vec<Option<f64>> {
        let points = known.series(&all(), &Span::Whole, metric, S).unwrap();
        points.into_iter().map(|point| point.value).collect()
    };
    assert_eq!(series(Metric::Requests), [Some(4.0), None, None, Some(2.0), Some(4.0)]);
    assert_eq!(series(Metric::Failures), [Some(0.0), None, None, Some(2.0), Some(3.0)]);
    assert!(series(Metric::LatencyP95)[3].is_none());
    let pairs = known.series(&all(), &Span::Whole, Metric::Users, 2 * S).unwrap();
    assert_eq!(pairs.iter().map(|point| point.value).collect::<Vec<_>>(), [Some(1.0), Some(2.0), Some(2.0)]);
    assert_eq!(pairs[2].at, 4 * S);
    let sums = |metric| -> Vec<Option<f64>> {
        let points = known.series(&all(), &Span::Between(3 * S, 5 * S), metric, 2 * S).unwrap();
        points.into_iter().map(|point| point.value).collect()
    };
    assert_eq!((sums(Metric::Requests), sums(Metric::Failures)), (vec![Some(6.0)], vec![Some(5.0)]));
    let later = known.series(&all(), &Span::Between(3 * S, 5 * S), Metric::Requests, S).unwrap();
    assert_eq!(later.iter().map(|point| point.at).collect::<Vec<_>>(), [3 * S, 4 * S]);
}

#[test]
fn stretches_are_those_that_ended_since() {
    let stretch = |ended: Nanos| Stretch {
        group: ALL_GROUPS.to_owned(),
        probe: false,
        success: true,
        count: 1,
        first_sent: 0,
        first_ended: ended,
        last_ended: ended,
    };
    let told = |second, ends: &[Nanos]| {
        let stretches = ends.iter().map(|ended| stretch(*ended)).collect();
        let interval = Interval { second, stretches, ..Default::default() };
        Event { at: (second + 1) * S, fact: Fact::Interval(interval) }
    };
    let known =
        observed(&[told(1, &[1_900 * MS]), told(2, &[2_400 * MS, 2_500 * MS]), told(3, &[3_100 * MS])]);
    assert_eq!(known.stretches(2_500 * MS), [stretch(2_500 * MS), stretch(3_100 * MS)]);
}
