//! `host cleanup`: take away what makes runs inside the cluster.

use std::io::Write as _;

use super::{Exit, job::Whose, run::complain};
use crate::environment::kubernetes::Removal;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    whose: Whose,
    /// Take away the volume with the run directories, too.
    #[arg(long)]
    results: bool,
    /// Also if a run goes on: it is told to end, puts back what it changed, and reports.
    #[arg(long)]
    stop: bool,
}

pub(crate) fn run(arguments: Arguments) -> Exit {
    let Arguments { whose, results, stop } = arguments;
    whose.with_job(async |job| {
        // Nothing is left to do about a terminal that is gone.
        let say = |line: &str| drop(writeln!(std::io::stdout(), "{line}"));
        match job.remove(Removal { results, stop }, say).await {
            Ok(0) => {
                say("there is nothing to remove");
                Exit::Pass
            }
            Ok(_) => Exit::Pass,
            Err(error) => complain(Exit::NotReady, &error.to_string()),
        }
    })
}
