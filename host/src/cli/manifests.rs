//! `host manifests`: what a cluster has to be given before a run, as YAML.

use std::io::Write as _;

use super::{
    Exit,
    job::cluster_of,
    run::{Which, complain, complain_at_lines},
};
use crate::{
    environment::kubernetes::{render_role, rights},
    run::{JobError, JobOrder, calls, job_manifests},
};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// The least Role that lets a run config run: what its plugins can call, and no more.
    Role(Which),
    /// A Job that runs the same config inside the cluster, with all that it needs.
    Job(JobArguments),
}

#[derive(Debug, clap::Args)]
pub(crate) struct JobArguments {
    #[command(flatten)]
    which: Which,
    /// Makes it a CronJob with this schedule: "30 2 * * *".
    #[arg(long, value_name = "CRON")]
    schedule: Option<String>,
    /// The image with `host`, which the nodes have or can pull.
    #[arg(long, value_name = "NAME", default_value = concat!("localhost/assay:", env!("CARGO_PKG_VERSION")))]
    image: String,
    /// The class of the volume for the results; the cluster's default unless given.
    #[arg(long, value_name = "NAME")]
    storage_class: Option<String>,
    /// How large that volume is.
    #[arg(long, value_name = "SIZE", default_value = "1Gi")]
    results_size: String,
}

pub(crate) fn run(command: Command) -> Exit {
    match command {
        Command::Role(which) => which.with_cast(async |config, cast| {
            let cluster = match cluster_of(&config) {
                Ok(cluster) => cluster,
                Err(exit) => return exit,
            };
            match render_role(&rights(cluster, &calls(&config, &cast)), &cluster.namespace) {
                Ok(role) => print(&role),
                Err(error) => complain(Exit::Internal, &error.to_string()),
            }
        }),
        Command::Job(arguments) => {
            let JobArguments { which, schedule, image, storage_class, results_size } = arguments;
            let options = which.repeated();
            which.with_cast(async |config, cast| {
                let cluster = match cluster_of(&config) {
                    Ok(cluster) => cluster,
                    Err(exit) => return exit,
                };
                let order = JobOrder { options, image, schedule, storage_class, results_size };
                match job_manifests(&config, cluster, &cast, order) {
                    Ok(manifests) => print(&manifests),
                    Err(JobError::Config(errors)) => complain_at_lines(&errors),
                    Err(JobError::Order(error)) => complain(Exit::Usage, &error.to_string()),
                }
            })
        }
    }
}

fn print(manifests: &str) -> Exit {
    // Nothing is left to do about a terminal that is gone.
    let _ = write!(std::io::stdout(), "{manifests}");
    Exit::Pass
}
