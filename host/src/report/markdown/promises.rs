//! What was promised, and how it turned out.

use super::{
    text::{Table, plain},
    titled,
};
use crate::{
    observe::{Audit, Outcome, Verdict, figures},
    report::Summary,
};

pub(super) fn section(summary: &Summary) -> String {
    let mut text = String::from("## Promises\n\n");
    if summary.promises.is_empty() {
        text.push_str("No promise was judged.\n");
    } else {
        let count = |outcome: Outcome| {
            let same = summary.promises.iter().filter(|promise| promise.outcome == outcome).count();
            format!("{same} {}", outcome.name())
        };
        let order = [Outcome::Broken, Outcome::Inconclusive, Outcome::Void, Outcome::Kept];
        text.push_str(&format!("{}.\n\n", order.map(count).join(", ")));
        text.push_str(&table(&summary.promises, order).to_string());
    }
    for audit in &summary.audits {
        text.push('\n');
        text.push_str(&audited(audit));
    }
    text
}

/// The worst first; within one outcome in the order in which they were judged.
fn table(promises: &[Verdict], order: [Outcome; 4]) -> Table {
    let mut table =
        Table::new(&["outcome", "promise", "measured:", "promised:", "because", "requirement", "assertion"]);
    for outcome in order {
        for promise in promises.iter().filter(|promise| promise.outcome == outcome) {
            let shortage = promise
                .shortage
                .as_ref()
                .map_or(String::new(), |(needed, had)| format!(" (needed {needed}, had {had})"));
            table.row([
                match outcome {
                    Outcome::Broken => "BROKEN".to_owned(),
                    other => other.name().to_owned(),
                },
                promise.subject.clone(),
                promise.measured.as_ref().map_or("nothing".to_owned(), ToString::to_string),
                promise.promised.as_ref().map_or(String::new(), ToString::to_string),
                format!("{}{shortage}", promise.because),
                promise.requirement.clone().unwrap_or_default(),
                promise.assertion.clone(),
            ]);
        }
    }
    table
}

/// The ledger of one behavior against what the target holds.
fn audited(audit: &Audit) -> String {
    let mut table = Table::new(&["writes", "count:", "meaning"]);
    let rows = [
        ("attempted", audit.attempted, "sent"),
        ("confirmed", audit.confirmed, "acknowledged by the target"),
        ("rejected", audit.rejected, "surely refused"),
        ("indeterminate", audit.indeterminate, "neither; there or not, both are right"),
        ("lost", audit.lost, "confirmed, but not there"),
        ("phantom", audit.phantom, "rejected, yet there"),
        ("duplicated", audit.duplicated, "there more than once"),
    ];
    for (name, count, meaning) in rows {
        table.row([name.to_owned(), figures::count(count), meaning.to_owned()]);
    }
    let mut text = table.to_string();
    if let Some(span) = audit.lost_span {
        let keys = audit.lost_keys.iter().take(5).map(|key| plain(key)).collect::<Vec<_>>().join(", ");
        let span = figures::duration(span);
        text.push_str(&format!("\nLost confirmations lie within {span}; keys, at most five: {keys}.\n"));
    }
    if let Some(failure) = &audit.failure {
        text.push_str(&format!("\nThe audit could not be completed: {}.\n", plain(failure)));
    }
    titled(&format!("### Writes of {}", plain(&audit.behavior)), text.trim_end())
}
