//! `host plan`: what a run would do, without starting anything.

use super::{
    Exit,
    run::Which,
    speak::{complain, print},
};
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
            Err(because) => return complain(Exit::NotReady, &because),
        };
        let plan = plan(&config, &cast, &place).await;
        print(&plan.render());
        if let Err(error) = place.environment.ensure_permitted(&calls(&config, &cast)).await {
            return complain(Exit::NotReady, &error.to_string());
        }
        match plan.blocked() {
            Some(_) => Exit::Fail,
            None => Exit::Pass,
        }
    })
}
