//! What an autoscaler remembers: recommendations, so that it does not follow every spike, and changes, so that
//! it is no faster than its policies.

use std::time::Duration;

use super::{Change, Direction, Policy, Rules, Select, Size};

/// Both lists oldest first.
#[derive(Debug, Default)]
pub(super) struct History {
    /// What the metrics proposed, before anything was made of it.
    pub(super) recommendations: Vec<(Duration, u32)>,
    /// How many instances were added, or, below zero, taken away.
    pub(super) changes: Vec<(Duration, i64)>,
}

impl History {
    /// What there is at first was recommended by whoever made it.
    pub(super) fn begin(&mut self, now: Duration, current: u32) {
        if self.recommendations.is_empty() {
            self.recommendations.push((now, current));
        }
    }

    /// Goes up no further than the lowest recommendation of the window for that, and down no further than
    /// the highest of the other; says so where that holds it back. Remembers the proposal.
    pub(super) fn stabilize(
        &mut self,
        size: &Size,
        now: Duration,
        current: u32,
        proposed: u32,
    ) -> (u32, Option<&'static str>) {
        let recent = |window: Duration| {
            let young = self.recommendations.iter().filter(move |(at, _)| now.saturating_sub(*at) < window);
            young.map(|(_, count)| *count)
        };
        let lowest = recent(size.up.stabilization_window).fold(proposed, u32::min);
        let highest = recent(size.down.stabilization_window).fold(proposed, u32::max);
        let stabilized = current.max(lowest).min(highest);
        let longest = size.up.stabilization_window.max(size.down.stabilization_window);
        self.recommendations.retain(|(at, _)| now.saturating_sub(*at) < longest);
        self.recommendations.push((now, proposed));
        let held = match proposed > current {
            true => "recent recommendations were lower, applying the lowest of them",
            false => "recent recommendations were higher, applying the highest of them",
        };
        (stabilized, (stabilized != proposed).then_some(held))
    }

    /// Goes no further than bounds and policies allow, and says what held it back.
    pub(super) fn limit(
        &self,
        size: &Size,
        now: Duration,
        current: u32,
        desired: u32,
    ) -> (u32, Option<&'static str>) {
        match Direction::between(current, desired) {
            None => (desired, None),
            Some(Direction::Up) => {
                let fastest = self.fastest(&size.up, Direction::Up, now, current).max(current);
                if desired > fastest.min(size.max) {
                    let limited = match fastest < size.max {
                        true => "the desired count rises faster than the policies allow",
                        false => "the desired count is more than the maximum",
                    };
                    return (fastest.min(size.max), Some(limited));
                }
                (desired, None)
            }
            Some(Direction::Down) => {
                let fastest = self.fastest(&size.down, Direction::Down, now, current).min(current);
                if desired < fastest.max(size.min) {
                    let limited = match fastest > size.min {
                        true => "the desired count falls faster than the policies allow",
                        false => "the desired count is less than the minimum",
                    };
                    return (fastest.max(size.min), Some(limited));
                }
                (desired, None)
            }
        }
    }

    /// Remembers what was made of it, for as long as a policy looks back.
    pub(super) fn changed(&mut self, size: &Size, now: Duration, from: u32, to: u32) {
        if from != to {
            let longest = size.up.longest_period().max(size.down.longest_period());
            self.changes.retain(|(at, _)| now.saturating_sub(*at) < longest);
            self.changes.push((now, i64::from(to) - i64::from(from)));
        }
    }

    /// The furthest count that the policies of one direction allow now.
    fn fastest(&self, rules: &Rules, direction: Direction, now: Duration, current: u32) -> u32 {
        let counts = rules.policies.iter().map(|policy| self.allowed(policy, direction, now, current));
        let furthest = match (rules.select, direction) {
            (Select::Disabled, _) => None,
            (Select::Max, Direction::Up) | (Select::Min, Direction::Down) => counts.max(),
            (Select::Min, Direction::Up) | (Select::Max, Direction::Down) => counts.min(),
        };
        furthest.unwrap_or(current)
    }

    /// Counted from what there was when the policy's period began.
    fn allowed(&self, policy: &Policy, direction: Direction, now: Duration, current: u32) -> u32 {
        let recent = self.changes.iter().filter(|(at, _)| now.saturating_sub(*at) < policy.period);
        let before = i64::from(current) - recent.map(|(_, change)| change).sum::<i64>();
        let count = match (policy.change, direction) {
            (Change::Pods(pods), Direction::Up) => before + i64::from(pods),
            (Change::Pods(pods), Direction::Down) => before - i64::from(pods),
            // Rounded so that a small count can grow at all, and a large one shrinks to no more than it may.
            (Change::Percent(percent), Direction::Up) => {
                let hundredths = before * (100 + i64::from(percent));
                hundredths.div_euclid(100) + i64::from(hundredths.rem_euclid(100) > 0)
            }
            (Change::Percent(percent), Direction::Down) => {
                (before * (100 - i64::from(percent))).div_euclid(100)
            }
        };
        u32::try_from(count.max(0)).unwrap_or(u32::MAX)
    }
}
