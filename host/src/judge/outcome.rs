//! How a run as a whole turned out.

use crate::observe::{Outcome, RunOutcome, Verdict};

/// What happened to the run itself.
#[derive(Debug, Clone, Default)]
pub struct Circumstances {
    /// What could not be put back.
    pub not_restored: Vec<String>,
    /// Faults that were planned and proved nothing, with the reason: they did not strike, their effect
    /// was not proven, or the load ended before their recovery could be judged.
    pub unproven_faults: Vec<String>,
    /// The generator's own confession, if it was the bottleneck.
    pub generator: Option<String>,
}

/// The run's outcome and the one sentence that gives its reason. A broken promise weighs more than
/// what is not known, and nothing but kept promises makes a pass: no data is inconclusive.
pub fn decide(verdicts: &[Verdict], circumstances: &Circumstances) -> (RunOutcome, String) {
    let count = |outcome| verdicts.iter().filter(|verdict| verdict.outcome == outcome).count();
    let (kept, broken) = (count(Outcome::Kept), count(Outcome::Broken));
    let (inconclusive, void) = (count(Outcome::Inconclusive), count(Outcome::Void));

    if broken > 0 {
        let judged = kept + broken + inconclusive;
        return (RunOutcome::Fail, format!("{broken} of {judged} promises broken"));
    }
    if let Some(first) = circumstances.not_restored.first() {
        return (RunOutcome::Fail, format!("not everything could be put back: {first}"));
    }
    if let Some(first) = circumstances.unproven_faults.first() {
        return (RunOutcome::Inconclusive, first.clone());
    }
    if let Some(because) = &circumstances.generator {
        return (RunOutcome::Inconclusive, format!("the load generator was the bottleneck: {because}"));
    }
    if inconclusive > 0 {
        return (RunOutcome::Inconclusive, format!("{inconclusive} promises could not be judged"));
    }
    match (kept, void) {
        (0, 0) => (RunOutcome::Inconclusive, "nothing was promised, so nothing was proven".to_owned()),
        (0, _) => (RunOutcome::Inconclusive, "all promises are void in a run shortened this much".to_owned()),
        (_, 0) => (RunOutcome::Pass, format!("all {kept} promises kept")),
        (_, _) => (RunOutcome::Pass, format!("{kept} promises kept, {void} void in a shortened run")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdicts(outcomes: &[Outcome]) -> Vec<Verdict> {
        outcomes
            .iter()
            .map(|&outcome| Verdict {
                assertion: "sla".into(),
                subject: "p95".into(),
                outcome,
                measured: None,
                promised: None,
                because: String::new(),
                shortage: None,
                requirement: None,
            })
            .collect()
    }

    fn outcome(outcomes: &[Outcome], circumstances: &Circumstances) -> RunOutcome {
        decide(&verdicts(outcomes), circumstances).0
    }

    #[test]
    fn only_kept_promises_make_a_pass() {
        use Outcome::{Broken, Inconclusive, Kept, Void};
        let fine = Circumstances::default();
        assert_eq!(outcome(&[Kept, Kept], &fine), RunOutcome::Pass);
        assert_eq!(outcome(&[Kept, Void], &fine), RunOutcome::Pass);
        assert_eq!(outcome(&[Kept, Inconclusive], &fine), RunOutcome::Inconclusive);
        assert_eq!(outcome(&[Kept, Inconclusive, Broken], &fine), RunOutcome::Fail);
        assert_eq!(outcome(&[Void, Void], &fine), RunOutcome::Inconclusive);
        assert_eq!(outcome(&[], &fine), RunOutcome::Inconclusive);
    }

    #[test]
    fn the_reason_counts_promises_and_void_ones_are_none_that_were_judged() {
        use Outcome::{Broken, Inconclusive, Kept, Void};
        let because = |outcomes: &[Outcome]| decide(&verdicts(outcomes), &Circumstances::default()).1;
        assert_eq!(
            because(&[Kept, Kept, Kept, Broken, Broken, Inconclusive, Void]),
            "2 of 6 promises broken"
        );
        assert_eq!(because(&[Kept, Inconclusive, Inconclusive]), "2 promises could not be judged");
        assert_eq!(because(&[Kept, Kept]), "all 2 promises kept");
        assert_eq!(because(&[Kept, Kept, Void]), "2 promises kept, 1 void in a shortened run");
        assert_eq!(because(&[Void]), "all promises are void in a run shortened this much");
        assert_eq!(because(&[]), "nothing was promised, so nothing was proven");
    }

    #[test]
    fn what_happened_to_the_run_outweighs_kept_promises() {
        let kept = [Outcome::Kept];
        let with = |change: fn(&mut Circumstances)| {
            let mut circumstances = Circumstances::default();
            change(&mut circumstances);
            outcome(&kept, &circumstances)
        };
        assert_eq!(with(|c| c.not_restored.push("x".into())), RunOutcome::Fail);
        assert_eq!(with(|c| c.unproven_faults.push("x".into())), RunOutcome::Inconclusive);
        assert_eq!(with(|c| c.generator = Some("x".into())), RunOutcome::Inconclusive);
    }
}
