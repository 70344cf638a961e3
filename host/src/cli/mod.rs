//! The command line: one file per subcommand, each of which parses, calls, prints, and maps what
//! came of it to an exit code.

mod cleanup;
mod exit;
mod job;
mod judge;
mod lab;
mod manifests;
mod monitor;
mod plan;
mod recover;
mod results;
mod run;
mod runtime;
mod speak;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use exit::Exit;

/// Puts real load on a platform, breaks it on purpose while the load runs, and says with numbers
/// whether it kept its promises.
#[derive(Debug, Parser)]
#[command(name = "host", version, about, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a run config: load, faults, verdict.
    Run(run::Arguments),
    /// Say what a run would do, and whether it may start, without starting anything.
    Plan(plan::Arguments),
    /// Judge a finished run again, from its directory alone.
    Judge(judge::Arguments),
    /// Keep a lab up, look into it, end it.
    #[command(subcommand)]
    Lab(lab::Command),
    /// Undo what killed runs left behind.
    Recover(recover::Arguments),
    /// Print what a cluster has to be given before a run.
    #[command(subcommand)]
    Manifests(manifests::Command),
    /// Follow a run inside the cluster, and end with its exit code.
    Monitor(monitor::Arguments),
    /// Fetch the run directories of runs inside the cluster.
    Results(results::Arguments),
    /// Take away what makes runs inside the cluster.
    Cleanup(cleanup::Arguments),
}

/// The whole program.
pub fn main() -> ExitCode {
    // Every TLS client of the process shares one provider; only a second one would be an error.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let code = if error.use_stderr() { Exit::Usage } else { Exit::Pass };
            let _ = error.print();
            return code.into();
        }
    };
    let exit = match arguments.command {
        Command::Run(arguments) => run::run(arguments),
        Command::Plan(arguments) => plan::run(arguments),
        Command::Judge(arguments) => judge::run(arguments),
        Command::Lab(command) => lab::run(command),
        Command::Recover(arguments) => recover::run(arguments),
        Command::Manifests(command) => manifests::run(command),
        Command::Monitor(arguments) => monitor::run(arguments),
        Command::Results(arguments) => results::run(arguments),
        Command::Cleanup(arguments) => cleanup::run(arguments),
    };
    exit.into()
}
