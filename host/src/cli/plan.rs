//! `host plan`: what a run would do, without starting anything.

use std::io::Write as _;

use super::{Exit, run::Which};
use crate::run::{calls, plan, planned};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    which: Which,
}

pub(crate) fn run(arguments: Arguments) -> Exit {
    arguments.which.with_cast(async |config, cast| {
        let place = match planned(&config).await {
            Ok(place) => place,
            Err(because) => return super::run::complain(Exit::NotReady, &because),
        };
        let plan = plan(&config, &cast, &place).await;
        // Nothing is left to do about a terminal that is gone.
        let _ = write!(std::io::stdout(), "{}", plan.render());
        if let Err(error) = place.environment.ensure_permitted(&calls(&config, &cast)).await {
            return super::run::complain(Exit::NotReady, &error.to_string());
        }
        match plan.blocked() {
            Some(_) => Exit::Fail,
            None => Exit::Pass,
        }
    })
}
