//! `host results`: fetch what runs inside the cluster wrote.

use std::path::PathBuf;

use super::{
    Exit,
    job::Whose,
    speak::{complain, say},
};

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
    whose.with_job(async |job| match job.fetch(&to, say).await {
        Ok(_) => Exit::Pass,
        Err(error) => complain(Exit::NotReady, &error.to_string()),
    })
}
