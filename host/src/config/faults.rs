//! What is broken, and when.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde_json::Value;

use super::{
    checks::Checks,
    environments::Picked,
    file::{FaultTable, RepeatTable},
    model::{FaultConfig, PhaseConfig},
    resolve::uses,
    timetable::Moment,
    tree::escape,
    units::show_duration,
};

/// Most strikes of one fault.
const MOST_STRIKES: u32 = 100;

/// The faults, each strike of a repeated one by itself, with what the environment swaps in.
pub(super) fn faults(
    checks: &mut Checks<'_>,
    tables: Vec<FaultTable>,
    phases: &[PhaseConfig],
    environment: Option<&Picked>,
) -> Vec<FaultConfig> {
    let mut names = BTreeSet::new();
    let mut faults = Vec::new();
    order(checks, &tables);
    for (index, table) in tables.into_iter().enumerate() {
        let at = format!("/faults/{index}");
        checks.unique(&mut names, &table.name.0, &format!("{at}/name"), "faults");
        let repeat = table.repeat.clone();
        let fault = fault(checks, table, &at, phases);
        faults.push((fault, at, repeat));
    }
    if let Some(picked) = environment {
        swap(checks, picked, &mut faults);
    }
    let mut strikes: Vec<_> = faults
        .into_iter()
        .map(|(fault, at, repeat)| (fault.name.clone(), strikes(checks, fault, &at, repeat, phases)))
        .collect();
    // Whoever waits for one that strikes again and again waits for the last time.
    let last: BTreeMap<_, _> = strikes
        .iter()
        .filter_map(|(name, strikes)| Some((name.clone(), strikes.last()?.name.clone())))
        .collect();
    for fault in strikes.iter_mut().flat_map(|(_, strikes)| strikes) {
        if let Moment::After { fault: first, .. } = &mut fault.moment
            && let Some(last) = last.get(first)
        {
            first.clone_from(last);
        }
    }
    strikes.into_iter().flat_map(|(_, strikes)| strikes).collect()
}

/// Whoever waits, waits for another fault, and nobody for himself by way of others.
fn order(checks: &mut Checks<'_>, tables: &[FaultTable]) {
    let known: Vec<_> = tables.iter().map(|table| table.name.0.clone()).collect();
    let first = |name: &str| {
        let table = tables.iter().find(|table| table.name.0 == name)?;
        table.after.as_ref().map(|after| after.0.0.as_str())
    };
    for (index, table) in tables.iter().enumerate() {
        let Some(after) = &table.after else { continue };
        let pointer = format!("/faults/{index}/after");
        if !known.contains(&after.0.0) {
            let others: Vec<_> = known.iter().filter(|name| **name != table.name.0).cloned().collect();
            checks.unknown(&pointer, "fault", &after.0.0, &others);
            continue;
        }
        let mut waits_for = Some(after.0.0.as_str());
        for _ in 0..tables.len() {
            if waits_for == Some(table.name.0.as_str()) {
                let message = format!("`{}` would wait for itself", table.name.0);
                checks.refuse(&pointer, message, "somebody has to be first, with `at`");
                break;
            }
            waits_for = waits_for.and_then(first);
        }
    }
}

/// The moment of a fault: in a phase, or after another fault.
fn moment(checks: &mut Checks<'_>, table: &FaultTable, at: &str, phases: &[PhaseConfig]) -> Moment {
    let (phase, offset) = match (&table.at, &table.after) {
        (Some(moment), None) => moment.0.clone(),
        (None, Some(after)) => {
            let (fault, offset) = after.0.clone();
            if table.repeat.is_some() {
                let message =
                    format!("`{}` waits for another fault, so it can strike once only", table.name.0);
                checks.refuse(
                    &format!("{at}/repeat"),
                    message,
                    "leave out `repeat`, or say `at` in place of `after`",
                );
            }
            return Moment::After { fault, offset };
        }
        (Some(_), Some(_)) => {
            let message = "a fault strikes at a moment of its own or after another one, not both";
            checks.refuse(&format!("{at}/after"), message, "leave out `at` or `after`");
            return Moment::In { phase: String::new(), offset: Duration::ZERO };
        }
        (None, None) => {
            let message = format!("nothing says when `{}` strikes", table.name.0);
            let help = "give it `at = \"PHASE+TIME\"` or `after = \"FAULT+TIME\"`";
            checks.refuse(at, message, help);
            return Moment::In { phase: String::new(), offset: Duration::ZERO };
        }
    };
    match phases.iter().find(|one| one.name == phase) {
        None => {
            let known: Vec<_> = phases.iter().map(|phase| phase.name.clone()).collect();
            checks.unknown(&format!("{at}/at"), "phase", &phase, &known);
        }
        Some(known) if offset >= known.duration => checks.refuse(
            &format!("{at}/at"),
            format!(
                "phase `{phase}` lasts {}, so nothing can strike {} after its start",
                show_duration(known.duration),
                show_duration(offset)
            ),
            "a fault strikes inside its phase",
        ),
        Some(_) => {}
    }
    Moment::In { phase, offset }
}

fn fault(checks: &mut Checks<'_>, table: FaultTable, at: &str, phases: &[PhaseConfig]) -> FaultConfig {
    let moment = moment(checks, &table, at, phases);
    if let Some(duration) = &table.duration {
        checks.positive(duration.0, &format!("{at}/duration"));
    }
    let recover_within = table.recover_within.map_or(Duration::from_mins(1), |duration| duration.0);
    checks.positive(recover_within, &format!("{at}/recover-within"));
    FaultConfig {
        name: table.name.0,
        uses: uses(table.plugin.0, table.config, &at[1..]),
        moment,
        duration: table.duration.map(|duration| duration.0),
        recover_within,
        overlap: table.overlap,
        requirement: table.requirement,
    }
}

