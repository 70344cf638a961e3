//! `host judge`: a finished run is judged again, from its directory alone.

use std::path::PathBuf;

use super::{
    Exit,
    runtime::block_on,
    speak::{complain, notice, print},
};
use crate::run::{JudgeAgainError, judge_again};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The run's directory. Nothing in it is changed.
    directory: PathBuf,
}

pub(crate) fn run(arguments: Arguments) -> Exit {
    block_on(async {
        match judge_again(&arguments.directory).await {
            Ok(again) => {
                print(&again.verdict);
                for difference in &again.differences {
                    notice(&format!("not as recorded: {difference}"));
                }
                again.outcome.into()
            }
            Err(error @ JudgeAgainError::NeverJudged { .. }) => {
                complain(Exit::Inconclusive, &error.to_string())
            }
            Err(error @ JudgeAgainError::Engine(_)) => complain(Exit::NotReady, &error.to_string()),
            Err(error @ JudgeAgainError::Link(_)) => complain(Exit::Internal, &error.to_string()),
            Err(error) => complain(Exit::Usage, &error.to_string()),
        }
    })
}
