//! `host monitor`: follow a run inside the cluster.

use std::io::Write as _;

use super::{Exit, job::Whose, run::complain};
use crate::environment::kubernetes::Ended;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    whose: Whose,
}

pub(crate) fn run(arguments: Arguments) -> Exit {
    arguments.whose.with_job(async |job| {
        // Nothing is left to do about a terminal that is gone.
        let say = |line: &str| drop(writeln!(std::io::stdout(), "{line}"));
        let notice = |line: &str| drop(writeln!(std::io::stderr(), "{line}"));
        match job.follow(say, notice).await {
            Ok(ended) => exit(ended),
            Err(error) => complain(Exit::NotReady, &error.to_string()),
        }
    })
}

/// The run's own exit code, as far as it has one.
fn exit(ended: Ended) -> Exit {
    match ended {
        Ended::Code { code, reason } => Exit::of(code).unwrap_or_else(|| {
            let message = format!(
                "the run was ended from outside, with exit code {code} ({reason}); `host recover CONFIG` undoes \
                 what it left behind"
            );
            complain(Exit::Inconclusive, &message)
        }),
        Ended::Lost(because) => {
            let message =
                format!("how the run ended is not known: {because}; `host results` fetches its report");
            complain(Exit::Inconclusive, &message)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_s_exit_code_is_passed_on() {
        let with = |code| exit(Ended::Code { code, reason: "Error".to_owned() });
        for own in [
            Exit::Pass,
            Exit::Fail,
            Exit::Usage,
            Exit::NotReady,
            Exit::Inconclusive,
            Exit::Aborted,
            Exit::Internal,
            Exit::Interrupted,
        ] {
            assert_eq!(with(own as i32), own);
        }
        assert_eq!(with(137), Exit::Inconclusive);
        assert_eq!(exit(Ended::Lost("gone".to_owned())), Exit::Inconclusive);
    }
}
