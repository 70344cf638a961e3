use std::time::Duration;

use super::{flight::Landing, *};
use crate::{
    capability::ports::Metrics,
    observe::{ALL_GROUPS, Clock, Interval, Subscription},
};

fn endpoint(name: &str) -> Endpoint {
    Endpoint {
        behavior: "visitor".to_owned(),
        group: "catalogue".to_owned(),
        task: "browse".to_owned(),
        name: name.to_owned(),
        probe: false,
    }
}

fn recorder() -> (Arc<Recorder>, Subscription) {
    let stream = Stream::new(Clock::start());
    let told = stream.subscribe();
    (Arc::new(Recorder::new(stream, Threads::default())), told)
}

fn intervals(told: &mut Subscription) -> Vec<Interval> {
    let mut intervals = Vec::new();
    while let Ok(event) = told.try_recv() {
        if let Fact::Interval(interval) = &event.fact {
            intervals.push(interval.clone());
        }
    }
    intervals
}

fn ok(status: u16) -> Landing {
    Landing { status: Some(status), ..Landing::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_request_of_every_thread_is_counted_once() {
    let (recorder, mut told) = recorder();
    let recording = recorder.start().expect("a thread");
    let index = recorder.endpoint(endpoint("GET /"));
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let recorder = recorder.clone();
            std::thread::spawn(move || {
                for number in 0..10_000 {
                    let failure = (number % 10 == 0).then_some(ErrorClass::Reset);
                    let sample = recorder
                        .begin(index, recorder.clock().now(), None, u64::MAX)
                        .land(Landing { failure, ..ok(200) });
                    recorder.record(sample);
                    recorder.check("fine", failure.is_none());
                }
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    for thread in threads {
        thread.join().expect("it does not panic");
    }
    recording.finish().await;

    let intervals = intervals(&mut told);
    assert!(intervals.len() >= 2, "one a second, and the one that had begun");
    assert!(intervals.windows(2).all(|pair| pair[0].second + 1 == pair[1].second), "none is missing");
    let rows: Vec<_> = intervals.iter().flat_map(|interval| &interval.endpoints).collect();
    assert_eq!(rows.iter().map(|row| row.successes).sum::<u64>(), 36_000);
    let failures: u64 = rows.iter().flat_map(|row| &row.failures).map(|(_, count)| count).sum();
    assert_eq!(failures, 4_000);
    let stretches = |all: bool| -> u64 {
        let every = intervals.iter().flat_map(|interval| &interval.stretches);
        every.filter(|stretch| (stretch.group == ALL_GROUPS) == all).map(|stretch| stretch.count).sum()
    };
    assert_eq!((stretches(false), stretches(true)), (40_000, 40_000));
    let checks: Vec<_> = intervals.iter().flat_map(|interval| &interval.checks).collect();
    assert_eq!(checks.iter().map(|(_, passed, failed)| passed + failed).sum::<u64>(), 40_000);
    assert_eq!(intervals.last().map(|last| last.in_flight), Some(0));
}

#[tokio::test]
async fn a_request_given_up_is_a_timeout_or_stays_in_flight() {
    let (recorder, mut told) = recorder();
    let recording = recorder.start().expect("a thread");
    let index = recorder.endpoint(endpoint("GET /"));
    let alive = recorder.user();
    drop(recorder.begin(index, recorder.clock().now(), None, 0));
    drop(recorder.begin(index, recorder.clock().now(), None, u64::MAX));
    recording.finish().await;
    drop(alive);
    let last = intervals(&mut told).pop().expect("the second that had begun");
    assert_eq!(last.endpoints[0].failures, [(ErrorClass::Timeout, 1)]);
    assert_eq!((last.users, last.in_flight), (1, 1));
}

#[tokio::test]
async fn response_time_counts_from_the_intended_start() {
    let (recorder, mut told) = recorder();
    let recording = recorder.start().expect("a thread");
    let index = recorder.endpoint(endpoint("GET /"));
    tokio::time::sleep(Duration::from_millis(20)).await;
    recorder.record(recorder.begin(index, recorder.clock().now(), Some(0), u64::MAX).land(ok(200)));
    recording.finish().await;
    let row = intervals(&mut told).into_iter().flat_map(|interval| interval.endpoints).next().expect("a row");
    assert!(row.response.0[0].0 >= 19_000_000, "{row:?}");
    assert!(row.service.0[0].0 < 10_000_000, "{row:?}");
}

#[tokio::test]
async fn what_comes_too_late_for_its_second_is_counted_all_the_same() {
    let (recorder, mut told) = recorder();
    let recording = recorder.start().expect("a thread");
    let index = recorder.endpoint(endpoint("GET /"));
    let sample = recorder.begin(index, recorder.clock().now(), None, u64::MAX).land(ok(200));
    tokio::time::sleep(Duration::from_millis(2_400)).await;
    assert!(intervals(&mut told).iter().any(|interval| interval.second == sample.ended / 1_000_000_000));
    recorder.record(sample);
    recording.finish().await;
    let counted: u64 =
        intervals(&mut told).iter().flat_map(|interval| &interval.endpoints).map(|row| row.successes).sum();
    assert_eq!(counted, 1);
}

#[tokio::test]
async fn a_kind_of_failure_is_explained_once() {
    let (recorder, mut told) = recorder();
    let index = recorder.endpoint(endpoint("GET /"));
    for _ in 0..3 {
        recorder.explain(index, ErrorClass::Refused, "127.0.0.1:9: connection refused");
    }
    let mut messages = Vec::new();
    while let Ok(event) = told.try_recv() {
        if let Fact::Finding { message, .. } = &event.fact {
            messages.push(message.clone());
        }
    }
    insta::assert_debug_snapshot!(messages, @r#"
    [
        "first failure of its kind: GET / in task browse of visitor (refused): 127.0.0.1:9: connection refused",
    ]
    "#);
}

#[tokio::test]
async fn figures_that_no_interval_can_hold_are_left_out() {
    let (recorder, mut told) = recorder();
    let recording = recorder.start().expect("a thread");
    recorder.count("sold", f64::NAN);
    recorder.count("sold", 2.0);
    recorder.trend("basket", -1.0);
    recorder.trend("basket", 1.5);
    recording.finish().await;
    let last = intervals(&mut told).pop().expect("the second that had begun");
    assert_eq!(last.counters, [("sold".to_owned(), 2.0)]);
    assert_eq!(last.trends.iter().map(|(_, trend)| &trend.0[..]).collect::<Vec<_>>(), [[(1_500, 1)]]);
}
