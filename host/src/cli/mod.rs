//! The command line: one file per subcommand, each of which parses, calls, prints, and maps what
//! came of it to an exit code.

mod exit;
mod plan;
mod run;

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
}

/// The whole program.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let code = if error.use_stderr() { Exit::Usage } else { Exit::Pass };
            // Nothing is left to do about a terminal that is gone.
            let _ = error.print();
            return code.into();
        }
    };
    let exit = match arguments.command {
        Command::Run(arguments) => run::run(arguments),
        Command::Plan(arguments) => plan::run(arguments),
    };
    exit.into()
}
