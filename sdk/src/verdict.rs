//! Promises, judged: one way for all assertions to decide what kept, broken and inconclusive mean.
//!
//! ```
//! use assay_sdk::assertion::{Measure, Outcome, Verdict};
//!
//! let p95 = Measure::Duration(1_900_000_000);
//! let verdict = Verdict::at_most("p95 of response time", Some(p95.clone()), Measure::Duration(2_000_000_000))
//!     .of_percentile(95.0, 4_711)
//!     .because("4711 successes outside faults");
//! assert_eq!(verdict.outcome, Outcome::Kept);
//!
//! // The same figure from too few samples is not a pass.
//! let verdict = Verdict::at_most("p95 of response time", Some(p95), Measure::Duration(2_000_000_000))
//!     .of_percentile(95.0, 40);
//! assert_eq!(verdict.outcome, Outcome::Inconclusive);
//! assert_eq!(verdict.shortage.map(|it| it.needed), Some(Measure::Count(200)));
//! ```

use std::cmp::Ordering;
use std::mem::discriminant;

pub use crate::bindings::assertion::exports::assay::plugin::assertion::{
    Bound, Outcome, Relation, Shortage, Verdict,
};
pub use crate::bindings::imports::types::Measure;

impl Verdict {
    /// Promises that a figure is at most this. Without a figure the verdict is inconclusive.
    pub fn at_most(subject: impl Into<String>, measured: Option<Measure>, bound: Measure) -> Verdict {
        Verdict::bounded(subject.into(), measured, Relation::AtMost, bound)
    }

    /// Promises that a figure is at least this. Without a figure the verdict is inconclusive.
    pub fn at_least(subject: impl Into<String>, measured: Option<Measure>, bound: Measure) -> Verdict {
        Verdict::bounded(subject.into(), measured, Relation::AtLeast, bound)
    }

    /// Promises that a figure is exactly this. Without a figure the verdict is inconclusive.
    pub fn exactly(subject: impl Into<String>, measured: Option<Measure>, bound: Measure) -> Verdict {
        Verdict::bounded(subject.into(), measured, Relation::Exactly, bound)
    }

    /// A promise without a figure that was kept.
    pub fn kept(subject: impl Into<String>) -> Verdict {
        Verdict::plain(subject.into(), Outcome::Kept)
    }

    /// A promise without a figure that was broken.
    pub fn broken(subject: impl Into<String>) -> Verdict {
        Verdict::plain(subject.into(), Outcome::Broken)
    }

    /// A promise that cannot be judged, for another reason than a want of samples or time.
    pub fn inconclusive(subject: impl Into<String>, because: impl Into<String>) -> Verdict {
        Verdict::plain(subject.into(), Outcome::Inconclusive).because(because)
    }

    /// Says over which span and how many samples, and what else one must know; one sentence.
    #[must_use]
    pub fn because(mut self, because: impl Into<String>) -> Verdict {
        self.because = because.into();
        self
    }

    /// Attaches the reader's own numbering.
    #[must_use]
    pub fn requirement(mut self, requirement: Option<String>) -> Verdict {
        self.requirement = requirement;
        self
    }

    /// The figure is a percentile (0.0 to 100.0) of so many samples: p needs 10 ÷ (1 − p) of them.
    #[must_use]
    pub fn of_percentile(self, percent: f64, samples: u64) -> Verdict {
        let needed = samples_beyond(percent / 100.0, 10.0);
        self.needs(Measure::Count(needed), Measure::Count(samples))
    }

    /// The figure is a ratio of so many samples, and the bound is the promised ratio: p needs
    /// 1 ÷ (1 − p) of them, and at least one.
    #[must_use]
    pub fn of_ratio(self, promised: f64, samples: u64) -> Verdict {
        let needed = samples_beyond(promised, 1.0);
        self.needs(Measure::Count(needed), Measure::Count(samples))
    }

    /// What the promise needs to be judged, and what there was. With less than that, it is
    /// inconclusive whatever the figure says; a shortened run calls it void.
    #[must_use]
    pub fn needs(mut self, needed: Measure, had: Measure) -> Verdict {
        if compare(&had, &needed).is_none_or(Ordering::is_lt) {
            self.outcome = Outcome::Inconclusive;
            self.shortage = Some(Shortage { needed, had });
        }
        self
    }

    fn bounded(subject: String, measured: Option<Measure>, relation: Relation, bound: Measure) -> Verdict {
        let outcome = match measured.as_ref().and_then(|figure| compare(figure, &bound)) {
            None => Outcome::Inconclusive,
            Some(order) => {
                let holds = match relation {
                    Relation::AtMost => order.is_le(),
                    Relation::AtLeast => order.is_ge(),
                    Relation::Exactly => order.is_eq(),
                };
                if holds { Outcome::Kept } else { Outcome::Broken }
            }
        };
        let mut verdict = Verdict::plain(subject, outcome);
        if measured.is_none() {
            verdict.shortage = Some(Shortage { needed: Measure::Count(1), had: Measure::Count(0) });
        }
        verdict.measured = measured;
        verdict.promised = Some(Bound { relation, measure: bound });
        verdict
    }

