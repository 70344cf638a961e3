//! When the load generator counts as a bottleneck.

use super::*;
use crate::observe::Interval;

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

/// What is said of a generator in 100 seconds of 100 requests each, some of which were changed.
fn generator(changed: u64, change: fn(&mut Interval)) -> GeneratorSeen {
    let mut events = vec![
        Event { at: 0, fact: Fact::PhaseStarted { phase: "a".to_owned(), users: 1, rate: None } },
        Event { at: 0, fact: Fact::Endpoint { index: 0, endpoint: fixtures::endpoint("g", "t") } },
    ];
    let requests = row(0, 90, 10, MS);
    for second in 0..100 {
        let mut event = interval(second, 1, vec![requests.clone()]);
        if let Fact::Interval(interval) = &mut event.fact
            && second < changed
        {
            change(interval);
        }
        events.push(event);
    }
    observed(&events).generator()
}

#[test]
fn a_generator_is_a_bottleneck_beyond_its_bounds_and_not_at_them() {
    let lags = |interval: &mut Interval| interval.generator.lag_p99 = 51 * MS;
    assert!(!generator(1, lags).bottleneck, "in 1 % of seconds");
    assert!(generator(2, lags).bottleneck);
    assert!(!generator(100, |interval| interval.generator.lag_p99 = 50 * MS).bottleneck);
    assert!(!generator(100, |interval| interval.generator.late_sends = 1).bottleneck, "1 % of sends");
    assert!(generator(100, |interval| interval.generator.late_sends = 2).bottleneck);
    assert!(generator(1, |interval| interval.generator.shortages = 1).bottleneck, "once is too often");
}

#[test]
fn what_a_generator_needed_is_summed_and_its_lag_is_a_percentile() {
    let one = generator(1, |interval| {
        interval.generator.lag_p99 = 40 * MS;
        interval.generator.cpu = 250;
        (interval.late, interval.dropped, interval.generator.shortages) = (3, 2, 4);
    });
    assert_eq!((one.cpu_mean, one.cpu_peak), (151, 250));
    assert_eq!((one.late, one.dropped, one.shortages), (3, 2, 4));
    assert_eq!(one.lag_p99, 2 * MS, "one of a hundred seconds may be worse");
    assert!(one.because.starts_with("4 times it had no file descriptor"), "{}", one.because);
    assert_eq!(generator(2, |interval| interval.generator.lag_p99 = 40 * MS).lag_p99, 40 * MS);
    assert_eq!(generator(0, |_| ()).because.find("4 times"), None);
}
