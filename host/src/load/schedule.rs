//! How many virtual users there shall be at which moment: a pure function of time.
//!
//! Phases follow one another without a gap. Users carry over: a phase with more of them adds some,
//! one with fewer stops the newest. A ramp lies inside its phase's duration and begins with the
//! users that the phase before had at its end.
//!
//! A ramp is a straight line that is followed from above: going up, the first user starts at once
//! and the last one a step before the ramp's end; going down, the first one stops after a step and
//! the last one at the ramp's end. All arithmetic is on integers, so it is the same everywhere.

use crate::{
    config::{PhaseConfig, Ramp},
    observe::{Nanos, PlannedPhase, nanos},
};

/// The phases of a run, laid out in time that counts from the load's start.
#[derive(Debug, Clone)]
pub struct Schedule {
    phases: Vec<Phase>,
}

#[derive(Debug, Clone)]
struct Phase {
    name: String,
    start: Nanos,
    end: Nanos,
    /// Users at its start and after its ramp.
    from: u32,
    to: u32,
    /// How long the ramp takes; zero is at once. May reach beyond the phase, and is cut then.
    ramp: Nanos,
}

impl Schedule {
    pub fn new(phases: &[PhaseConfig]) -> Self {
        let (mut start, mut from) = (0, 0);
        let mut laid = Vec::with_capacity(phases.len());
        for config in phases {
            let phase = Phase {
                name: config.name.clone(),
                start,
                end: start.saturating_add(nanos(config.duration)),
                from,
                to: config.users,
                ramp: length(config.ramp, from.abs_diff(config.users)),
            };
            start = phase.end;
            from = phase.users(phase.end - phase.start);
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

    /// Name, start, end and users of each phase.
    pub fn phases(&self) -> impl Iterator<Item = PlannedPhase> {
        self.phases.iter().map(|phase| PlannedPhase {
            name: phase.name.clone(),
            start: phase.start,
            end: phase.end,
            users: phase.to,
        })
    }

    /// How many users there shall be.
    pub fn users_at(&self, at: Nanos) -> u32 {
        self.phase_at(at).map_or(0, |phase| phase.users(at - phase.start))
    }

    /// The next moment at which the number of users may change or a phase ends; none after the end.
    pub fn next_change(&self, after: Nanos) -> Option<Nanos> {
        let phase = self.phase_at(after)?;
        let step = phase.next_step(after - phase.start).map(|step| phase.start.saturating_add(step));
        Some(step.map_or(phase.end, |step| step.min(phase.end)))
    }

    fn phase_at(&self, at: Nanos) -> Option<&Phase> {
        self.phases.iter().find(|phase| (phase.start..phase.end).contains(&at))
    }
}

impl Phase {
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

/// How long a ramp over so many users takes.
fn length(ramp: Ramp, users: u32) -> Nanos {
    match ramp {
        Ramp::Over(duration) => nanos(duration),
        // The cast saturates, and what is not a number becomes zero: at once.
        Ramp::Rate(rate) if rate > 0.0 => (f64::from(users) / rate * 1e9) as Nanos,
        Ramp::Rate(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    const SECOND: Nanos = 1_000_000_000;

    fn phase(users: u32, ramp: Ramp, seconds: u64) -> PhaseConfig {
        PhaseConfig { name: format!("to-{users}"), users, ramp, duration: Duration::from_secs(seconds) }
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
            let starts: Vec<_> = schedule.phases().map(|phase| phase.start).collect();
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
