//! How outcomes are called wherever people read them.

use super::{Outcome, RunOutcome};

impl RunOutcome {
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Inconclusive => "inconclusive",
            Self::NotReady => "not ready",
            Self::Aborted => "aborted",
            Self::Interrupted => "interrupted",
        }
    }
}

impl Outcome {
    pub fn name(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Broken => "broken",
            Self::Inconclusive => "inconclusive",
            Self::Void => "void",
        }
    }
}
