//! `host run`: load, faults, verdict.

use std::{
    io::{IsTerminal as _, Write as _},
    path::PathBuf,
};

use super::Exit;
use crate::{
    config::{self, LoadOptions, RunConfig},
    run::{self, Cast, CastError, Options},
};

/// What both `run` and `plan` are told.
#[derive(Debug, clap::Args)]
pub(crate) struct Which {
    /// The run config.
    config: PathBuf,
    /// The environment, in place of the config's own.
    #[arg(long, value_name = "NAME")]
    env: Option<String>,
    /// Overrides a value of the config: phases.peak.users=50
    #[arg(long, value_name = "PATH=VALUE")]
    set: Vec<String>,
    /// Shortens ramps, phases and the moments of faults this many times.
    #[arg(long, value_name = "N")]
    time_scale: Option<f64>,
    /// What all random choices follow from.
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// Lets the run touch this context of the kubeconfig although it is protected.
    #[arg(long, value_name = "NAME")]
    allow_context: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    which: Which,
    /// Where the run's directory is made.
    #[arg(long, value_name = "FOLDER", default_value = "runs")]
    runs: PathBuf,
    /// Print the verdict and nothing else.
    #[arg(long, short)]
    quiet: bool,
}

pub(crate) fn run(arguments: Arguments) -> Exit {
    let options = Options { runs: arguments.runs, quiet: arguments.quiet };
    arguments.which.with_cast(async |config, cast| {
        if let Err(errors) = config::check_credentials(&config) {
            return complain_at_lines(&errors);
        }
        match run::conduct(config, cast, options).await {
            Ok(finished) => {
                // Nothing is left to do about a terminal that is gone.
                let _ = write!(std::io::stdout(), "{}", finished.verdict);
                match finished.incomplete {
                    Some(because) => complain(Exit::Internal, &because),
                    None => finished.outcome.into(),
                }
            }
            Err(error) => complain(Exit::Usage, &error.to_string()),
        }
    })
}

impl Which {
    /// What another `host` is told, beside config and environment, for the same run.
    pub(crate) fn repeated(&self) -> Vec<String> {
        let set = self.set.iter().map(|one| ("--set", one.clone()));
        let options = [
            ("--time-scale", self.time_scale.map(|scale| scale.to_string())),
            ("--seed", self.seed.map(|seed| seed.to_string())),
            ("--allow-context", self.allow_context.clone()),
        ];
        let options = options.into_iter().filter_map(|(option, value)| Some((option, value?)));
        set.chain(options).flat_map(|(option, value)| [option.to_owned(), value]).collect()
    }

    /// Loads the config and casts its plugins, and goes on with both; or says what is wrong.
    pub(crate) fn with_cast(self, go_on: impl AsyncFnOnce(RunConfig, Cast) -> Exit) -> Exit {
        let options = LoadOptions {
            environment: self.env,
            set: self.set,
            time_scale: self.time_scale,
            allow_context: self.allow_context,
        };
        let config = match config::load(&self.config, &options) {
            Ok(config) => config,
            Err(errors) => return complain_at_lines(&errors),
        };
        let seed = self.seed.or(config.seed).unwrap_or_else(run::fresh_seed);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = match runtime {
            Ok(runtime) => runtime,
            Err(error) => return complain(Exit::Internal, &format!("no runtime: {error}")),
        };
        runtime.block_on(async {
            match Cast::assemble(&config, seed).await {
                Ok(cast) => go_on(config, cast).await,
                Err(CastError::Config(errors)) => complain_at_lines(&errors),
                Err(CastError::Engine(error)) => complain(Exit::NotReady, &error.to_string()),
                Err(error) => complain(Exit::Internal, &error.to_string()),
            }
        })
    }
}

/// Prints one error.
pub(crate) fn complain(exit: Exit, message: &str) -> Exit {
    // Nothing is left to do about a terminal that is gone.
    let _ = writeln!(std::io::stderr(), "error: {message}");
    exit
}

pub(crate) fn complain_at_lines(errors: &config::ConfigErrors) -> Exit {
    let mut stderr = std::io::stderr();
    let colours = stderr.is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let _ = write!(stderr, "{}", errors.render(colours));
    Exit::Usage
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_repeated_makes_the_same_run() {
        let which = Which {
            config: "run.toml".into(),
            env: Some("there".to_owned()),
            set: vec!["phases.0.users=5".to_owned(), "seed=1".to_owned()],
            time_scale: Some(2.5),
            seed: Some(7),
            allow_context: Some("prod".to_owned()),
        };
        let expected = "--set phases.0.users=5 --set seed=1 --time-scale 2.5 --seed 7 --allow-context prod";
        assert_eq!(which.repeated().join(" "), expected);
    }
}
