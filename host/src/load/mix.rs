//! What a virtual user does next, and how long it thinks before.
//!
//! Everything random in a user's plan comes from one ChaCha stream per user, seeded by the run and
//! told apart by the user's number: the same seed gives the same sequence of tasks and pauses per
//! user, whatever the target answers and however fast it is. Numbers are drawn by arithmetic of
//! our own, so that a newer library cannot change old sequences.

use std::{collections::BTreeMap, time::Duration};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::config::{Pace, ThinkTime};

use super::persona::Plan;

/// The chances of a behavior's tasks.
#[derive(Debug, Clone)]
pub struct TaskMix {
    /// Tasks that can be drawn and the sum of the chances up to and with each.
    tasks: Vec<(u32, u64)>,
}

/// Chances are counted in parts of this.
const WHOLE: f64 = (1u64 << 53) as f64;

impl TaskMix {
    /// A group's chance is its weight among the groups, a task's its weight inside its group.
    /// `mix` replaces the plan's own group weights; a group that it leaves out gets none.
    pub fn new(plan: &Plan, mix: Option<&BTreeMap<String, f64>>) -> Result<Self, String> {
        let known = |group: &str| plan.tasks.iter().any(|task| task.group == group);
        let groups: BTreeMap<&str, f64> = match mix {
            Some(mix) => mix.iter().map(|(group, weight)| (group.as_str(), *weight)).collect(),
            // A group of the plan's own that has no tasks does no harm.
            None => plan
                .groups
                .iter()
                .filter(|(group, _)| known(group))
                .map(|(group, weight)| (group.as_str(), f64::from(*weight)))
                .collect(),
        };
        if let Some(unknown) = groups.keys().find(|group| !known(group)) {
            let mut names: Vec<_> = plan.tasks.iter().map(|task| task.group.as_str()).collect();
            names.sort_unstable();
            names.dedup();
            return Err(format!("no task is in group `{unknown}`; groups with tasks: {}", names.join(", ")));
        }
        if let Some((group, weight)) =
            groups.iter().find(|(_, weight)| !(weight.is_finite() && **weight >= 0.0))
        {
            return Err(format!("weight {weight} of group `{group}` is not a number from 0 on"));
        }

        let weight_of_group: f64 = groups.values().sum();
        if weight_of_group <= 0.0 {
            return Err("no group has a weight above 0, so there is nothing to do".to_owned());
        }
        let mut tasks = Vec::new();
        let mut sum = 0.0;
        for (index, task) in plan.tasks.iter().enumerate() {
            let group = groups.get(task.group.as_str()).copied().unwrap_or(0.0);
            let siblings: f64 = plan
                .tasks
                .iter()
                .filter(|sibling| sibling.group == task.group)
                .map(|sibling| f64::from(sibling.weight))
                .sum();
            let chance = group / weight_of_group * f64::from(task.weight) / siblings;
            // A group whose tasks all weigh nothing has no chance to give: 0/0.
            if chance > 0.0 {
                sum += chance;
                tasks.push((u32::try_from(index).unwrap_or(u32::MAX), (sum * WHOLE) as u64));
            }
        }
        match tasks.last_mut() {
            // Whatever rounding left over is the last one's.
            Some(last) => last.1 = WHOLE as u64,
            None => return Err("no task has a weight above 0, so there is nothing to do".to_owned()),
        }
        Ok(Self { tasks })
    }

    fn task(&self, draw: u64) -> u32 {
        let chance = draw >> 11;
        let place = self.tasks.partition_point(|(_, until)| *until <= chance);
        self.tasks.get(place).or(self.tasks.last()).map_or(0, |(task, _)| *task)
    }
}

/// One user's random stream.
#[derive(Debug, Clone)]
pub struct Dice(ChaCha8Rng);

impl Dice {
    pub fn new(seed: u64, user: u64) -> Self {
        let mut stream = ChaCha8Rng::seed_from_u64(seed);
        stream.set_stream(user);
        Self(stream)
    }

    /// The next task and the pause after it. Always draws twice, so that a changed pause does not
    /// change the tasks that follow.
    pub fn next(&mut self, mix: &TaskMix, pace: Pace) -> (u32, Duration) {
        let (task, pause) = (self.0.next_u64(), self.0.next_u64());
        let pause = match pace {
            Pace::Think(ThinkTime::Even { min, max }) => even(min, max, pause),
            Pace::Think(ThinkTime::Exponential { mean }) => exponential(mean, pause),
            Pace::Think(ThinkTime::Normal { mean, deviation }) => normal(mean, deviation, pause),
            Pace::Every(period) => period,
        };
        (mix.task(task), pause)
    }
}

