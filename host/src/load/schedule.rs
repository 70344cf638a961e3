//! How many virtual users there shall be at which moment: a pure function of time.
//!
//! Phases follow one another without a gap. Users carry over: a phase with more of them adds some,
//! one with fewer stops the newest. A ramp lies inside its phase's duration and begins with what
//! the phase before had at its end.
//!
//! In a closed phase the ramp is one of users, who start their tasks themselves. In an open one all
//! users are there from its begin, and the ramp is one of the rate at which tasks start; when they
//! do, [`Arrivals`] knows.
//!
//! A ramp is a straight line that is followed from above: going up, the first user starts at once
//! and the last one a step before the ramp's end; going down, the first one stops after a step and
//! the last one at the ramp's end. All arithmetic is on integers, so it is the same everywhere.

use crate::{
    config::{PhaseConfig, Ramp},
    observe::{Nanos, nanos},
};

use super::arrivals::{Arrivals, Rate};

/// The phases of a run, laid out in time that counts from the load's start.
#[derive(Debug, Clone)]
pub struct Schedule {
    phases: Vec<Phase>,
}

#[derive(Debug, Clone)]
pub(super) struct Phase {
    pub name: String,
    pub start: Nanos,
    pub end: Nanos,
    /// Users at its start and after its ramp.
    from: u32,
    to: u32,
    /// How long the ramp takes; zero is at once. May reach beyond the phase, and is cut then.
    ramp: Nanos,
    /// What makes it an open phase.
    pub open: Option<Open>,
}

/// What an open phase has beside its users.
#[derive(Debug, Clone)]
pub(super) struct Open {
    /// Starts a second after its ramp, as the config says it.
    pub rate: f64,
    pub arrivals: Arrivals,
    /// How long a start may wait for a user. Beyond the phase none does.
    pub patience: Nanos,
}

impl Schedule {
    pub fn new(phases: &[PhaseConfig]) -> Self {
        let (mut start, mut from, mut rate) = (0, 0, Rate::default());
        let mut laid = Vec::with_capacity(phases.len());
        for config in phases {
            let duration = nanos(config.duration);
            let open = config.arrivals.map(|wanted| Open {
                rate: wanted.rate,
                arrivals: Arrivals::new(rate, Rate::of(wanted.rate), config.ramp, duration),
                patience: wanted.max_late.map_or(Nanos::MAX, nanos),
            });
            let phase = Phase {
                name: config.name.clone(),
                start,
                end: start.saturating_add(duration),
                from: if open.is_some() { config.users } else { from },
                to: config.users,
                ramp: if open.is_some() {
                    0
                } else {
                    length(config.ramp, f64::from(from.abs_diff(config.users)))
                },
                open,
            };
            start = phase.end;
            from = phase.users(phase.end - phase.start);
            rate = phase.open.as_ref().map_or(Rate::default(), |open| open.arrivals.last_rate());
            laid.push(phase);
        }
        Self { phases: laid }
    }

    /// When the last phase ends.
    pub fn end(&self) -> Nanos {
        self.phases.last().map_or(0, |phase| phase.end)
    }

    /// The most users that there will be at once.
    pub fn most_users(&self) -> u32 {
        self.phases
            .iter()
            .map(|phase| phase.users(phase.end - phase.start).max(phase.from))
            .max()
            .unwrap_or(0)
    }

    /// Is there an open phase?
    pub fn opens(&self) -> bool {
        self.phases.iter().any(|phase| phase.open.is_some())
    }

    /// The phase with this number, counted from 0.
    pub(super) fn phase(&self, number: usize) -> Option<&Phase> {
        self.phases.get(number)
    }
}

impl Phase {
    /// How many users it is about: after its ramp, or in an open phase at most.
    pub(super) fn most(&self) -> u32 {
        self.to
    }

    /// How many users there shall be at a moment of the run. Whoever asks after the end is told how
    /// many there were at last.
    pub(super) fn users_at(&self, at: Nanos) -> u32 {
        let last = self.end.saturating_sub(1);
        self.users(at.min(last).saturating_sub(self.start))
    }

    /// The next moment of the run at which their number may change, or the phase ends.
    pub(super) fn next_change(&self, after: Nanos) -> Nanos {
        let step = self.next_step(after.saturating_sub(self.start));
        step.map_or(self.end, |step| self.start.saturating_add(step).min(self.end))
    }

    /// Users this long after the phase's start.
    fn users(&self, passed: Nanos) -> u32 {
        let steps = self.from.abs_diff(self.to);
        if passed >= self.ramp || steps == 0 {
            return self.to;
        }
        // Not divided by zero: the ramp is longer than what has passed.
        let done = u128::from(steps) * u128::from(passed) / u128::from(self.ramp);
        let done = u32::try_from(done).unwrap_or(steps);
        if self.to > self.from { self.from + (done + 1).min(steps) } else { self.from - done }
    }

    /// When the number of users changes next, counted from the phase's start.
    fn next_step(&self, passed: Nanos) -> Option<Nanos> {
        let steps = u128::from(self.from.abs_diff(self.to));
        if passed >= self.ramp || steps == 0 {
            return None;
        }
        let ramp = u128::from(self.ramp);
        let next = steps * u128::from(passed) / ramp + 1;
        Nanos::try_from((next * ramp).div_ceil(steps)).ok()
    }
}

