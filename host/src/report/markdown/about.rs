//! The run itself, its plugins, what was noticed, and how all of it is meant.

use super::{
    text::{Table, plain},
    titled,
};
use crate::{
    observe::{Level, PluginFailureKind, RunOutcome, Severity, figures},
    report::Summary,
};

pub(super) fn title(summary: &Summary) -> String {
    let name = summary.run.as_ref().map_or("run".to_owned(), |run| plain(&run.name));
    let outcome = summary.outcome.map_or("cut off", RunOutcome::name).to_uppercase();
    let mut text = format!("# {name}: {outcome}\n\n**{}**\n\n", plain(&summary.because));
    for failure in &summary.restore_failures {
        let (what, because) = (plain(&failure.what), plain(&failure.because));
        text.push_str(&format!("**Not put back: {what}: {because}**\n\n"));
    }
    let Some(run) = &summary.run else { return text };
    let mut table = Table::new(&["run", ""]);
    table.row(["id", &run.id]);
    table.row(["config", &run.config]);
    table.row(["environment", &run.environment]);
    table.row(["started", &run.started]);
    table.row(["lasted", &figures::duration(summary.ended)]);
    table.row(["seed", &run.seed.to_string()]);
    if run.time_scale != 1.0 {
        let scale =
            format!("{}: phases and fault offsets were shortened by it, promises were not", run.time_scale);
        table.row(["time scale", &scale]);
    }
    table.row(["host", &run.host_version]);
    text.push_str(&table.to_string());
    text
}

pub(super) fn plugins(summary: &Summary) -> String {
    let plugins = &summary.plugins;
    let mut parts = Vec::new();
    if !plugins.failures.is_empty() {
        let mut table = Table::new(&["plugin", "call", "how", "times:", "the first one's cause"]);
        for failure in &plugins.failures {
            table.row([
                &failure.plugin,
                &failure.call,
                how(failure.kind),
                &figures::count(failure.count),
                &failure.message,
            ]);
        }
        parts.push(titled("### Failures", table.to_string().trim_end()));
    }
    if !plugins.log.is_empty() {
        const MOST: usize = 20;
        let mut table = Table::new(&["at:", "plugin", "level", "message"]);
        for line in plugins.log.iter().take(MOST) {
            let at = figures::moment(line.at.saturating_sub(summary.load_started.unwrap_or(0)));
            let level = if line.level == Level::Error { "error" } else { "warning" };
            table.row([&at, &line.plugin, level, &line.message]);
        }
        let more = plugins.log.len().saturating_sub(MOST) as u64 + plugins.log_cut;
        let mut text = table.to_string();
        if more > 0 {
            text.push_str(&format!("\nand {} more, in events.jsonl.\n", figures::count(more)));
        }
        parts.push(titled("### Warnings that they logged", text.trim_end()));
    }
    let own = own_figures(summary);
    parts.push(titled("### Their own figures", own.trim_end()));
    if !plugins.loaded.is_empty() {
        let mut table = Table::new(&["as", "plugin", "version", "digest"]);
        for plugin in &plugins.loaded {
            table.row([&plugin.name, &plugin.plugin, &plugin.version, &plugin.digest]);
        }
        parts.push(titled("### Loaded", table.to_string().trim_end()));
    }
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    if parts.is_empty() { String::new() } else { format!("## Plugins\n\n{}", parts.join("\n")) }
}

fn how(kind: PluginFailureKind) -> &'static str {
    match kind {
        PluginFailureKind::Failed => "returned a failure",
        PluginFailureKind::Trapped => "trapped",
        PluginFailureKind::Panicked => "panicked",
        PluginFailureKind::StackExhausted => "ran out of stack",
        PluginFailureKind::Looped => "computed too long",
        PluginFailureKind::TimedOut => "timed out",
        PluginFailureKind::OutOfMemory => "asked for too much memory",
        PluginFailureKind::TooMuchData => "handed over too much data",
    }
}

fn own_figures(summary: &Summary) -> String {
    let plugins = &summary.plugins;
    let mut table = Table::new(&["name", "kind", "figure"]);
    for check in &plugins.checks {
        let all = check.passed.saturating_add(check.failed);
        let figure = format!("{} of {} passed", figures::count(check.passed), figures::count(all));
        table.row([&check.name, "check", &figure]);
    }
    for counter in &plugins.counters {
        table.row([&counter.name, "counter", &format!("{}", counter.sum)]);
    }
    for trend in &plugins.trends {
        let figure = format!(
            "{} values: mean {}, p50 {}, p95 {}, p99 {}, max {}",
            figures::count(trend.count),
            trend.mean,
            trend.p50,
            trend.p95,
            trend.p99,
            trend.max
        );
        table.row([&trend.name, "trend", &figure]);
    }
    if table.is_empty() { String::new() } else { table.to_string() }
}

pub(super) fn findings(summary: &Summary) -> String {
    let mut text = String::from("## Findings\n\n");
    if summary.findings.is_empty() {
        text.push_str("None.\n");
        return text;
    }
    let mut table = Table::new(&["severity", "source", "finding", "times:"]);
    for severity in [Severity::Blocking, Severity::Warning, Severity::Note] {
        for finding in summary.findings.iter().filter(|finding| finding.severity == severity) {
            let name = match severity {
                Severity::Blocking => "BLOCKING",
                Severity::Warning => "warning",
                Severity::Note => "note",
            };
            table.row([name, &finding.source, &finding.message, &figures::count(finding.count)]);
        }
    }
    text.push_str(&table.to_string());
    text
}

pub(super) fn generator(summary: &Summary) -> String {
    let generator = &summary.generator;
    if summary.load.whole.covered == 0 {
        return format!("## Load generator\n\nNothing is known of it: {}.\n", plain(&generator.because));
    }
    let verdict = if generator.bottleneck {
        "**The load generator held the load back**"
    } else {
        "The load generator did not hold the load back"
    };
    format!(
        "## Load generator\n\n{verdict}: {}.\n\n- CPU: mean {}, peak {}\n- event-loop lag, p99 of each second: \
         at most {} in 99 of 100 seconds\n",
        plain(&generator.because),
        figures::millicores(generator.cpu_mean),
        figures::millicores(generator.cpu_peak),
        figures::duration(generator.lag_p99)
    )
}

pub(super) fn how_to_read() -> String {
    "## How to read this\n\n\
     - **kept, broken**: measured against what was promised. **inconclusive**: not enough was seen to tell, \
     which is never a pass. **void**: a shortened run could not hold what the promise needs; it is left out of \
     the verdict.\n\
     - **service time**: from a request's actual send to its last byte. **response time**: from its intended \
     start, so that waiting for a slow target counts. Both are of successes; failures are in the success rate.\n\
     - **RTO, users**: from the strike to the end of the first success after which no failure came for 5 s and at \
     least 10 successes did; known to within the largest gap between requests. \"no outage seen\" is not 0 s; \
     \">=\" had not recovered when watching ended. **RTO, component**: the fault plugin's own steps.\n\
     - **unaided**: recovered before anything was reverted.\n\
     - **outside faults**: the load without the seconds from each strike to the first steady check after its \
     revert.\n\
     - Moments are counted from the start of the load. Percentiles come from merged histograms of three \
     significant digits.\n"
        .to_owned()
}
