//! `host manifests`: what a cluster has to be given before a run, as YAML.

use std::io::Write as _;

use super::{
    Exit,
    run::{Which, complain},
};
use crate::{
    config::EnvironmentKind,
    environment::kubernetes::{render_role, rights},
    run::calls,
};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// The least Role that lets a run config run: what its plugins can call, and no more.
    Role(Which),
}

pub(crate) fn run(command: Command) -> Exit {
    match command {
        Command::Role(which) => which.with_cast(async |config, cast| {
            let EnvironmentKind::Kubernetes(cluster) = &config.environment.kind else {
                let message = format!(
                    "environment `{}` is no cluster; --env picks one of kind \"kubernetes\"",
                    config.environment.name
                );
                return complain(Exit::Usage, &message);
            };
            let role = render_role(&rights(cluster, &calls(&config, &cast)), &cluster.namespace);
            // Nothing is left to do about a terminal that is gone.
            let _ = write!(std::io::stdout(), "{role}");
            Exit::Pass
        }),
    }
}
