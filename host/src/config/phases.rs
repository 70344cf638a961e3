//! `[[phases]]`: how many users, or how many starts a second, and when.

use std::{collections::BTreeSet, time::Duration};

use super::{
    checks::Checks,
    file::PhaseTable,
    model::{ArrivalsConfig, BehaviorConfig, PhaseConfig, Ramp},
    units::show_duration,
};

/// How much of a user a behavior may lack in an open phase and still have one, for shares in thirds.
const ALMOST_ONE: f64 = 0.999;

/// Resolves the phases. Those that are open need users of every behavior.
pub(super) fn phases(
    checks: &mut Checks<'_>,
    tables: Vec<PhaseTable>,
    behaviors: &[BehaviorConfig],
) -> Vec<PhaseConfig> {
    let mut names = BTreeSet::new();
    let mut phases: Vec<PhaseConfig> = Vec::new();
    for (index, table) in tables.into_iter().enumerate() {
        let at = format!("/phases/{index}");
        let max_late = table.max_late.map(|max_late| max_late.0);
        if max_late.is_some() && table.rate.is_none() {
            let message = "only in an open phase can a start be late";
            checks.refuse(&format!("{at}/max-late"), message, "`rate` makes a phase open");
        }
        let phase = PhaseConfig {
            name: table.name.0,
            users: table.users,
            arrivals: table.rate.map(|rate| ArrivalsConfig { rate: rate.0, max_late }),
            ramp: table.ramp.map_or(Ramp::Over(Duration::ZERO), |ramp| ramp.0),
            duration: table.duration.0,
        };
        checks.unique(&mut names, &phase.name, &format!("{at}/name"), "phases");
        checks.positive(phase.duration, &format!("{at}/duration"));
        ramp_inside(checks, &at, &phase, phases.last());
        if phase.arrivals.is_some() {
            users_for_all(checks, &format!("{at}/users"), &phase, behaviors);
        }
        phases.push(phase);
    }
    if phases.iter().all(|phase| phase.users == 0) {
        checks.refuse("/phases/0/users", "no phase has any users", "at least one phase needs users");
    }
    phases
}

fn ramp_inside(checks: &mut Checks<'_>, at: &str, phase: &PhaseConfig, before: Option<&PhaseConfig>) {
    let ramp = phase.ramp_duration(before);
    if ramp <= phase.duration {
        return;
    }
    let (from, to) = match phase.arrivals {
        Some(wanted) => {
            let from = before.and_then(|before| before.arrivals).map_or(0.0, |had| had.rate);
            (format!("{from}/s"), format!("{}/s", wanted.rate))
        }
        None => (before.map_or(0, |before| before.users).to_string(), format!("{} users", phase.users)),
    };
    let message = format!(
        "the ramp from {from} to {to} takes {}, longer than the phase of {}",
        show_duration(ramp),
        show_duration(phase.duration)
    );
    checks.refuse(&format!("{at}/ramp"), message, "a ramp lies inside its phase's duration");
}

/// A start waits for a user of its own behavior, so in an open phase each needs at least one.
fn users_for_all(checks: &mut Checks<'_>, pointer: &str, phase: &PhaseConfig, behaviors: &[BehaviorConfig]) {
    let sum: f64 = behaviors.iter().map(|behavior| behavior.share).sum();
    let smallest = behaviors.iter().filter(|one| one.share > 0.0).min_by(|a, b| a.share.total_cmp(&b.share));
    let Some(smallest) = smallest else { return };
    let part = smallest.share / sum;
    // Wherever a share comes to one user or more, whole users give it at least one.
    if f64::from(phase.users) * part < ALMOST_ONE {
        let message = format!(
            "with {} users, behavior `{}` does not have even one for its {} % of the starts",
            phase.users, smallest.name, smallest.share
        );
        let help = format!(
            "`users` is the most that there may be; it must be at least {}",
            (ALMOST_ONE / part).ceil()
        );
        checks.refuse(pointer, message, help);
    }
}
