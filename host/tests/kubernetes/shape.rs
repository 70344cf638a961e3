//! What two runs of one config have in common, wherever they happened: everything but figures, moments and
//! names of their own.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::Value;

use crate::support::{events, summary};

/// Two run directories have the same files, and in these
///
/// * the page has the same headings in the same order, and under each the same tables, by their columns (but for
///   response times, which are there only where a start was late);
/// * the summary has the same schema, and at each place the same keys with values of the same types (what is
///   absent in one, or an empty list, equals anything);
/// * the sheet has the same columns and the same first cells, and JUnit the same suites and cases;
/// * events are of the same kinds, but for findings, of which a run may have none.
#[track_caller]
pub(crate) fn assert_same_shape(one: &Path, other: &Path) {
    let both = [one, other];
    let [left, right] = both.map(files);
    assert_eq!(left, right, "files");
    let [left, right] = both.map(page);
    assert_eq!(left, right, "headings and tables of the page");
    let [left, right] = both.map(sheet);
    assert_eq!(left, right, "columns and rows of the sheet");
    let [left, right] = both.map(junit);
    assert_eq!(left, right, "suites and cases");
    let [left, right] = both.map(kinds);
    assert_eq!(left, right, "kinds of events");
    let [left, right] = both.map(summary);
    assert_eq!(left["schema"], right["schema"]);
    let mut differences = Vec::new();
    compare("", &left, &right, &mut differences);
    assert!(differences.is_empty(), "the summaries differ:\n{}", differences.join("\n"));
}

fn text(directory: &Path, file: &str) -> String {
    let path = directory.join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn files(directory: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(directory).expect("a run directory");
    entries.map(|entry| entry.expect("reads").file_name().to_string_lossy().into_owned()).collect()
}

/// Headings, and the first row of each table.
fn page(directory: &Path) -> Vec<String> {
    let text = text(directory, "report.md");
    let mut shape = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let heads_table = lines.peek().is_some_and(|next| next.starts_with("| -"));
        if line.starts_with("# ") {
            // Behind the name stands the verdict, which is not its shape.
            shape.extend(line.split(':').next().map(str::to_owned));
        } else if line.starts_with('#') {
            shape.push(line.to_owned());
        } else if heads_table {
            let cells = line.split('|').map(str::trim).filter(|cell| !cell.starts_with("response p"));
            shape.push(cells.collect::<Vec<_>>().join("|"));
        }
    }
    assert!(shape.len() > 10, "a page has more than that: {shape:?}");
    shape
}

fn sheet(directory: &Path) -> Vec<String> {
    let text = text(directory, "summary.csv");
    let mut lines = text.lines();
    let columns = lines.next().expect("columns").to_owned();
    let rows = lines.map(|line| line.split(',').next().unwrap_or_default().to_owned());
    std::iter::once(columns).chain(rows).collect()
}

fn junit(directory: &Path) -> Vec<String> {
    let text = text(directory, "junit.xml");
    let tags = text.split('<').filter(|tag| tag.starts_with("testsuite ") || tag.starts_with("testcase "));
    tags.filter_map(|tag| Some(tag.split("name=\"").nth(1)?.split('"').next()?.to_owned())).collect()
}

fn kinds(directory: &Path) -> BTreeSet<String> {
    let facts = events(directory).into_iter().map(|event| match &event["fact"] {
        Value::Object(fact) => fact.keys().next().cloned().unwrap_or_default(),
        fact => fact.as_str().unwrap_or_default().to_owned(),
    });
    facts.filter(|kind| kind != "finding").collect()
}

fn compare(at: &str, one: &Value, other: &Value, differences: &mut Vec<String>) {
    match (one, other) {
        (Value::Null, _) | (_, Value::Null) => {}
        (Value::Object(one), Value::Object(other)) => {
            for key in one.keys().chain(other.keys()).collect::<BTreeSet<_>>() {
                match (one.get(key), other.get(key)) {
                    (Some(one), Some(other)) => compare(&format!("{at}/{key}"), one, other, differences),
                    _ => differences.push(format!("{at}/{key} is in one of them only")),
                }
            }
        }
        (Value::Array(one), Value::Array(other)) => {
            if let (Some(one), Some(other)) = (one.first(), other.first()) {
                compare(&format!("{at}[]"), one, other, differences);
            }
        }
        (Value::Number(_), Value::Number(_))
        | (Value::String(_), Value::String(_))
        | (Value::Bool(_), Value::Bool(_)) => {}
        _ => differences.push(format!("{at} is {one} and {other}")),
    }
}
