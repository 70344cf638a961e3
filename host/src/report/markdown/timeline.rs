//! What happened around one fault, on one timeline: the strike, the component's own steps, what the environment
//! told meanwhile, and when requests succeeded again.

use super::text::Table;
use crate::{
    observe::{Nanos, Outage, OutageSeen, When, figures},
    report::summary::FaultSummary,
};

/// Most lines of the environment: a node that fails has much to tell, and the rest must be found among it.
const MOST: usize = 40;

/// One line, as somebody saw it.
struct Line {
    at: Nanos,
    by: &'static str,
    what: String,
}

/// Everything that has a moment on the run's clock, by that; then the steps that only the target's clock dates.
pub(super) fn timeline(seen: &FaultSummary, struck: Nanos) -> String {
    let fault = &seen.fault;
    let mut lines = vec![Line { at: struck, by: "run", what: "struck".to_owned() }];
    let mut add = |at: Nanos, by, what: String| lines.push(Line { at, by, what });
    for step in &fault.steps {
        if let When::Observed(at) = step.at {
            add(at, "component", format!("{}: {}", step.name, step.detail));
        }
    }
    for one in seen.meanwhile.iter().take(MOST) {
        add(one.at, "environment", one.what.clone());
    }
    for (by, seen) in [("users", fault.all_users()), ("probe", fault.probe.as_ref())] {
        if let Some(OutageSeen { outage: Outage::Ended(after), .. }) = seen {
            add(struck.saturating_add(*after), by, "requests succeed again".to_owned());
        }
    }
    if let Some(reverted) = fault.reverted {
        add(reverted, "run", "reverted".to_owned());
    }
    if let Some(steady) = fault.steady_again {
        add(steady, "run", "steady again".to_owned());
    }
    lines.sort_by_key(|line| line.at);

    let mut table = Table::new(&["after the strike:", "seen by", "what happened"]);
    for line in lines {
        table.row([after(line.at, struck), line.by.to_owned(), line.what]);
    }
    for step in &fault.steps {
        if let When::Reported(moment) = &step.at {
            let what = format!("{} at {moment} by its own clock: {}", step.name, step.detail);
            table.row(["-".to_owned(), "component".to_owned(), what]);
        }
    }
    let more = match seen.meanwhile.len().saturating_sub(MOST) {
        0 => String::new(),
        more => format!("\nand {more} more of the environment, in events.jsonl.\n"),
    };
    format!("\nTimeline:\n\n{table}{more}")
}

fn after(at: Nanos, struck: Nanos) -> String {
    match at.checked_sub(struck) {
        Some(after) => figures::duration(after),
        // What a strike does begins a moment before its plugin says when it was.
        None => format!("-{}", figures::duration(struck - at)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        observe::{Happening, fixtures},
        report::Summary,
    };

    #[test]
    fn what_there_is_no_room_for_is_counted_and_the_rest_stays() {
        let mut seen = Summary::of(&fixtures::observations()).faults.remove(0);
        let struck = seen.fault.struck.expect("it struck");
        let happening = |number: u64| Happening { at: struck + number, what: format!("{number} happened") };
        seen.meanwhile = (0..50).map(happening).collect();
        let text = timeline(&seen, struck);
        assert!(text.contains("39 happened") && !text.contains("40 happened"), "{text}");
        assert!(text.contains("\nand 10 more of the environment, in events.jsonl.\n"), "{text}");
        assert!(text.contains("steady again"), "{text}");
    }

    #[test]
    fn what_the_strike_itself_did_may_have_come_before_it() {
        assert_eq!(after(1_000_000_000, 3_000_000_000), "-2 s");
        assert_eq!(after(3_000_000_000, 1_000_000_000), "2 s");
    }
}
