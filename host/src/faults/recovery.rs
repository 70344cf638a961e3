//! How long until requests came back.
//!
//! The recovery time is from the strike to the end of the first success of a request sent after it,
//! after which no failure came for [`CALM`] and at least [`CALM_SUCCESSES`] successes did. A calm
//! before the first failure is not the end of an outage: requests that hang fail late.

use std::time::Duration;

use crate::observe::{Nanos, Outage, OutageSeen, Stretch};

/// How long no failure may come for the target to count as back.
pub const CALM: Duration = Duration::from_secs(5);
/// How many successes must come meanwhile.
pub const CALM_SUCCESSES: u64 = 10;

/// The outage of `(all)` and then of each group, by name. `until` is when watching ended.
pub fn outages(stretches: &[Stretch], probe: bool, struck: Nanos, until: Nanos) -> Vec<OutageSeen> {
    let mut groups: Vec<&str> =
        stretches.iter().filter(|one| one.probe == probe).map(|one| one.group.as_str()).collect();
    groups.sort_unstable();
    groups.dedup();
    groups.into_iter().map(|group| outage(stretches, group, probe, struck, until)).collect()
}

/// The outage of one group, after a strike at `struck`, watched until `until`.
pub fn outage(stretches: &[Stretch], group: &str, probe: bool, struck: Nanos, until: Nanos) -> OutageSeen {
    let mut after: Vec<&Stretch> = stretches
        .iter()
        .filter(|one| one.group == group && one.probe == probe)
        .filter(|one| one.last_ended >= struck && one.first_ended <= until)
        .collect();
    after.sort_unstable_by_key(|one| one.first_ended);

    let mut watch = Watch::default();
    for stretch in &after {
        if watch.ended(stretch.first_ended) {
            break;
        }
        match stretch.success {
            true => watch.successes(stretch, struck),
            false => watch.failures(stretch),
        }
    }
    let outage = match (watch.last_failure, watch.back) {
        (None, _) if watch.calm_successes >= CALM_SUCCESSES => Outage::NotSeen,
        (None, _) => Outage::Unknown,
        (Some(_), Some(back)) if watch.ended(until) => Outage::Ended(back.saturating_sub(struck)),
        (Some(last), Some(_)) => Outage::NotEnded(last.saturating_sub(struck)),
        (Some(_), None) => Outage::NotEnded(until.saturating_sub(struck)),
    };
    let end = watch.back.unwrap_or(until);
    OutageSeen {
        group: group.to_owned(),
        outage,
        resolution: largest_gap(&after, struck, end),
        failures: watch.failed,
    }
}

#[derive(Default)]
struct Watch {
    last_failure: Option<Nanos>,
    /// End of the first success after the last failure.
    back: Option<Nanos>,
    calm_successes: u64,
    failed: u64,
}

impl Watch {
    /// Had the outage ended, when nothing but successes came until `now`?
    fn ended(&self, now: Nanos) -> bool {
        let calm = |back: Nanos| now.saturating_sub(back) >= crate::observe::nanos(CALM);
        self.last_failure.is_some() && self.calm_successes >= CALM_SUCCESSES && self.back.is_some_and(calm)
    }

    fn successes(&mut self, stretch: &Stretch, struck: Nanos) {
        // A success of a request that was sent before the strike proves nothing, but within a
        // stretch only the first is known to be one; the stretches of the strike's own second
        // straddle it at most once.
        if self.back.is_none() && stretch.first_sent >= struck {
            self.back = Some(stretch.first_ended);
        } else if self.back.is_none() && stretch.count > 1 {
            self.back = Some(stretch.last_ended);
        }
        self.calm_successes += stretch.count;
    }

    fn failures(&mut self, stretch: &Stretch) {
        self.last_failure = Some(stretch.last_ended);
        self.back = None;
        self.calm_successes = 0;
        self.failed += stretch.count;
    }
}

