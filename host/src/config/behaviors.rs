//! `[[behaviors]]`: who the users are.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{
    checks::Checks,
    file::{BehaviorTable, ThinkTable},
    model::{BehaviorConfig, Pace, ThinkTime},
    quantities::{DurationText, ThinkText},
    resolve::uses,
};

/// Pause between two tasks, unless given.
pub(super) const THINK_TIME: ThinkTime =
    ThinkTime::Even { min: Duration::from_secs(1), max: Duration::from_secs(5) };

/// How far from 100 the sum of shares may be, for thirds.
const SHARE_TOLERANCE: f64 = 0.1;

pub(super) fn behaviors(checks: &mut Checks<'_>, tables: Vec<BehaviorTable>) -> Vec<BehaviorConfig> {
    let alone = tables.len() == 1;
    let mut names = BTreeSet::new();
    let mut behaviors = Vec::new();
    let mut all_given = true;
    for (index, table) in tables.into_iter().enumerate() {
        let at = format!("/behaviors/{index}");
        let named_at = if table.name.is_some() { "name" } else { "plugin" };
        let name = table.name.map_or_else(|| table.plugin.0.clone(), |name| name.0);
        checks.unique(&mut names, &name, &format!("{at}/{named_at}"), "behaviors");
        let share = table.share.or(alone.then_some(100.0));
        if share.is_none() {
            all_given = false;
            let help = "`share` is the percent of users; all shares add up to 100";
            checks.refuse(&at, format!("behavior `{name}` has no `share`"), help);
        }
        let mix: Option<BTreeMap<String, f64>> =
            table.mix.map(|mix| mix.into_iter().map(|(group, weight)| (group, weight.0)).collect());
        if mix.as_ref().is_some_and(|mix| mix.values().all(|weight| *weight <= 0.0)) {
            let help = "a group that is left out, or has 0, is never chosen";
            checks.refuse(&format!("{at}/mix"), "no group of the mix has a weight above 0", help);
        }
        behaviors.push(BehaviorConfig {
            name,
            uses: uses(table.plugin.0, table.config, &at[1..]),
            share: share.unwrap_or_default(),
            mix,
            pace: pace(checks, &at, table.think_time, table.pacing),
        });
    }
    let sum: f64 = behaviors.iter().map(|behavior| behavior.share).sum();
    if all_given && (sum - 100.0).abs() > SHARE_TOLERANCE {
        let shares: Vec<_> = behaviors.iter().map(|one| format!("{} {}", one.name, one.share)).collect();
        let message = format!("the shares of the behaviors add up to {sum}, not to 100");
        checks.refuse("/behaviors/0/share", message, shares.join(", "));
    }
    behaviors
}

fn pace(checks: &mut Checks<'_>, at: &str, think: Option<ThinkText>, pacing: Option<DurationText>) -> Pace {
    let pointer = format!("{at}/pacing");
    match (think, pacing) {
        (Some(_), Some(_)) => {
            let help = "`think-time` counts from the end of the task before, `pacing` from its begin";
            checks.refuse(&pointer, "a behavior has either `think-time` or `pacing`", help);
            Pace::Think(THINK_TIME)
        }
        (None, Some(pacing)) => {
            checks.positive(pacing.0, &pointer);
            Pace::Every(pacing.0)
        }
        (Some(ThinkText::Range(range)), None) => Pace::Think(range),
        (Some(ThinkText::Drawn(table)), None) => {
            let think = distribution(checks, &format!("{at}/think-time"), table);
            Pace::Think(think.unwrap_or(THINK_TIME))
        }
        (None, None) => Pace::Think(THINK_TIME),
    }
}

fn distribution(checks: &mut Checks<'_>, pointer: &str, table: ThinkTable) -> Option<ThinkTime> {
    match (table.exponential, table.normal, table.deviation) {
        (Some(mean), None, None) => Some(ThinkTime::Exponential { mean: mean.0 }),
        (None, Some(mean), Some(deviation)) => {
            Some(ThinkTime::Normal { mean: mean.0, deviation: deviation.0 })
        }
        _ => {
            let help = "{ exponential = \"3s\" } or { normal = \"3s\", deviation = \"1s\" }";
            checks.refuse(pointer, "a distribution is `exponential`, or `normal` with `deviation`", help);
            None
        }
    }
}