/// How long a ramp over so many users, or starts a second, takes.
pub(super) fn length(ramp: Ramp, difference: f64) -> Nanos {
    match ramp {
        Ramp::Over(duration) => nanos(duration),
        // The cast saturates, and what is not a number becomes zero: at once.
        Ramp::Rate(rate) if rate > 0.0 => (difference / rate * 1e9) as Nanos,
        Ramp::Rate(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::config::ArrivalsConfig;

    const SECOND: Nanos = 1_000_000_000;

    fn phase(users: u32, ramp: Ramp, seconds: u64) -> PhaseConfig {
        let (name, duration) = (format!("to-{users}"), Duration::from_secs(seconds));
        PhaseConfig { name, users, arrivals: None, ramp, duration }
    }

    fn open(rate: f64, users: u32, ramp: Ramp, seconds: u64) -> PhaseConfig {
        PhaseConfig { arrivals: Some(ArrivalsConfig { rate, max_late: None }), ..phase(users, ramp, seconds) }
    }

    impl Schedule {
        fn at(&self, at: Nanos) -> Option<&Phase> {
            self.phases.iter().find(|phase| (phase.start..phase.end).contains(&at))
        }

        fn users_at(&self, at: Nanos) -> u32 {
            self.at(at).map_or(0, |phase| phase.users_at(at))
        }

        fn next_change(&self, after: Nanos) -> Option<Nanos> {
            self.at(after).map(|phase| phase.next_change(after))
        }
    }

    fn over(seconds: u64) -> Ramp {
        Ramp::Over(Duration::from_secs(seconds))
    }

    #[test]
    fn a_ramp_follows_its_line_from_above() {
        let schedule = Schedule::new(&[phase(4, over(8), 20), phase(2, over(4), 10)]);
        let users = |second: u64| schedule.users_at(second * SECOND);
        assert_eq!([0, 1, 2, 3, 4, 5, 6, 8, 19].map(users), [1, 1, 2, 2, 3, 3, 4, 4, 4]);
        assert_eq!([20, 21, 22, 23, 24, 29, 30].map(users), [4, 4, 3, 3, 2, 2, 0]);
        assert_eq!(schedule.end(), 30 * SECOND);
        assert_eq!(schedule.most_users(), 4);
    }

    #[test]
    fn a_rate_is_a_ramp() {
        let schedule = Schedule::new(&[phase(100, Ramp::Rate(50.0), 10)]);
        assert_eq!(schedule.users_at(0), 1);
        assert_eq!(schedule.users_at(SECOND), 51);
        assert_eq!(schedule.users_at(2 * SECOND), 100);
    }

    #[test]
    fn a_ramp_without_length_is_at_once() {
        for ramp in [over(0), Ramp::Rate(0.0), Ramp::Rate(f64::NAN), Ramp::Rate(f64::INFINITY)] {
            assert_eq!(Schedule::new(&[phase(7, ramp, 1)]).users_at(0), 7, "{ramp:?}");
        }
    }

    #[test]
    fn a_ramp_that_is_cut_hands_over_what_it_reached() {
        let schedule = Schedule::new(&[phase(10, over(20), 10), phase(0, over(0), 1)]);
        assert_eq!(schedule.users_at(10 * SECOND - 1), 5);
        assert_eq!(schedule.users_at(10 * SECOND), 0);
        assert_eq!(schedule.most_users(), 6);
    }

    #[test]
    fn an_open_phase_has_all_its_users_at_once_and_ramps_its_rate() {
        let schedule = Schedule::new(&[
            phase(4, over(0), 10),
            open(10.0, 30, over(5), 10),
            open(20.0, 20, over(5), 10),
            phase(10, over(10), 10),
            open(5.0, 10, over(5), 10),
        ]);
        let users = |second: u64| schedule.users_at(second * SECOND);
        assert_eq!([9, 10, 19, 20, 30, 31, 39, 40].map(users), [4, 30, 30, 20, 20, 19, 11, 10]);
        assert!(schedule.opens());
        // From nothing, from the rate before, and from nothing again after a closed phase.
        let second = |number: usize, start: u64| {
            let open = schedule.phase(number).and_then(|phase| phase.open.as_ref()).expect("an open phase");
            open.arrivals.nth(start).expect("inside the phase") as f64 / 1e9
        };
        let close = |at: f64, expected: f64| assert!((at - expected).abs() < 1e-6, "{at} for {expected}");
        close(second(1, 1), 1.0);
        close(second(2, 11), 1.0);
        close(second(4, 2), 2.0);
    }

    fn phases() -> impl Strategy<Value = Vec<PhaseConfig>> {
        let ramp = prop_oneof![(0u64..20).prop_map(over), (0.1f64..200.0).prop_map(Ramp::Rate)];
        prop::collection::vec((0u32..200, ramp, 1u64..20), 1..5).prop_map(|phases| {
            phases.into_iter().map(|(users, ramp, seconds)| phase(users, ramp, seconds)).collect()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(250))]

        #[test]
        fn nothing_changes_between_two_changes(phases in phases()) {
            let schedule = Schedule::new(&phases);
            let mut at = 0;
            let mut changes = 0;
            while let Some(next) = schedule.next_change(at) {
                prop_assert!(next > at, "time goes on");
                let users = schedule.users_at(at);
                prop_assert_eq!(users, schedule.users_at(next - 1));
                prop_assert_eq!(users, schedule.users_at(at + (next - at) / 2));
                prop_assert!(users <= schedule.most_users());
                changes += 1;
                at = next;
            }
            prop_assert_eq!(at, schedule.end());
            prop_assert!(changes <= 4 * 200 + 8);
        }

        #[test]
        fn each_change_inside_a_phase_is_one_user(phases in phases()) {
            let schedule = Schedule::new(&phases);
            let starts: Vec<_> = schedule.phases.iter().map(|phase| phase.start).collect();
            let mut at = 0;
            while let Some(next) = schedule.next_change(at) {
                if next < schedule.end() && !starts.contains(&next) {
                    let (before, after) = (schedule.users_at(at), schedule.users_at(next));
                    prop_assert!(before.abs_diff(after) <= 1, "{before} to {after}");
                }
                at = next;
            }
        }
    }
}
