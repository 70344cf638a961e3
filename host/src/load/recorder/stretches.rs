//! The order in which a second's requests succeeded and failed, group by group.

use crate::observe::{Nanos, Stretch};

/// Most stretches kept of one group in one second. A second that flaps more often keeps the first
/// and the last ones to the request and condenses those between; see [`condense`].
const KEPT: usize = 64;

/// What is needed of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Outcome {
    pub ended: Nanos,
    pub sent: Nanos,
    pub success: bool,
}

/// The stretches of one group, from its outcomes in any order.
pub(super) fn stretches(group: &str, probe: bool, outcomes: &mut [Outcome]) -> Vec<Stretch> {
    // Of those that ended in the same instant failures come first: nobody can tell, and so a
    // recovery is not claimed early.
    outcomes.sort_unstable_by_key(|outcome| (outcome.ended, outcome.success, outcome.sent));
    let mut stretches: Vec<Stretch> = Vec::new();
    for outcome in outcomes.iter() {
        match stretches.last_mut() {
            Some(last) if last.success == outcome.success => {
                last.count += 1;
                last.first_sent = last.first_sent.min(outcome.sent);
                last.last_ended = outcome.ended;
            }
            _ => stretches.push(Stretch {
                group: group.to_owned(),
                probe,
                success: outcome.success,
                count: 1,
                first_sent: outcome.sent,
                first_ended: outcome.ended,
                last_ended: outcome.ended,
            }),
        }
    }
    condense(stretches)
}

/// Replaces what lies in the middle of too many stretches by two that overlap, one of the
/// successes and one of the failures. Counts stay exact. Recoveries lose nothing: a calm of
/// seconds never begins between two stretches of one second, only before the first failure or
/// after the last one, and both are kept as they were.
fn condense(mut stretches: Vec<Stretch>) -> Vec<Stretch> {
    if stretches.len() <= KEPT {
        return stretches;
    }
    let head = KEPT / 2 - 1;
    // An even number is taken out and two come in, so successes and failures still alternate.
    let tail = stretches.len() - head - stretches.len() % 2;
    let middle: Vec<Stretch> = stretches.drain(head..tail).collect();
    let mut merged: Vec<Stretch> = Vec::new();
    for stretch in middle {
        match merged.iter_mut().find(|kept| kept.success == stretch.success) {
            Some(kept) => {
                kept.count += stretch.count;
                kept.first_sent = kept.first_sent.min(stretch.first_sent);
                kept.last_ended = stretch.last_ended;
            }
            None => merged.push(stretch),
        }
    }
    stretches.splice(head..head, merged);
    stretches
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn outcome(sent: Nanos, ended: Nanos, success: bool) -> Outcome {
        Outcome { ended, sent, success }
    }

    #[test]
    fn runs_are_in_the_order_of_their_ends() {
        let mut outcomes = [
            outcome(0, 10, true),
            outcome(9, 30, false),
            outcome(2, 20, true),
            outcome(1, 40, false),
            outcome(35, 50, true),
        ];
        let stretches = stretches("pos", false, &mut outcomes);
        let brief: Vec<_> = stretches
            .iter()
            .map(|stretch| {
                (stretch.success, stretch.count, stretch.first_sent, stretch.first_ended, stretch.last_ended)
            })
            .collect();
        assert_eq!(brief, [(true, 2, 0, 10, 20), (false, 2, 1, 30, 40), (true, 1, 35, 50, 50)]);
    }

    #[test]
    fn of_two_in_one_instant_the_failure_comes_first() {
        let stretches = stretches("pos", false, &mut [outcome(0, 10, true), outcome(0, 10, false)]);
        assert_eq!(stretches.iter().map(|stretch| stretch.success).collect::<Vec<_>>(), [false, true]);
    }

    #[test]
    fn only_the_middle_is_condensed() {
        for count in [KEPT as u64, 100, 101] {
            let flapping = |count| (0..count).map(|at| outcome(at, at + 1, at % 2 == 0)).collect::<Vec<_>>();
            let brief = |stretch: &Stretch| (stretch.success, stretch.count, stretch.last_ended);
            let kept: Vec<_> = stretches("pos", false, &mut flapping(count)).iter().map(brief).collect();
            let all: Vec<_> = (0..count).map(|at| (at % 2 == 0, 1, at + 1)).collect();
            let edge = KEPT / 2 - 1;
            assert_eq!(kept[..edge], all[..edge]);
            assert_eq!(kept[kept.len() - edge..], all[all.len() - edge..]);
            assert_eq!(kept.len() == all.len(), all.len() <= KEPT);
        }
    }

    proptest! {
        #[test]
        fn condensed_or_not_counts_and_edges_are_exact(outcomes in prop::collection::vec((0u64..5000, 0u64..1000, any::<bool>()), 1..600)) {
            let mut outcomes: Vec<_> = outcomes
                .into_iter()
                .map(|(ended, service, success)| outcome(ended.saturating_sub(service), ended, success))
                .collect();
            let stretches = stretches("pos", true, &mut outcomes);
            prop_assert!(stretches.len() <= KEPT + 1);
            prop_assert!(stretches.windows(2).all(|pair| pair[0].success != pair[1].success));
            for success in [true, false] {
                let counted: u64 = stretches.iter().filter(|kept| kept.success == success).map(|kept| kept.count).sum();
                let were = outcomes.iter().filter(|outcome| outcome.success == success).count();
                prop_assert_eq!(counted, were as u64);
                let last = stretches.iter().filter(|kept| kept.success == success).map(|kept| kept.last_ended).max();
                let was = outcomes.iter().filter(|outcome| outcome.success == success).map(|outcome| outcome.ended).max();
                prop_assert_eq!(last, was);
            }
            prop_assert_eq!(stretches[0].first_ended, outcomes[0].ended);
            let last = outcomes.last().expect("at least one");
            let ends = stretches.last().expect("at least one");
            prop_assert_eq!((ends.success, ends.last_ended), (last.success, last.ended));
        }
    }
}
