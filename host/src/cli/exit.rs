//! Exit codes: what scripts and pipelines read.

use std::process::ExitCode;

use crate::observe::RunOutcome;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All promises that could be judged were kept; or a command did what it was asked to.
    Pass = 0,
    /// A promise was broken, something could not be put back, or a blocking finding forbade to start.
    Fail = 1,
    /// The command line or the config is wrong; nothing was started.
    Usage = 2,
    /// The environment was not ready.
    NotReady = 3,
    /// Not enough was seen to tell.
    Inconclusive = 4,
    /// The guard stopped the run.
    Aborted = 5,
    /// A defect of the host itself.
    Internal = 70,
    /// Stopped by the user.
    Interrupted = 130,
}

impl Exit {
    /// What the exit code of another `host` means; absent for one that none ends with.
    pub(crate) fn of(code: i32) -> Option<Self> {
        let all = [
            Self::Pass,
            Self::Fail,
            Self::Usage,
            Self::NotReady,
            Self::Inconclusive,
            Self::Aborted,
            Self::Internal,
            Self::Interrupted,
        ];
        all.into_iter().find(|exit| *exit as i32 == code)
    }
}

impl From<RunOutcome> for Exit {
    fn from(outcome: RunOutcome) -> Self {
        match outcome {
            RunOutcome::Pass => Self::Pass,
            RunOutcome::Fail => Self::Fail,
            RunOutcome::Inconclusive => Self::Inconclusive,
            RunOutcome::NotReady => Self::NotReady,
            RunOutcome::Aborted => Self::Aborted,
            RunOutcome::Interrupted => Self::Interrupted,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
