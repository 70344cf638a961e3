//! `junit.xml`: every promise as a test case, for pipelines.

use quick_junit::{NonSuccessKind, Report, SerializeError, TestCase, TestCaseStatus, TestSuite};

use super::Summary;
use crate::observe::{Outcome, RunOutcome, Verdict};

/// The file as text. A promise that could not be judged is an error, a void one is skipped, and the
/// run itself is a case too, so that one without promises cannot look like a pass.
pub(super) fn junit(summary: &Summary) -> Result<String, SerializeError> {
    let name = summary.run.as_ref().map_or("run", |run| run.name.as_str());
    let mut report = Report::new(name);
    let mut run = TestSuite::new("run");
    let mut case = TestCase::new("outcome", run_status(summary));
    case.set_classname("run");
    run.add_test_case(case);
    report.add_test_suite(run);

    let mut assertions: Vec<&str> = Vec::new();
    for promise in &summary.promises {
        if !assertions.contains(&promise.assertion.as_str()) {
            assertions.push(&promise.assertion);
        }
    }
    for assertion in assertions {
        let mut suite = TestSuite::new(assertion);
        let own = summary.promises.iter().filter(|promise| promise.assertion == assertion);
        suite.add_test_cases(own.map(promise_case));
        report.add_test_suite(suite);
    }
    report.to_string()
}

fn run_status(summary: &Summary) -> TestCaseStatus {
    let kind = match summary.outcome {
        Some(RunOutcome::Pass) => return TestCaseStatus::success(),
        Some(RunOutcome::Fail) => NonSuccessKind::Failure,
        _ => NonSuccessKind::Error,
    };
    let mut status = TestCaseStatus::non_success(kind);
    status
        .set_type(summary.outcome.map_or("cut off", RunOutcome::name))
        .set_message(summary.because.as_str());
    status
}

fn promise_case(promise: &Verdict) -> TestCase {
    let mut status = match promise.outcome {
        Outcome::Kept => TestCaseStatus::success(),
        Outcome::Broken => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Outcome::Inconclusive => TestCaseStatus::non_success(NonSuccessKind::Error),
        Outcome::Void => TestCaseStatus::skipped(),
    };
    let measured = promise.measured.as_ref().map_or("nothing".to_owned(), ToString::to_string);
    let promised = promise.promised.as_ref().map_or(String::new(), |bound| format!(", promised {bound}"));
    if promise.outcome != Outcome::Kept {
        status
            .set_type(promise.outcome.name())
            .set_message(format!("measured {measured}{promised}: {}", promise.because));
    }
    let mut case = TestCase::new(promise.subject.as_str(), status);
    case.set_classname(promise.assertion.as_str());
    if let Some(requirement) = &promise.requirement {
        case.add_property(("requirement", requirement.as_str()));
    }
    case
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::{Observations, fixtures};

    #[test]
    fn reads_as_published() {
        insta::assert_snapshot!(junit(&Summary::of(&fixtures::observations())).unwrap());
    }

    #[test]
    fn a_run_without_promises_is_no_pass() {
        let text = junit(&Summary::of(&Observations::default())).unwrap();
        assert!(text.contains("errors=\"1\""), "{text}");
    }
}
