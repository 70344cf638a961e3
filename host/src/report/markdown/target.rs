//! What the target used, and how many of what there were.

use super::{
    text::{Table, plain},
    titled,
};
use crate::{
    observe::{Bite, Severity, figures},
    report::Summary,
};

pub(super) fn section(summary: &Summary) -> String {
    let parts = [
        profile(summary),
        titled("### Quotas", quotas(summary).trim_end()),
        titled("### Usage against limits", usage(summary).trim_end()),
        titled("### Replicas", workloads(summary).trim_end()),
        titled("### Not seen", blind(summary).trim_end()),
    ];
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    if parts.is_empty() { String::new() } else { format!("## Target\n\n{}", parts.join("\n")) }
}

/// What shaped the run as a whole.
fn profile(summary: &Summary) -> String {
    let Some(profile) = &summary.profile else { return String::new() };
    let mut text = format!("Profile {}", plain(&profile.name));
    match profile.struck {
        Some(_) => text.push_str(&format!(": {}\n", plain(&profile.means))),
        None => text.push_str(&format!(" was not in force: {}\n", plain(&profile.because))),
    }
    if profile.struck.is_some() && profile.effect != Bite::Proven {
        text.push_str(&format!("\nIts effect was not proven: {}\n", plain(&profile.probed)));
    }
    if let Some(failure) = &profile.revert_failure {
        text.push_str(&format!("\nIt could not be reverted: {}\n", plain(failure)));
    }
    text
}

fn quotas(summary: &Summary) -> String {
    if summary.target.quotas.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&["group", "at:", "CPU:", "memory:"]);
    let start = summary.load_started.unwrap_or(0);
    for quota in &summary.target.quotas {
        table.row([
            quota.group.clone(),
            if quota.at < start { "before load".to_owned() } else { figures::moment(quota.at - start) },
            quota.cpu.map_or("unbounded".to_owned(), figures::millicores),
            quota.memory.map_or("unbounded".to_owned(), figures::bytes),
        ]);
    }
    let mut text = table.to_string();
    let warned = summary.findings.iter().any(|finding| finding.severity >= Severity::Warning);
    if warned {
        text.push_str("\nThe arithmetic behind them is among the findings below.\n");
    }
    text
}

fn usage(summary: &Summary) -> String {
    if summary.target.usage.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&[
        "of",
        "CPU mean:",
        "CPU peak:",
        "CPU limit:",
        "throttled:",
        "memory mean:",
        "memory peak:",
        "memory limit:",
        "OOM kills:",
    ]);
    for usage in &summary.target.usage {
        table.row([
            usage.subject.clone(),
            figures::millicores(usage.cpu_mean),
            figures::millicores(usage.cpu_peak),
            usage.cpu_limit.map_or("none".to_owned(), figures::millicores),
            usage.throttled.map_or("-".to_owned(), figures::percent),
            figures::bytes(usage.memory_mean),
            figures::bytes(usage.memory_peak),
            usage.memory_limit.map_or("none".to_owned(), figures::bytes),
            usage.oom_kills.to_string(),
        ]);
    }
    table.to_string()
}

/// Stretches of which the rest of this section knows nothing.
fn blind(summary: &Summary) -> String {
    if summary.target.blind.is_empty() {
        return String::new();
    }
    let start = summary.load_started.unwrap_or(0);
    let mut table = Table::new(&["from:", "until:", "because"]);
    for span in &summary.target.blind {
        let moment =
            |at: u64| if at < start { "before load".to_owned() } else { figures::moment(at - start) };
        table.row([moment(span.from), span.until.map_or("the end".to_owned(), moment), span.because.clone()]);
    }
    table.to_string()
}

fn workloads(summary: &Summary) -> String {
    if summary.target.workloads.is_empty() {
        return String::new();
    }
    let start = summary.load_started.unwrap_or(0);
    let mut table = Table::new(&["workload", "ready replicas over time", "restarts:", "OOM kills:"]);
    for workload in &summary.target.workloads {
        const MOST: usize = 12;
        let mut course: Vec<String> = Vec::new();
        let mut last = None;
        for point in &workload.replicas {
            if last != Some((point.ready, point.desired)) {
                last = Some((point.ready, point.desired));
                let at = figures::moment(point.at.saturating_sub(start));
                course.push(format!("{at} {}/{}", point.ready, point.desired));
            }
        }
        let more = course.len().saturating_sub(MOST);
        course.truncate(MOST);
        if more > 0 {
            course.push(format!("and {more} more changes"));
        }
        table.row([
            workload.workload.clone(),
            if course.is_empty() { "-".to_owned() } else { course.join(", ") },
            workload.restarts.to_string(),
            workload.oom_kills.to_string(),
        ]);
    }
    table.to_string()
}
