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

#[cfg(test)]
mod tests {
    use super::super::{
        LoadOptions, RunConfig,
        testing::{RIGHT, load_text, messages, set},
    };
    use super::*;

    fn with(old: &str, new: &str) -> Result<RunConfig, super::super::ConfigErrors> {
        assert!(RIGHT.contains(old), "{old}");
        load_text(&RIGHT.replace(old, new), &LoadOptions::default())
    }

    #[test]
    fn a_rate_opens_a_phase() {
        let config = with("users = 50\nramp = \"2/s\"", "users = 50\nrate = \"1.5/s\"\nmax-late = \"5s\"");
        let config = config.unwrap_or_else(|errors| panic!("{errors}"));
        let max_late = Some(Duration::from_secs(5));
        assert_eq!(config.phases[1].arrivals, Some(ArrivalsConfig { rate: 1.5, max_late }));
        assert_eq!((config.phases[1].users, config.phases[0].arrivals), (50, None));
        let rates: Vec<_> = config.planned_phases().iter().map(|phase| phase.rate).collect();
        assert_eq!(rates, [None, Some(1.5)]);
        let short = config.scaled(10.0);
        assert_eq!(short.phases[1].arrivals, Some(ArrivalsConfig { rate: 1.5, max_late }), "rates stay");
        assert_eq!(short.phases[1].duration, Duration::from_secs(12));
    }

    #[test]
    fn every_behavior_of_an_open_phase_has_a_user() {
        let open =
            |users: u32| with("users = 50\nramp = \"2/s\"", &format!("users = {users}\nrate = \"9/s\""));
        assert!(open(10).is_ok(), "10 % of 10 users is one");
        insta::assert_snapshot!(
            messages(open(9)),
            @"run.toml:47:9: with 9 users, behavior `owner` does not have even one for its 10 % of the starts"
        );
        insta::assert_snapshot!(
            messages(open(0)),
            @"run.toml:47:9: with 0 users, behavior `owner` does not have even one for its 10 % of the starts"
        );
        // Nobody, not even in an open phase, needs a user without a share.
        let idle = RIGHT.replace("share = 10\n", "share = 0\n").replace("share = 90", "share = 100");
        let options = set(&["phases.peak.rate=9/s", "phases.peak.users=1"]);
        assert!(load_text(&idle, &options).is_ok());
    }

    #[test]
    fn a_ramp_of_rates_begins_with_the_rate_before() {
        let options = set(&["phases.warm.rate=10/s", "phases.peak.rate=250/s"]);
        assert!(load_text(RIGHT, &options).is_ok(), "240/s at 2/s each second are the phase's two minutes");
        let options = set(&["phases.peak.rate=250/s"]);
        insta::assert_snapshot!(
            messages(load_text(RIGHT, &options)),
            @"run.toml:48:8: the ramp from 0/s to 250/s takes 2m5s, longer than the phase of 2m"
        );
    }

    #[test]
    fn a_probe_has_users_for_what_starts_in_a_second() {
        let probe = |text: &str| {
            let config = with("[guard]", &format!("[probe]\nplugin = \"asker\"\n{text}\n[guard]"));
            config.unwrap_or_else(|errors| panic!("{errors}")).probe.expect("a probe")
        };
        let asker = probe("rate = \"10/s\"");
        assert_eq!((asker.rate, asker.users, asker.behavior.name.as_str()), (10.0, 20, "probe"));
        assert_eq!(asker.behavior.uses.origin.path, "probe/config");
        assert_eq!(probe("rate = \"0.1/s\"").users, 2);
        assert_eq!(probe("rate = \"1000/s\"\nusers = 7").users, 7);
        assert_eq!(probe("rate = \"10000/s\"").users, 1_000);
    }
}