    fn plain(subject: String, outcome: Outcome) -> Verdict {
        Verdict {
            subject,
            outcome,
            measured: None,
            promised: None,
            because: String::new(),
            shortage: None,
            requirement: None,
        }
    }
}

/// How many samples leave this many of them beyond a share.
fn samples_beyond(share: f64, beyond: f64) -> u64 {
    let rest = 1.0 - share;
    if rest <= 0.0 {
        // No number of samples proves 100 %, but each can disprove it.
        return 1;
    }
    // 10 ÷ (1 − 0.95) is a hair above 200 in binary fractions.
    ((beyond / rest) - 1e-6).ceil().max(1.0) as u64
}

/// Nothing if the two are of different kinds, or one is not a number.
fn compare(a: &Measure, b: &Measure) -> Option<Ordering> {
    if discriminant(a) != discriminant(b) {
        return None;
    }
    match (a, b) {
        (Measure::Text(a), Measure::Text(b)) => Some(a.cmp(b)),
        _ => a.value()?.partial_cmp(&b.value()?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn milliseconds(count: u64) -> Measure {
        Measure::Duration(count * 1_000_000)
    }

    #[test]
    fn bounds_include_themselves() {
        let outcome = |figure, bound| Verdict::at_most("it", Some(figure), bound).outcome;
        assert_eq!(outcome(milliseconds(500), milliseconds(500)), Outcome::Kept);
        assert_eq!(outcome(milliseconds(501), milliseconds(500)), Outcome::Broken);
        let outcome = |figure, bound| {
            Verdict::at_least("it", Some(Measure::Ratio(figure)), Measure::Ratio(bound)).outcome
        };
        assert_eq!(outcome(0.999, 0.999), Outcome::Kept);
        assert_eq!(outcome(0.9989, 0.999), Outcome::Broken);
    }

    #[test]
    fn exactly_is_neither_more_nor_less() {
        let outcome = |figure| Verdict::exactly("it", Some(figure), Measure::Count(3)).outcome;
        assert_eq!(outcome(Measure::Count(3)), Outcome::Kept);
        assert_eq!(outcome(Measure::Count(2)), Outcome::Broken);
        assert_eq!(outcome(Measure::Count(4)), Outcome::Broken);
    }

    #[test]
    fn texts_are_the_same_or_not() {
        let text = |text: &str| Measure::Text(text.to_owned());
        let outcome = |figure| Verdict::exactly("it", Some(text(figure)), text("primary")).outcome;
        assert_eq!(outcome("primary"), Outcome::Kept);
        assert_eq!(outcome("replica"), Outcome::Broken);
    }

    #[test]
    fn what_is_needed_is_enough_and_less_is_not() {
        let kept = Verdict::at_most("it", Some(milliseconds(1)), milliseconds(500));
        let needs = |had| kept.clone().needs(Measure::Duration(60), Measure::Duration(had)).outcome;
        assert_eq!(needs(60), Outcome::Kept);
        assert_eq!(needs(59), Outcome::Inconclusive);
    }

    #[test]
    fn no_data_is_inconclusive_and_says_what_is_short() {
        let verdict = Verdict::at_most("it", None, milliseconds(500));
        assert_eq!(verdict.outcome, Outcome::Inconclusive);
        assert!(verdict.shortage.is_some());
        let verdict = Verdict::at_most("it", None, milliseconds(500)).of_percentile(99.0, 0);
        assert_eq!(verdict.shortage.map(|it| it.needed), Some(Measure::Count(1000)));
    }

    #[test]
    fn other_reasons_are_no_shortage() {
        let verdict = Verdict::inconclusive("it", "the fault never struck");
        assert_eq!(verdict.outcome, Outcome::Inconclusive);
        assert_eq!(verdict.shortage, None);
    }

    #[test]
    fn samples_needed() {
        assert_eq!(samples_beyond(0.5, 10.0), 20);
        assert_eq!(samples_beyond(0.95, 10.0), 200);
        assert_eq!(samples_beyond(0.99, 10.0), 1000);
        assert_eq!(samples_beyond(0.99, 1.0), 100);
        assert_eq!(samples_beyond(0.999, 1.0), 1000);
        assert_eq!(samples_beyond(1.0, 1.0), 1);
    }

    #[test]
    fn different_kinds_cannot_be_compared() {
        let verdict = Verdict::at_most("it", Some(Measure::Count(1)), milliseconds(500));
        assert_eq!(verdict.outcome, Outcome::Inconclusive);
    }
}
