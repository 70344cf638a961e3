//! Asks every assertion for its verdicts.

use assay_bindings::{assertion::exports::assay::plugin::assertion as wit, imports::types};

use super::answers::{distinct, in_a_shortened_run, wants_time};
use crate::{
    capability::AssertionInstance,
    observe::{Bound, Measure, Outcome, Relation, Verdict},
};

/// An assertion that is configured and ready to judge.
pub struct Judge {
    /// The assertion's name in the run config.
    pub name: String,
    pub requirement: Option<String>,
    /// Or why there is none.
    pub instance: Result<AssertionInstance, String>,
}

/// All verdicts, in the order of the assertions. An assertion that cannot be asked, or answers
/// nothing, has one verdict that says so: it is inconclusive, never a pass.
pub async fn evaluate(judges: Vec<Judge>, shortened: bool) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for mut judge in judges {
        let answers = match &mut judge.instance {
            Ok(instance) => instance.evaluate(wit::Moment::Final).await.map_err(|error| error.to_string()),
            Err(because) => Err(because.clone()),
        };
        match answers {
            Ok(answers) if answers.is_empty() => {
                verdicts.push(judge.silent("it answered no verdict".to_owned()));
            }
            Ok(answers) => {
                let own = answers.into_iter().map(|answer| judge.verdict(answer));
                let own = own.map(|verdict| if shortened { in_a_shortened_run(verdict) } else { verdict });
                verdicts.extend(distinct(own.collect()));
            }
            Err(error) => verdicts.push(judge.silent(format!("it could not be asked: {error}"))),
        }
    }
    verdicts
}

/// The promises whose answer only needs more time.
pub async fn awaiting(judges: Vec<Judge>) -> Vec<String> {
    let mut awaited = Vec::new();
    for mut judge in judges {
        let Ok(instance) = &mut judge.instance else { continue };
        let Ok(answers) = instance.evaluate(wit::Moment::SoFar).await else { continue };
        let verdicts = answers.into_iter().map(|answer| judge.verdict(answer));
        awaited.extend(verdicts.filter(wants_time).map(|verdict| verdict.subject));
    }
    awaited
}

impl Judge {
    fn silent(&self, because: String) -> Verdict {
        Verdict {
            assertion: self.name.clone(),
            subject: format!("assertion '{}'", self.name),
            outcome: Outcome::Inconclusive,
            measured: None,
            promised: None,
            because,
            shortage: None,
            requirement: self.requirement.clone(),
        }
    }

    fn verdict(&self, answer: wit::Verdict) -> Verdict {
        let outcome = match answer.outcome {
            wit::Outcome::Kept => Outcome::Kept,
            wit::Outcome::Broken => Outcome::Broken,
            wit::Outcome::Inconclusive => Outcome::Inconclusive,
        };
        Verdict {
            assertion: self.name.clone(),
            subject: answer.subject,
            outcome,
            measured: answer.measured.map(measure),
            promised: answer.promised.map(bound),
            because: answer.because,
            shortage: answer.shortage.map(|shortage| (measure(shortage.needed), measure(shortage.had))),
            requirement: answer.requirement.or_else(|| self.requirement.clone()),
        }
    }
}

fn bound(bound: wit::Bound) -> Bound {
    let relation = match bound.relation {
        wit::Relation::AtMost => Relation::AtMost,
        wit::Relation::AtLeast => Relation::AtLeast,
        wit::Relation::Exactly => Relation::Exactly,
    };
    Bound { relation, measure: measure(bound.measure) }
}

fn measure(measure: types::Measure) -> Measure {
    match measure {
        types::Measure::Ratio(ratio) => Measure::Ratio(ratio),
        types::Measure::Duration(nanos) => Measure::Duration(nanos),
        types::Measure::Count(count) => Measure::Count(count),
        types::Measure::Rate(rate) => Measure::Rate(rate),
        types::Measure::Millicores(millicores) => Measure::Millicores(millicores),
        types::Measure::Bytes(bytes) => Measure::Bytes(bytes),
        types::Measure::Text(text) => Measure::Text(text),
    }
}
