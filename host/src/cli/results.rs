//! `host results`: fetch what runs inside the cluster wrote.

use std::{io::Write as _, path::PathBuf};

use super::{Exit, job::Whose, run::complain};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    whose: Whose,
    /// Where the run directories are put. One that is there already is not fetched again.
    #[arg(long, value_name = "FOLDER", default_value = "runs")]
    to: PathBuf,
}

pub(crate) fn run(arguments: Arguments) -> Exit {
    let Arguments { whose, to } = arguments;
    whose.with_job(async |job| {
        // Nothing is left to do about a terminal that is gone.
        let say = |line: &str| drop(writeln!(std::io::stdout(), "{line}"));
        match job.fetch(&to, say).await {
            Ok(_) => Exit::Pass,
            Err(error) => complain(Exit::NotReady, &error.to_string()),
        }
    })
}