/// Puts in the plugins and configs that the environment has for some faults.
fn swap(checks: &mut Checks<'_>, picked: &Picked, faults: &mut [(FaultConfig, String, Option<RepeatTable>)]) {
    for (name, table) in &picked.swaps {
        let path = format!("environments/{}/faults/{}", escape(&picked.config.name), escape(name));
        let Some((fault, ..)) = faults.iter_mut().find(|(fault, ..)| fault.name == *name) else {
            // An included file serves several runs, and not each of them has every fault.
            if !checks.is_included(&format!("/{path}")) {
                let known: Vec<_> = faults.iter().map(|(fault, ..)| fault.name.clone()).collect();
                checks.unknown_key(&format!("/{path}"), "fault", name, &known);
            }
            continue;
        };
        if let Some(plugin) = &table.plugin {
            fault.uses.plugin = plugin.0.clone();
            fault.uses.origin.plugin = format!("{path}/plugin");
        }
        if let Some(config) = &table.config {
            fault.uses.config = Value::Object(config.clone());
            fault.uses.origin.path = format!("{path}/config");
        }
    }
}

/// One fault for each strike: `NAME#1`, `NAME#2`, …, each with a recovery of its own.
fn strikes(
    checks: &mut Checks<'_>,
    fault: FaultConfig,
    at: &str,
    repeat: Option<RepeatTable>,
    phases: &[PhaseConfig],
) -> Vec<FaultConfig> {
    let Some(RepeatTable { every, times }) = repeat else { return vec![fault] };
    checks.positive(every.0, &format!("{at}/repeat/every"));
    if !(2..=MOST_STRIKES).contains(&times) {
        let help = format!("allowed are 2 to {MOST_STRIKES}; without `repeat` it strikes once");
        checks.refuse(&format!("{at}/repeat/times"), format!("a fault cannot strike {times} times"), help);
        return vec![fault];
    }
    // What repeats after another fault was refused already.
    let Moment::In { phase, offset } = &fault.moment else { return vec![fault] };
    // From the phase's start to the end of the load.
    let left = phases.iter().skip_while(|one| one.name != *phase);
    let left = left.fold(Duration::ZERO, |sum, phase| sum.saturating_add(phase.duration));
    let strike = |strike: u32| offset.saturating_add(every.0.saturating_mul(strike));
    let last = strike(times - 1);
    if !left.is_zero() && last >= left {
        checks.refuse(
            &format!("{at}/repeat"),
            format!(
                "the last strike would be {} after the start of `{phase}`, and the load ends {} after it",
                show_duration(last),
                show_duration(left)
            ),
            "every strike has to come before the end of the load",
        );
    }
    (0..times)
        .map(|number| FaultConfig {
            name: format!("{}#{}", fault.name, number + 1),
            moment: Moment::In { phase: phase.clone(), offset: strike(number) },
            ..fault.clone()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::{
        LoadOptions,
        testing::{RIGHT, load_text},
    };

    #[test]
    fn each_strike_is_a_fault_of_its_own() {
        let repeated = RIGHT.replace(
            "at = \"peak+30s\"",
            "at = \"peak+30s\"\noverlap = true\nrepeat = { every = \"40s\", times = 3 }",
        );
        let whole = load_text(&repeated, &LoadOptions::default()).expect("right");
        let strikes: Vec<_> = whole
            .planned_faults()
            .iter()
            .map(|fault| (fault.name.clone(), fault.at / 1_000_000_000))
            .collect();
        assert_eq!(strikes, [90, 130, 170].map(|at| (format!("crash#{}", (at - 50) / 40), at)));
        // What the environment swaps in, every strike gets.
        assert!(whole.faults.iter().all(|fault| fault.uses.plugin == "other-kill" && fault.overlap));

        let short = LoadOptions { time_scale: Some(10.0), ..LoadOptions::default() };
        let strikes = load_text(&repeated, &short).expect("right").planned_faults();
        assert_eq!([0, 1, 2].map(|strike| strikes[strike].at / 1_000_000_000), [9, 13, 17]);
    }
    #[test]
    fn one_fault_waits_for_another() {
        let after = |text: &str| {
            RIGHT.replace(
                "[[assertions]]\nplugin = \"sla\"\nconfig",
                &format!(
                    "[[faults]]\nname = \"then\"\nplugin = \"kill\"\nafter = \"{text}\"\n\n[[assertions]]\n\
                     plugin = \"sla\"\nconfig"
                ),
            )
        };
        let whole = load_text(&after("crash+20s"), &LoadOptions::default()).expect("right");
        let planned = whole.planned_faults();
        // The first strikes after 90 s, and steady is what has been so for ten seconds.
        assert_eq!((planned[1].at / 1_000_000_000, planned[1].after.as_deref()), (120, Some("crash")));
        let short = LoadOptions { time_scale: Some(10.0), ..LoadOptions::default() };
        let planned = load_text(&after("crash+20s"), &short).expect("right").planned_faults();
        assert_eq!(
            planned[1].at / 1_000_000_000,
            21,
            "9 s, 10 s of steadiness that nothing shortens, and 2 s"
        );

        let repeated = after("crash").replace(
            "at = \"peak+30s\"",
            "at = \"peak+30s\"\nrepeat = { every = \"40s\", times = 2 }\nduration = \"5s\"",
        );
        let planned = load_text(&repeated, &LoadOptions::default()).expect("right").planned_faults();
        assert_eq!((planned[2].at / 1_000_000_000, planned[2].after.as_deref()), (145, Some("crash#2")));
    }
}
