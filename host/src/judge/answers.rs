//! What holds of every assertion's answers, whatever they are about.

use std::collections::BTreeMap;

use crate::observe::{Measure, Outcome, Verdict};

/// Only a run that was shortened may lack samples or time without that being its own fault.
pub(super) fn in_a_shortened_run(mut verdict: Verdict) -> Verdict {
    if verdict.outcome == Outcome::Inconclusive && verdict.shortage.is_some() {
        verdict.outcome = Outcome::Void;
    }
    verdict
}

/// Does its answer only need more time?
pub(super) fn wants_time(verdict: &Verdict) -> bool {
    verdict.outcome == Outcome::Inconclusive && matches!(verdict.shortage, Some((Measure::Duration(_), _)))
}

/// Gives verdicts of one subject a number from the second on: each is a promise of its own, and none
/// may hide another.
pub(super) fn distinct(mut verdicts: Vec<Verdict>) -> Vec<Verdict> {
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    for verdict in &mut verdicts {
        let count = seen.entry(verdict.subject.clone()).or_default();
        *count += 1;
        if *count > 1 {
            verdict.subject = format!("{} ({count})", verdict.subject);
        }
    }
    verdicts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(subject: &str, outcome: Outcome, shortage: Option<Measure>) -> Verdict {
        Verdict {
            assertion: "sla".to_owned(),
            subject: subject.to_owned(),
            outcome,
            measured: None,
            promised: None,
            because: String::new(),
            shortage: shortage.map(|needed| (needed, Measure::Count(0))),
            requirement: None,
        }
    }

    const SAMPLES: Option<Measure> = Some(Measure::Count(200));
    const TIME: Option<Measure> = Some(Measure::Duration(60_000_000_000));

    #[test]
    fn only_what_was_short_is_void_in_a_shortened_run() {
        let outcome = |outcome, shortage| in_a_shortened_run(verdict("p95", outcome, shortage)).outcome;
        assert_eq!(outcome(Outcome::Inconclusive, SAMPLES), Outcome::Void);
        assert_eq!(outcome(Outcome::Inconclusive, TIME), Outcome::Void);
        assert_eq!(outcome(Outcome::Inconclusive, None), Outcome::Inconclusive, "for another reason");
        assert_eq!(outcome(Outcome::Broken, SAMPLES), Outcome::Broken);
        assert_eq!(outcome(Outcome::Kept, SAMPLES), Outcome::Kept);
    }

    #[test]
    fn only_what_is_short_of_time_is_waited_for() {
        let wants = |outcome, shortage| wants_time(&verdict("back down to 3", outcome, shortage));
        assert!(wants(Outcome::Inconclusive, TIME));
        assert!(!wants(Outcome::Inconclusive, SAMPLES));
        assert!(!wants(Outcome::Inconclusive, None));
        assert!(!wants(Outcome::Broken, TIME));
    }

    #[test]
    fn promises_of_one_subject_are_told_apart() {
        let verdicts = ["p95", "mean", "p95", "p95"].map(|subject| verdict(subject, Outcome::Kept, None));
        let subjects: Vec<_> = distinct(verdicts.into()).into_iter().map(|it| it.subject).collect();
        assert_eq!(subjects, ["p95", "mean", "p95 (2)", "p95 (3)"]);
    }
}
