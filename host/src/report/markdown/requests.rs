//! What the users' requests came to.

use super::{text::Table, titled};
use crate::{
    observe::{Nanos, PhaseSeen, figures},
    report::{
        Summary,
        summary::{Distribution, Figures},
    },
};

pub(super) fn section(summary: &Summary) -> String {
    let load = &summary.load;
    let mut text = String::from("## Load\n\n");
    if load.whole.requests == 0 && load.probe.as_ref().is_none_or(|probe| probe.requests == 0) {
        text.push_str("No request was seen.\n");
        return text;
    }
    // Under a closed model they are the same, and one set of columns says it all.
    let same = load.endpoints.iter().all(|row| row.figures.service == row.figures.response);
    let columns = Columns { same };

    let mut table = columns.table(&["span"]);
    columns.row(&mut table, ["all users"], &load.whole);
    columns.row(&mut table, ["outside faults"], &load.outside_faults);
    if let Some(probe) = &load.probe {
        columns.row(&mut table, ["probe"], probe);
    }
    text.push_str(&format!("{table}\n"));
    text.push_str(columns.note());
    text.push_str(&availability(summary));

    let any_open = load.phases.iter().any(|row| row.phase.rate.is_some());
    let wanted = if any_open { "load:" } else { "users:" };
    let mut phases = columns.table(&["phase", wanted, "at:", "lasted:"]);
    let start = summary.load_started.unwrap_or(0);
    let load_of = |phase: &PhaseSeen| match any_open {
        true => figures::load(phase.users, phase.rate),
        false => phase.users.to_string(),
    };
    for row in &load.phases {
        let phase = &row.phase;
        let lasted =
            phase.end.map_or("cut off".to_owned(), |end| figures::duration(end - phase.start.min(end)));
        let at = figures::moment(phase.start.saturating_sub(start));
        columns.row(&mut phases, [&phase.name, &load_of(phase), &at, &lasted], &row.figures);
    }
    text.push_str(&titled("\n### Phases", phases.to_string().trim_end()));

    let mut groups = columns.table(&["group", "behavior"]);
    for row in &load.groups {
        columns.row(&mut groups, [&row.group, &row.behavior], &row.figures);
    }
    text.push_str(&titled("\n### Task groups", groups.to_string().trim_end()));

    let mut endpoints = columns.table(&["endpoint", "task"]);
    for row in &load.endpoints {
        let probe = if row.endpoint.probe { " (probe)" } else { "" };
        columns.row(
            &mut endpoints,
            [format!("{}{probe}", row.endpoint.name), row.endpoint.task.clone()],
            &row.figures,
        );
    }
    text.push_str(&titled("\n### Endpoints", endpoints.to_string().trim_end()));
    text.push_str(&errors(summary));
    text
}

/// How the columns of figures look.
struct Columns {
    /// Response times equal service times everywhere.
    same: bool,
}

impl Columns {
    fn table(&self, names: &[&'static str]) -> Table {
        let mut columns = names.to_vec();
        columns.extend([
            "requests:",
            "failed:",
            "success:",
            "rate:",
            "mean:",
            "p50:",
            "p95:",
            "p99:",
            "max:",
        ]);
        if !self.same {
            columns.extend(["response p50:", "response p95:", "response p99:"]);
        }
        Table::new(&columns)
    }

    fn row<T: Into<String>>(&self, table: &mut Table, names: impl IntoIterator<Item = T>, figures: &Figures) {
        let mut cells: Vec<String> = names.into_iter().map(Into::into).collect();
        cells.extend([
            figures::count(figures.requests),
            figures::count(figures.failures),
            figures.success_rate.map_or("-".to_owned(), figures::percent),
            figures.rate.map_or("-".to_owned(), figures::rate),
        ]);
        let show = |of: Option<Distribution>, pick: fn(Distribution) -> Nanos| {
            of.map_or("-".to_owned(), |of| figures::duration(pick(of)))
        };
        let service: [fn(Distribution) -> Nanos; 5] =
            [|of| of.mean, |of| of.p50, |of| of.p95, |of| of.p99, |of| of.max];
        cells.extend(service.map(|pick| show(figures.service, pick)));
        if !self.same {
            let response: [fn(Distribution) -> Nanos; 3] = [|of| of.p50, |of| of.p95, |of| of.p99];
            cells.extend(response.map(|pick| show(figures.response, pick)));
        }
        table.row(cells);
    }

    fn note(&self) -> &'static str {
        if self.same {
            "Latencies are of successes. Response times equal service times: no start was late.\n"
        } else {
            "Latencies are of successes: service times from the actual send, response times from the intended \
             start.\n"
        }
    }
}

/// Availability in both senses, and what else belongs beside the latencies.
fn availability(summary: &Summary) -> String {
    let whole = &summary.load.whole;
    let by_request = whole.success_rate.map_or("unknown".to_owned(), figures::percent);
    let by_time = whole.availability_by_time.map_or("unknown".to_owned(), figures::percent);
    let mut text = format!(
        "\n- availability by request: {by_request}\n- availability by time: {by_time} of seconds with requests, \
         {} without any\n- busiest second: {} requests\n- bytes: {} sent, {} received\n",
        figures::count(whole.empty_windows),
        figures::count(whole.peak_rate as u64),
        figures::bytes(whole.bytes_sent),
        figures::bytes(whole.bytes_received),
    );
    if let Some(p95) = whole.p95_of_all {
        text.push_str(&format!("- p95 with failures among them: {}\n", figures::duration(p95)));
    }
    let generator = &summary.generator;
    if generator.late > 0 || generator.dropped > 0 {
        text.push_str(&format!(
            "- starts that found no free user in time: {}; given up: {}\n",
            figures::count(generator.late),
            figures::count(generator.dropped)
        ));
    }
    text
}

fn errors(summary: &Summary) -> String {
    let whole = &summary.load.whole;
    let mut errors = Table::new(&["failure", "count:", "of all requests:"]);
    for error in &whole.errors {
        let share = error.count as f64 / whole.requests as f64;
        errors.row([error.class.name(), &figures::count(error.count), &figures::percent(share)]);
    }
    let mut statuses = Table::new(&["status", "answers:"]);
    for answers in &summary.load.statuses {
        statuses.row([answers.status.to_string(), figures::count(answers.count)]);
    }
    let mut text = titled("\n### Failures by class", if errors.is_empty() { "None." } else { "" });
    if !errors.is_empty() {
        text.push_str(&titled("\n### Failures by class", errors.to_string().trim_end()));
    }
    if !statuses.is_empty() {
        text.push_str(&titled("\n### Answers by status", statuses.to_string().trim_end()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::{Fact, fixtures};

    #[test]
    fn open_phases_say_their_rate_beside_the_users_of_closed_ones() {
        let mut events = fixtures::run();
        for event in &mut events {
            if let Fact::PhaseStarted { phase, rate, .. } = &mut event.fact
                && phase == "peak"
            {
                *rate = Some(40.0);
            }
            if let Fact::Interval(interval) = &mut event.fact {
                (interval.late, interval.dropped) = (2, 1);
            }
        }
        let page = section(&Summary::of(&fixtures::observed(&events)));
        let row =
            |phase: &str| page.lines().find(|line| line.starts_with(&format!("| {phase} "))).expect("a row");
        assert!(row("light").contains(" 20 users |"), "{}", row("light"));
        assert!(row("peak").contains(" 40/s |"), "{}", row("peak"));
        assert!(page.contains("- starts that found no free user in time: 120; given up: 60"), "{page}");
    }
}
