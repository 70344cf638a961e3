//! What is broken, and when.

use std::{collections::BTreeSet, time::Duration};

use serde_json::Value;

use super::{
    checks::Checks,
    environments::Picked,
    file::{FaultTable, RepeatTable},
    model::{FaultConfig, PhaseConfig},
    resolve::uses,
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
    faults.into_iter().flat_map(|(fault, at, repeat)| strikes(checks, fault, &at, repeat, phases)).collect()
}

fn fault(checks: &mut Checks<'_>, table: FaultTable, at: &str, phases: &[PhaseConfig]) -> FaultConfig {
    let (phase, offset) = table.at.0;
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
    if let Some(duration) = &table.duration {
        checks.positive(duration.0, &format!("{at}/duration"));
    }
    let recover_within = table.recover_within.map_or(Duration::from_mins(1), |duration| duration.0);
    checks.positive(recover_within, &format!("{at}/recover-within"));
    FaultConfig {
        name: table.name.0,
        uses: uses(table.plugin.0, table.config, &at[1..]),
        phase,
        offset,
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
    // From the phase's start to the end of the load.
    let left = phases.iter().skip_while(|phase| phase.name != fault.phase);
    let left = left.fold(Duration::ZERO, |sum, phase| sum.saturating_add(phase.duration));
    let last = fault.offset.saturating_add(every.0.saturating_mul(times - 1));
    if !left.is_zero() && last >= left {
        checks.refuse(
            &format!("{at}/repeat"),
            format!(
                "the last strike would be {} after the start of `{}`, and the load ends {} after it",
                show_duration(last),
                fault.phase,
                show_duration(left)
            ),
            "every strike has to come before the end of the load",
        );
    }
    (0..times)
        .map(|strike| FaultConfig {
            name: format!("{}#{}", fault.name, strike + 1),
            offset: fault.offset.saturating_add(every.0.saturating_mul(strike)),
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
}