/// Evenly from both ends, both included.
fn even(min: Duration, max: Duration, draw: u64) -> Duration {
    let span = max.saturating_sub(min).as_nanos();
    let part = (u128::from(draw) * (span.min(u128::from(u64::MAX)) + 1)) >> 64;
    min.saturating_add(Duration::from_nanos(u64::try_from(part).unwrap_or(u64::MAX)))
}

/// The longest exponential pause, in means: one in 22,000 would be longer.
const LONGEST: f64 = 10.0;

fn exponential(mean: Duration, draw: u64) -> Duration {
    mean.mul_f64((-open_unit(draw >> 11, 53).ln()).min(LONGEST))
}

/// Box and Muller's way, from one draw: its halves are the two numbers that it needs, and reach to
/// 6.6 deviations.
fn normal(mean: Duration, deviation: Duration, draw: u64) -> Duration {
    let (radius, angle) = (open_unit(draw >> 32, 32), open_unit(draw & 0xffff_ffff, 32));
    let away = (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos();
    let seconds = mean.as_secs_f64() + deviation.as_secs_f64() * away;
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::ZERO)
}

/// A number of so many bits as a part of one, never 0 and never more than 1.
fn open_unit(number: u64, bits: u32) -> f64 {
    (number as f64 + 1.0) / 2f64.powi(bits as i32)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::load::persona::Task;

    fn plan(tasks: &[(&str, &str, u32)], groups: &[(&str, u32)]) -> Plan {
        Plan {
            tasks: tasks
                .iter()
                .map(|(name, group, weight)| Task {
                    name: (*name).to_owned(),
                    group: (*group).to_owned(),
                    weight: *weight,
                    writes: false,
                })
                .collect(),
            groups: groups.iter().map(|(group, weight)| ((*group).to_owned(), *weight)).collect(),
        }
    }

    fn catalogue() -> Plan {
        plan(
            &[("list", "inventory", 3), ("detail", "inventory", 1), ("sell", "pos", 1)],
            &[("inventory", 1), ("pos", 1)],
        )
    }

    fn think(min: u64, max: u64) -> Pace {
        Pace::Think(ThinkTime::Even { min: Duration::from_millis(min), max: Duration::from_millis(max) })
    }

    fn exponential(mean: u64) -> Pace {
        Pace::Think(ThinkTime::Exponential { mean: Duration::from_millis(mean) })
    }

    fn normal(mean: u64, deviation: u64) -> Pace {
        let (mean, deviation) = (Duration::from_millis(mean), Duration::from_millis(deviation));
        Pace::Think(ThinkTime::Normal { mean, deviation })
    }

    fn pauses(pace: Pace) -> Vec<f64> {
        let mix = TaskMix::new(&catalogue(), None).expect("a fine plan");
        let mut dice = Dice::new(7, 0);
        let mut pauses: Vec<_> = (0..20_000).map(|_| dice.next(&mix, pace).1.as_secs_f64()).collect();
        pauses.sort_unstable_by(f64::total_cmp);
        pauses
    }

    /// Mean and standard deviation.
    fn moments(values: &[f64]) -> (f64, f64) {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64;
        (mean, variance.sqrt())
    }

    #[test]
    fn pauses_are_distributed_as_asked() {
        let close =
            |value: f64, expected: f64| assert!((value - expected).abs() < 0.05, "{value} for {expected}");
        // Of an exponential distribution the deviation is the mean, and ln 2 of it the median.
        let drawn = pauses(exponential(2_000));
        let (mean, deviation) = moments(&drawn);
        close(mean, 2.0);
        close(deviation, 2.0);
        close(drawn[10_000], 2.0 * 2f64.ln());
        assert!(drawn[19_999] <= 20.0, "cut off at ten means");
        let drawn = pauses(normal(3_000, 500));
        let (mean, deviation) = moments(&drawn);
        close(mean, 3.0);
        close(deviation, 0.5);
        // 15.9 % lie a deviation below the mean.
        close(drawn[3_173], 2.5);
        // With the mean at one deviation as many are cut off at zero.
        let drawn = pauses(normal(1_000, 1_000));
        close(drawn.iter().filter(|pause| **pause == 0.0).count() as f64 / 20_000.0, 0.159);
        assert!(pauses(Pace::Every(Duration::from_secs(2))).iter().all(|pause| *pause == 2.0));
    }

    #[test]
    fn no_draw_is_beyond_a_distribution() {
        let second = Duration::from_secs(1);
        for draw in [0, 1, u64::MAX, u64::MAX - 1, 0xffff_ffff, 0xffff_ffff_0000_0000, 1 << 63] {
            assert!(super::exponential(second, draw) <= second * 10);
            assert!(super::normal(second * 10, second, draw) <= second * 17);
        }
    }

    fn shares(mix: &TaskMix) -> [f64; 3] {
        let mut dice = Dice::new(7, 0);
        let mut counts = [0.0; 3];
        for _ in 0..20_000 {
            counts[dice.next(mix, think(0, 0)).0 as usize] += 1.0 / 20_000.0;
        }
        counts
    }

    #[test]
    fn groups_weigh_first_and_tasks_inside_them() {
        let close = |mix: &TaskMix, expected: [f64; 3]| {
            let shares = shares(mix);
            for (share, expected) in shares.iter().zip(expected) {
                assert!((share - expected).abs() < 0.02, "{shares:?}");
            }
        };
        close(&TaskMix::new(&catalogue(), None).expect("a fine plan"), [0.375, 0.125, 0.5]);
        let mix = BTreeMap::from([("inventory".to_owned(), 80.0), ("pos".to_owned(), 20.0)]);
        close(&TaskMix::new(&catalogue(), Some(&mix)).expect("a fine mix"), [0.6, 0.2, 0.2]);
        let mix = BTreeMap::from([("pos".to_owned(), 1.0)]);
        close(&TaskMix::new(&catalogue(), Some(&mix)).expect("a fine mix"), [0.0, 0.0, 1.0]);
    }

    #[test]
    fn a_mix_that_cannot_be_followed_says_why() {
        let error = |mix: &[(&str, f64)]| {
            let mix = mix.iter().map(|(group, weight)| ((*group).to_owned(), *weight)).collect();
            TaskMix::new(&catalogue(), Some(&mix)).expect_err("not a mix")
        };
        insta::assert_snapshot!(error(&[("posts", 1.0)]), @"no task is in group `posts`; groups with tasks: inventory, pos");
        insta::assert_snapshot!(error(&[("pos", 0.0)]), @"no group has a weight above 0, so there is nothing to do");
        insta::assert_snapshot!(error(&[("pos", -1.0)]), @"weight -1 of group `pos` is not a number from 0 on");
        let idle = plan(&[("wait", "idle", 0)], &[("idle", 1)]);
        insta::assert_snapshot!(TaskMix::new(&idle, None).expect_err("no task"), @"no task has a weight above 0, so there is nothing to do");
    }

    #[test]
    fn streams_of_users_have_nothing_in_common() {
        let draws = (0..1_000).flat_map(|user| {
            let mut dice = Dice::new(42, user);
            (0..8).map(move |_| dice.0.next_u64()).collect::<Vec<_>>()
        });
        let different: std::collections::BTreeSet<_> = draws.collect();
        assert_eq!(different.len(), 8_000);
    }

    #[test]
    fn sequences_stay_what_they_were() {
        let mix = TaskMix::new(&catalogue(), None).expect("a fine plan");
        let sequence = |seed, user| -> Vec<u32> {
            let mut dice = Dice::new(seed, user);
            (0..12).map(|_| dice.next(&mix, think(0, 0)).0).collect()
        };
        insta::assert_compact_debug_snapshot!(sequence(42, 0));
        insta::assert_compact_debug_snapshot!(sequence(42, 1));
        insta::assert_compact_debug_snapshot!(sequence(43, 0));
    }

    proptest! {
        #[test]
        fn pauses_lie_between_both_ends(min in 0u64..5000, more in 0u64..5000, seed: u64, user: u64) {
            let mix = TaskMix::new(&catalogue(), None).expect("a fine plan");
            let mut dice = Dice::new(seed, user);
            for _ in 0..20 {
                let (_, pause) = dice.next(&mix, think(min, min + more));
                prop_assert!(pause >= Duration::from_millis(min) && pause <= Duration::from_millis(min + more));
            }
        }

        #[test]
        fn pauses_do_not_change_the_tasks(seed: u64, user: u64) {
            let mix = TaskMix::new(&catalogue(), None).expect("a fine plan");
            let mut fixed = Dice::new(seed, user);
            let every = Pace::Every(Duration::from_secs(1));
            let mut drawn = [think(1, 900), exponential(30), normal(30, 10), every].map(|pace| (fixed.clone(), pace));
            for _ in 0..20 {
                let task = fixed.next(&mix, think(5, 5)).0;
                for drawn in &mut drawn {
                    prop_assert_eq!(task, drawn.0.next(&mix, drawn.1).0);
                }
            }
        }
    }
}