/// The largest time without a sample between the strike and `end`.
fn largest_gap(stretches: &[&Stretch], struck: Nanos, end: Nanos) -> Nanos {
    let mut largest = 0;
    let mut last = struck;
    for stretch in stretches.iter().take_while(|one| one.first_ended <= end) {
        let within =
            stretch.last_ended.saturating_sub(stretch.first_ended) / stretch.count.max(2).saturating_sub(1);
        largest = largest.max(stretch.first_ended.saturating_sub(last)).max(within);
        last = stretch.last_ended.max(last);
    }
    largest.max(end.saturating_sub(last))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::ALL_GROUPS;

    const MS: Nanos = 1_000_000;

    /// One request: sent, ended, did it succeed?
    fn requests(all: &[(Nanos, Nanos, bool)]) -> Vec<Stretch> {
        all.iter()
            .map(|&(sent, ended, success)| Stretch {
                group: ALL_GROUPS.into(),
                probe: false,
                success,
                count: 1,
                first_sent: sent * MS,
                first_ended: ended * MS,
                last_ended: ended * MS,
            })
            .collect()
    }

    fn successes(times: impl Iterator<Item = Nanos>) -> Vec<(Nanos, Nanos, bool)> {
        times.map(|at| (at, at + 10, true)).collect()
    }

    fn seen(all: &[(Nanos, Nanos, bool)], struck: Nanos, until: Nanos) -> OutageSeen {
        outage(&requests(all), ALL_GROUPS, false, struck * MS, until * MS)
    }

    #[test]
    fn an_outage_ends_with_the_first_success_of_the_calm() {
        let mut all = successes((0..10).map(|n| n * 100));
        all.extend([(1_050, 1_060, false), (2_000, 2_010, true), (2_100, 2_110, false)]);
        all.extend(successes((0..60).map(|n| 3_000 + n * 100)));
        let seen = seen(&all, 1_000, 9_000);
        assert_eq!(seen.outage, Outage::Ended(2_010 * MS));
        assert_eq!(seen.failures, 2);
        assert_eq!(seen.resolution, 950 * MS);
    }

    #[test]
    fn a_calm_before_the_first_failure_is_not_the_end() {
        let mut all = successes((0..60).map(|n| 1_000 + n * 100));
        all.push((1_000, 7_500, false));
        all.extend(successes((0..60).map(|n| 8_000 + n * 100)));
        assert_eq!(seen(&all, 1_000, 14_100).outage, Outage::Ended(7_010 * MS));
    }

    #[test]
    fn without_a_failure_no_outage_was_seen_and_without_requests_nothing_is_known() {
        assert_eq!(seen(&successes((0..60).map(|n| 1_000 + n * 100)), 1_000, 8_000).outage, Outage::NotSeen);
        assert_eq!(seen(&successes((0..5).map(|n| 1_000 + n * 100)), 1_000, 8_000).outage, Outage::Unknown);
        assert_eq!(seen(&[], 1_000, 8_000).outage, Outage::Unknown);
    }

    #[test]
    fn an_outage_that_does_not_end_is_at_least_as_long_as_it_was_watched() {
        assert_eq!(seen(&[(1_100, 1_200, false)], 1_000, 8_000).outage, Outage::NotEnded(7_000 * MS));
        let mut all = vec![(1_100, 1_200, false), (1_300, 5_000, false)];
        all.extend(successes((0..20).map(|n| 5_100 + n * 100)));
        // Successes came, but watching ended before they had lasted.
        assert_eq!(seen(&all, 1_000, 8_000).outage, Outage::NotEnded(4_000 * MS));
    }

    #[test]
    fn a_later_failure_is_another_outage() {
        let mut all = vec![(1_100, 1_200, false)];
        all.extend(successes((0..60).map(|n| 1_300 + n * 100)));
        all.push((9_000, 9_100, false));
        let seen = seen(&all, 1_000, 9_500);
        assert_eq!(seen.outage, Outage::Ended(310 * MS));
        assert_eq!(seen.failures, 1);
    }

    #[test]
    fn too_few_successes_are_no_calm() {
        let mut all = vec![(1_100, 1_200, false)];
        all.extend(successes((0..9).map(|n| 2_000 + n * 1_000)));
        assert_eq!(seen(&all, 1_000, 11_000).outage, Outage::NotEnded(200 * MS));
        all.extend(successes([10_900].into_iter()));
        assert_eq!(seen(&all, 1_000, 11_000).outage, Outage::Ended(1_010 * MS));
        assert_eq!(seen(&all[1..], 1_000, 11_000).outage, Outage::NotSeen);
        assert_eq!(seen(&all[2..], 1_000, 11_000).outage, Outage::Unknown);
    }

    #[test]
    fn a_calm_is_five_seconds_and_no_less() {
        let mut all = vec![(1_100, 1_200, false)];
        all.extend(successes((0..20).map(|n| 2_000 + n * 100)));
        assert_eq!(seen(&all, 1_000, 7_009).outage, Outage::NotEnded(200 * MS));
        assert_eq!(seen(&all, 1_000, 7_010).outage, Outage::Ended(1_010 * MS));
    }

    #[test]
    fn what_ended_before_the_strike_or_after_watching_is_not_seen() {
        let mut all = vec![(800, 900, false)];
        all.extend(successes((0..60).map(|n| 1_000 + n * 100)));
        all.push((8_000, 8_100, false));
        let seen = seen(&all, 1_000, 8_000);
        assert_eq!((seen.outage, seen.failures), (Outage::NotSeen, 0));
    }

    #[test]
    fn a_success_of_a_request_that_was_sent_before_the_strike_proves_nothing() {
        let mut all = vec![(1_050, 1_060, false), (900, 1_200, true)];
        all.extend(successes((0..60).map(|n| 2_000 + n * 100)));
        assert_eq!(seen(&all, 1_000, 9_000).outage, Outage::Ended(1_010 * MS));
    }

    #[test]
    fn of_several_successes_around_the_strike_the_last_was_sent_after_it() {
        let mut all = requests(&[(1_050, 1_060, false), (900, 1_200, true)]);
        (all[1].count, all[1].last_ended) = (2, 1_400 * MS);
        all.extend(requests(&successes((0..60).map(|n| 2_000 + n * 100))));
        let seen = outage(&all, ALL_GROUPS, false, 1_000 * MS, 9_000 * MS);
        assert_eq!(seen.outage, Outage::Ended(400 * MS));
    }

    #[test]
    fn it_is_known_to_within_the_largest_gap() {
        let resolution =
            |all: &[Stretch], until| outage(all, ALL_GROUPS, false, 1_000 * MS, until).resolution;
        // From the last request to the end of watching.
        let mut all = requests(&[(1_100, 1_200, false)]);
        assert_eq!(resolution(&all, 8_000 * MS), 6_800 * MS);
        // Eleven requests in a stretch of five seconds: one each half second.
        (all[0].count, all[0].last_ended) = (11, 6_200 * MS);
        assert_eq!(resolution(&all, 6_200 * MS), 500 * MS);
        // Of two groups of requests that overlap, what ended last counts.
        let mut both = all.clone();
        both.extend(requests(&[(1_300, 1_400, true)]));
        assert_eq!(resolution(&both, 6_300 * MS), 500 * MS);
    }

    #[test]
    fn every_group_has_an_outage_of_its_own_and_the_probe_is_apart() {
        let of = |group: &str, probe, all: &[(Nanos, Nanos, bool)]| -> Vec<Stretch> {
            let group = |one| Stretch { group: group.into(), probe, ..one };
            requests(all).into_iter().map(group).collect()
        };
        let back = |at: Nanos| successes((0..60).map(move |n| at + n * 100));
        let mut writes = vec![(1_050, 1_060, false)];
        writes.extend(back(3_000));
        let mut all = of("writes", false, &writes);
        all.extend(of("reads", false, &back(1_000)));
        all.extend(of(ALL_GROUPS, false, &writes));
        all.extend(of(ALL_GROUPS, true, &[(1_100, 1_200, false)]));
        let seen = |probe| -> Vec<(String, Outage)> {
            let seen = outages(&all, probe, 1_000 * MS, 9_000 * MS);
            seen.into_iter().map(|one| (one.group, one.outage)).collect()
        };
        assert_eq!(
            seen(false),
            [
                (ALL_GROUPS.into(), Outage::Ended(2_010 * MS)),
                ("reads".into(), Outage::NotSeen),
                ("writes".into(), Outage::Ended(2_010 * MS)),
            ]
        );
        assert_eq!(seen(true), [(ALL_GROUPS.into(), Outage::NotEnded(8_000 * MS))]);
    }
}
