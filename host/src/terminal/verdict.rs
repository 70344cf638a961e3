//! The last word: what the run came to, on standard output.

use std::path::Path;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use super::line::line;
use crate::observe::{
    FaultSeen, Filter, Latency, Observations, OutageSeen, Outcome, RunOutcome, Span, figures,
};

/// The verdict as text. `report` is where all of it can be read.
pub fn verdict(known: &Observations, report: Option<&Path>) -> String {
    text(known, report, None)
}

/// With a width, the table is arranged for it, whatever the terminal is.
fn text(known: &Observations, report: Option<&Path>, width: Option<u16>) -> String {
    let name = known.run().map_or("run".to_owned(), |run| line(&run.name));
    let (outcome, because) = match known.ended() {
        Some(ended) => (ended.outcome.name(), line(&ended.because)),
        None => ("cut off", "the run did not come to its end".to_owned()),
    };
    let mut parts = vec![format!("{name}: {}\n{because}", outcome.to_uppercase())];
    let failed: Vec<String> = known
        .restore_failures()
        .iter()
        .map(|failure| format!("NOT PUT BACK: {}: {}", line(&failure.what), line(&failure.because)))
        .collect();
    parts.push(failed.join("\n"));
    parts.push(promises(known, width));
    parts.push(reasons(known));
    parts.push(faults(known));
    parts.push(requests(known));
    if let Some(report) = report {
        parts.push(format!("report: {}", report.display()));
    }
    parts.retain(|part| !part.is_empty());
    parts.join("\n\n") + "\n"
}

fn promises(known: &Observations, width: Option<u16>) -> String {
    if known.verdicts().is_empty() {
        return match known.ended().map(|ended| ended.outcome) {
            // Nothing was started, so nothing was judged either.
            Some(RunOutcome::NotReady) => String::new(),
            _ => "no promise was judged".to_owned(),
        };
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    if let Some(width) = width {
        table.set_width(width).force_no_tty();
    }
    table.set_header(["", "promise", "measured", "promised"]);
    for promise in known.verdicts() {
        let outcome = match promise.outcome {
            Outcome::Broken => "BROKEN".to_owned(),
            other => other.name().to_owned(),
        };
        table.add_row([
            outcome,
            line(&promise.subject),
            promise.measured.as_ref().map_or("nothing".to_owned(), |measured| line(&measured.to_string())),
            promise.promised.as_ref().map_or(String::new(), |promised| line(&promised.to_string())),
        ]);
    }
    for column in [2, 3] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let text = table.to_string();
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

/// Why promises were not kept, could not be judged, or are void.
fn reasons(known: &Observations) -> String {
    let reason = |promise: &crate::observe::Verdict| {
        let shortage = promise.shortage.as_ref().map_or(String::new(), |(needed, had)| {
            format!(" (needed {}, had {})", line(&needed.to_string()), line(&had.to_string()))
        });
        let outcome = promise.outcome.name();
        format!("{outcome}: {}: {}{shortage}", line(&promise.subject), line(&promise.because))
    };
    let open = known.verdicts().iter().filter(|promise| promise.outcome != Outcome::Kept);
    open.map(reason).collect::<Vec<_>>().join("\n")
}

fn faults(known: &Observations) -> String {
    if known.phases().is_empty() {
        // Nothing was started, and the reason for that is told already.
        return String::new();
    }
    known.faults().iter().map(fault).collect::<Vec<_>>().join("\n")
}

fn fault(fault: &FaultSeen) -> String {
    let name = line(&fault.name);
    if fault.struck.is_none() {
        return format!("fault {name}: never struck: {}", line(&fault.because));
    }
    let outage =
        |seen: Option<&OutageSeen>| seen.map_or("not watched".to_owned(), |seen| seen.outage.to_string());
    let component = fault.component_recovery().map_or("not complete".to_owned(), figures::duration);
    let probe = fault.probe.as_ref().map_or(String::new(), |seen| format!("; probe: {}", seen.outage));
    let promised = fault
        .recover_within
        .map_or(String::new(), |within| format!(" (promised {})", figures::duration(within)));
    let unaided = if fault.unaided() { "" } else { "; not before it was reverted" };
    let users = outage(fault.all_users());
    format!("fault {name}: RTO as users saw it: {users}{probe}; component: {component}{promised}{unaided}")
}

fn requests(known: &Observations) -> String {
    let Ok(totals) = known.totals(&Filter::all(), &Span::Whole, 0.0) else { return String::new() };
    let Some(success) = totals.success_rate() else { return String::new() };
    let rate = totals.rate().map_or(String::new(), |rate| format!(", {}", figures::rate(rate)));
    let mut text = format!(
        "{} requests{rate}, {} succeeded",
        figures::count(totals.requests),
        figures::percent(success)
    );
    let percentiles = known
        .percentiles(&Filter::all(), &Span::Whole, Latency::Response, &[50.0, 95.0, 99.0])
        .unwrap_or_default();
    if let [Some(p50), Some(p95), Some(p99)] = percentiles[..] {
        let [p50, p95, p99] = [p50, p95, p99].map(figures::duration);
        text.push_str(&format!("; p50 {p50}, p95 {p95}, p99 {p99}"));
    }
    let generator = known.generator();
    if generator.bottleneck {
        text.push_str(&format!("\nthe load generator held the load back: {}", generator.because));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::{Event, Fact, fixtures};

    #[test]
    fn a_whole_run() {
        let report = Path::new("runs/20300101-120000-two-phases/report.md");
        insta::assert_snapshot!(text(&fixtures::observations(), Some(report), Some(100)));
    }

    #[test]
    fn a_run_that_could_not_start() {
        let because = "http://10.1.0.2:8080/ refuses connections".to_owned();
        let fact = Fact::RunEnded { outcome: RunOutcome::NotReady, because };
        let known = fixtures::observed(&[
            Event { at: 0, fact: Fact::RunStarted(fixtures::info()) },
            Event { at: 1, fact },
        ]);
        insta::assert_snapshot!(text(&known, None, Some(100)));
    }

    #[test]
    fn nothing_known_is_no_trouble() {
        assert!(text(&Observations::default(), None, Some(100)).starts_with("run: CUT OFF"));
    }
}
