//! `summary.csv`: requests by phase, group and endpoint, one row each, for spreadsheets.

use super::{Summary, summary::Figures};

const HEADER: [&str; 20] = [
    "scope",
    "name",
    "behavior",
    "group",
    "task",
    "requests",
    "failures",
    "success-rate",
    "requests-per-second",
    "peak-requests-per-second",
    "service-mean-ms",
    "service-p50-ms",
    "service-p95-ms",
    "service-p99-ms",
    "service-max-ms",
    "response-mean-ms",
    "response-p50-ms",
    "response-p95-ms",
    "response-p99-ms",
    "response-max-ms",
];

/// The sheet as text. What was not seen is an empty cell.
pub(super) fn sheet(summary: &Summary) -> Result<Vec<u8>, csv::Error> {
    let mut sheet = csv::Writer::from_writer(Vec::new());
    sheet.write_record(HEADER)?;
    let load = &summary.load;
    row(&mut sheet, ["whole", "", "", "", ""], &load.whole)?;
    row(&mut sheet, ["outside-faults", "", "", "", ""], &load.outside_faults)?;
    if let Some(probe) = &load.probe {
        row(&mut sheet, ["probe", "", "", "", ""], probe)?;
    }
    for phase in &load.phases {
        row(&mut sheet, ["phase", &phase.phase.name, "", "", ""], &phase.figures)?;
    }
    for fault in &summary.faults {
        if let Some(during) = &fault.during {
            row(&mut sheet, ["fault", &fault.fault.name, "", "", ""], during)?;
        }
    }
    for group in &load.groups {
        row(&mut sheet, ["group", "", &group.behavior, &group.group, ""], &group.figures)?;
    }
    for row_of in &load.endpoints {
        let endpoint = &row_of.endpoint;
        let scope = if endpoint.probe { "probe-endpoint" } else { "endpoint" };
        let names = [scope, &endpoint.name, &endpoint.behavior, &endpoint.group, &endpoint.task];
        row(&mut sheet, names, &row_of.figures)?;
    }
    sheet.into_inner().map_err(|error| error.into_error().into())
}

fn row(sheet: &mut csv::Writer<Vec<u8>>, names: [&str; 5], figures: &Figures) -> Result<(), csv::Error> {
    let number = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.6}"));
    let mut cells: Vec<String> = names.into_iter().map(harmless).collect();
    cells.extend([
        figures.requests.to_string(),
        figures.failures.to_string(),
        number(figures.success_rate),
        number(figures.rate),
        number(Some(figures.peak_rate)),
    ]);
    for distribution in [figures.service, figures.response] {
        let nanos = distribution.map(|of| [of.mean, of.p50, of.p95, of.p99, of.max]);
        let millis = |index: usize| nanos.map(|nanos| nanos[index] as f64 / 1e6);
        cells.extend((0..5).map(|index| number(millis(index))));
    }
    sheet.write_record(cells)
}

/// Names come from plugins and targets, and spreadsheets run what begins like a formula.
fn harmless(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::fixtures;

    #[test]
    fn reads_as_published() {
        let sheet = sheet(&Summary::of(&fixtures::observations())).unwrap();
        insta::assert_snapshot!(String::from_utf8(sheet).unwrap());
    }

    #[test]
    fn formulas_are_text() {
        assert_eq!(harmless("=SUM(A1)"), "'=SUM(A1)");
        assert_eq!(harmless("GET /"), "GET /");
    }
}
