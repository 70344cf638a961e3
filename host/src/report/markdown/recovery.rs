//! The faults: recovery as users saw it and as the component saw it.

use super::{
    text::{Table, plain},
    timeline::timeline,
};
use crate::{
    observe::{Bite, Nanos, OutageSeen, figures},
    report::{Summary, summary::FaultSummary},
};

pub(super) fn section(summary: &Summary) -> String {
    let mut text = String::from("## Faults\n\n");
    if summary.faults.is_empty() {
        text.push_str("None was planned.\n");
        return text;
    }
    let start = summary.load_started.unwrap_or(0);
    let mut table = Table::new(&[
        "fault",
        "struck at:",
        "RTO, users:",
        "RTO, probe:",
        "RTO, component:",
        "promised:",
        "effect",
        "unaided",
    ]);
    for seen in &summary.faults {
        table.row(row(seen, start));
    }
    let failures = summary.load.whole.failures;
    text.push_str(&table.to_string());
    for seen in &summary.faults {
        text.push('\n');
        text.push_str(&one(seen, start, failures));
    }
    text
}

fn row(seen: &FaultSummary, start: Nanos) -> [String; 8] {
    let fault = &seen.fault;
    let promised = fault
        .recover_within
        .map_or("nothing".to_owned(), |within| format!("at most {}", figures::duration(within)));
    let Some(struck) = fault.struck else {
        let dash = || "-".to_owned();
        return [fault.name.clone(), "never".to_owned(), dash(), dash(), dash(), promised, dash(), dash()];
    };
    let outage = |seen: Option<&OutageSeen>| seen.map_or("-".to_owned(), |seen| seen.outage.to_string());
    [
        fault.name.clone(),
        figures::moment(struck.saturating_sub(start)),
        outage(fault.all_users()),
        outage(fault.probe.as_ref()),
        seen.component_recovery.map_or("not complete".to_owned(), figures::duration),
        promised,
        bite(fault.effect).to_owned(),
        if seen.unaided { "yes" } else { "no" }.to_owned(),
    ]
}

fn bite(bite: Bite) -> &'static str {
    match bite {
        Bite::Proven => "proven",
        Bite::NotYet => "not shown",
        Bite::Absent => "absent",
    }
}

/// `failures` are those of the whole run, of which this fault has its share.
fn one(seen: &FaultSummary, start: Nanos, failures: u64) -> String {
    let fault = &seen.fault;
    let mut text = format!("### {}\n\n", plain(&fault.name));
    let mut say = |label: &str, what: &str| {
        if !what.is_empty() {
            text.push_str(&format!("- {label}: {}\n", plain(what)));
        }
    };
    say("plugin", &fault.plugin);
    say("requirement", fault.requirement.as_deref().unwrap_or_default());
    let Some(struck) = fault.struck else {
        say("never struck", &fault.because);
        return text;
    };
    for victim in &fault.victims {
        say("victim", &format!("{}: {}", victim.titled(), victim.because));
    }
    say("means", &fault.means);
    say(&format!("effect {}", bite(fault.effect)), &fault.probed);
    let moment = |at: Nanos| {
        format!(
            "{} ({} after the strike)",
            figures::moment(at.saturating_sub(start)),
            figures::duration(at.saturating_sub(struck))
        )
    };
    if let Some(reverted) = fault.reverted {
        say("reverted at", &moment(reverted));
    }
    say("revert failed", fault.revert_failure.as_deref().unwrap_or_default());
    match fault.steady_again {
        Some(steady) => say("steady again at", &moment(steady)),
        None => say("steady again", "not seen"),
    }
    if let Some(during) = &seen.during {
        let rate = during.success_rate.map_or("no requests".to_owned(), figures::percent);
        let counts = format!(
            "{} requests, {} failed, success rate {rate}",
            figures::count(during.requests),
            figures::count(during.failures)
        );
        say("users' requests until then", &counts);
        if failures > 0 {
            let share = during.failures as f64 / failures as f64;
            say("its share of all failures", &figures::percent(share));
        }
        if let Some(p95) = during.p95_of_all {
            say("p95 with failures among them", &figures::duration(p95));
        }
    }
    for check in &seen.checks {
        let all = check.passed.saturating_add(check.failed);
        let passed = format!("{} of {} passed", figures::count(check.passed), figures::count(all));
        say(&format!("check '{}' until then", check.name), &passed);
    }
    text.push_str(&timeline(seen, struck));
    let mut table = Table::new(&["seen by", "outage:", "known to within:", "failures:"]);
    let mut add = |by: String, seen: &OutageSeen| {
        table.row([
            by,
            seen.outage.to_string(),
            figures::duration(seen.resolution),
            figures::count(seen.failures),
        ]);
    };
    fault.users.iter().for_each(|seen| add(format!("users {}", seen.group), seen));
    fault.probe.iter().for_each(|seen| add("probe".to_owned(), seen));
    if !table.is_empty() {
        text.push_str(&format!("\nAs requests saw it:\n\n{table}"));
    }
    text
}
