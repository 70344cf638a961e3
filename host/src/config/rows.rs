//! Rows of data out of a CSV or JSON Lines file, each as the JSON object that plugins get.
//!
//! All rows lie in one text, because there may be a million of them. Neither they nor anything else
//! of a data file is ever shown: accounts have passwords.

use std::{collections::BTreeSet, fmt};

use serde_json::{Map, Value};

/// Most rows of one file.
const MOST_ROWS: usize = 1_000_000;
/// Longest row, as a JSON object.
const LONGEST_ROW: usize = 64 << 10;
/// All rows of one file together, as JSON objects.
const LARGEST_ROWS: usize = 256 << 20;

/// The rows of one file; at least one.
#[derive(Clone)]
pub struct Rows {
    /// JSON objects without anything in between.
    text: String,
    /// Where each ends.
    ends: Vec<usize>,
}

/// What is wrong with a file, at which byte, and what would be right.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    pub(super) at: usize,
    pub(super) message: String,
    pub(super) help: &'static str,
}

/// Rows may hold secrets.
impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rows({})", self.len())
    }
}

impl Rows {
    /// How many there are.
    #[expect(clippy::len_without_is_empty, reason = "a file without rows is refused")]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// One of them, counted from 0.
    pub fn get(&self, index: usize) -> Option<&str> {
        let end = *self.ends.get(index)?;
        let start = index.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        self.text.get(start..end)
    }

    /// Reads CSV as RFC 4180 has it, the first line being the columns' names.
    pub(super) fn from_csv(text: &str) -> Result<Self, Mistake> {
        let mut reader =
            csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
        let mut record = csv::StringRecord::new();
        let mut columns: Option<Vec<String>> = None;
        let mut rows = Self::none();
        loop {
            let before = offset(&reader);
            let more = reader.read_record(&mut record);
            let raw = text.get(before..offset(&reader)).unwrap_or_default();
            // Empty lines are skipped, and count as part of what follows them.
            let at = before + raw.len() - raw.trim_start_matches(['\r', '\n']).len();
            match more {
                Ok(true) => {}
                Ok(false) => return rows.or_empty(),
                Err(error) => return Err(mistake(at, error.to_string(), RIGHT_CSV)),
            }
            if raw.bytes().filter(|byte| *byte == b'"').count() % 2 == 1 {
                return Err(mistake(at, "a quote is opened and not closed", RIGHT_CSV));
            }
            if raw.len() > LONGEST_ROW {
                return Err(too_long(at));
            }
            let Some(columns) = &columns else {
                columns = Some(names(&record).map_err(|message| mistake(at, message, RIGHT_COLUMNS))?);
                continue;
            };
            if record.len() != columns.len() {
                let (values, columns) = (record.len(), columns.len());
                let message = format!("this row has {values} values, and there are {columns} columns");
                return Err(mistake(at, message, RIGHT_CSV));
            }
            let entries = columns.iter().zip(&record);
            let entries: Vec<_> = entries.map(|(name, value)| format!("{name}:{}", quoted(value))).collect();
            rows.push(at, &format!("{{{}}}", entries.join(",")))?;
        }
    }

    /// Reads JSON Lines: one object a line; empty lines are skipped.
    pub(super) fn from_json_lines(text: &str) -> Result<Self, Mistake> {
        let mut rows = Self::none();
        let mut begin = 0;
        for line in text.split_inclusive('\n') {
            let row = line.trim();
            let at = begin + line.len() - line.trim_start().len();
            begin += line.len();
            if row.is_empty() {
                continue;
            }
            if row.len() > LONGEST_ROW {
                return Err(too_long(at));
            }
            if let Err(error) = serde_json::from_str::<Map<String, Value>>(row) {
                // What it says of a value that is no object would repeat the value.
                return Err(match error.classify() {
                    serde_json::error::Category::Data => mistake(at, "this is no JSON object", RIGHT_JSON),
                    _ => {
                        let column = error.column().saturating_sub(1).min(row.len());
                        let at = at + row.floor_char_boundary(column);
                        mistake(at, without_place(&error.to_string()), RIGHT_JSON)
                    }
                });
            }
            rows.push(at, row)?;
        }
        rows.or_empty()
    }

    fn none() -> Self {
        Self { text: String::new(), ends: Vec::new() }
    }

    fn push(&mut self, at: usize, row: &str) -> Result<(), Mistake> {
        if row.len() > LONGEST_ROW {
            return Err(too_long(at));
        }
        if self.ends.len() >= MOST_ROWS {
            return Err(mistake(
                at,
                "the rows from here on are too many",
                "a feed has at most 1,000,000 rows",
            ));
        }
        if self.text.len() + row.len() > LARGEST_ROWS {
            let help = "a feed has at most 256 MiB, its rows written as JSON objects";
            return Err(mistake(at, "the rows from here on are too much", help));
        }
        self.text.push_str(row);
        self.ends.push(self.text.len());
        Ok(())
    }

    fn or_empty(mut self) -> Result<Self, Mistake> {
        if self.ends.is_empty() {
            return Err(mistake(0, "there is no row in this file", "a feed has at least one row"));
        }
        self.text.shrink_to_fit();
        self.ends.shrink_to_fit();
        Ok(self)
    }
}

const RIGHT_CSV: &str = "every line has one value for each column, with commas in between; a value that holds \
                         a comma, a quote or a line break stands in quotes, and a quote in it is doubled";
const RIGHT_COLUMNS: &str = "the first line names the columns";
const RIGHT_JSON: &str = "every line is a JSON object such as {\"name\": \"ada\", \"age\": 36}";

fn mistake(at: usize, message: impl Into<String>, help: &'static str) -> Mistake {
    Mistake { at, message: message.into(), help }
}

fn too_long(at: usize) -> Mistake {
    mistake(at, "this row is longer than 64 KiB", "a row, written as a JSON object, has at most 64 KiB")
}

fn offset(reader: &csv::Reader<&[u8]>) -> usize {
    usize::try_from(reader.position().byte()).unwrap_or(usize::MAX)
}

/// The columns' names, as JSON strings.
fn names(record: &csv::StringRecord) -> Result<Vec<String>, String> {
    let mut known = BTreeSet::new();
    for (index, name) in record.iter().enumerate() {
        if name.is_empty() {
            return Err(format!("column {} has no name", index + 1));
        }
        if !known.insert(name) {
            return Err(format!("two columns are called `{}`", name.escape_debug()));
        }
    }
    Ok(record.iter().map(quoted).collect())
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// What the parser says, without its own idea of the place: it knows one line only.
fn without_place(message: &str) -> &str {
    message.rsplit_once(" at line ").map_or(message, |(message, _)| message)
}

/// Line and column of a byte, both from 1.
pub(super) fn position(text: &[u8], at: usize) -> (usize, usize) {
    let before = text.get(..at.min(text.len())).unwrap_or_default();
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    let column = String::from_utf8_lossy(before.get(line_start..).unwrap_or_default()).chars().count() + 1;
    (line, column)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Reader = fn(&str) -> Result<Rows, Mistake>;

    fn all(rows: &Rows) -> Vec<&str> {
        (0..rows.len()).map(|index| rows.get(index).expect("a row")).collect()
    }

    #[test]
    fn csv_becomes_objects_of_strings() {
        let text = "name,\"the \"\"age\"\"\"\r\n\r\nada,36\n\"Lovelace, \"\"A\"\"\",\"two\nlines\"\n,\n";
        let rows = Rows::from_csv(text).expect("rows");
        assert_eq!(
            all(&rows),
            [
                r#"{"name":"ada","the \"age\"":"36"}"#,
                r#"{"name":"Lovelace, \"A\"","the \"age\"":"two\nlines"}"#,
                r#"{"name":"","the \"age\"":""}"#,
            ]
        );
        assert_eq!(rows.get(3), None);
        assert_eq!(format!("{rows:?}"), "Rows(3)");
    }

    #[test]
    fn lines_of_json_stay_as_they_are() {
        let rows = Rows::from_json_lines("{\"a\": 1}\n\n  {\"b\": [\"ä\"]}\r\n{}").expect("rows");
        assert_eq!(all(&rows), ["{\"a\": 1}", "{\"b\": [\"ä\"]}", "{}"]);
    }

    #[test]
    fn mistakes_have_their_place() {
        let long = format!("a\n{}\n", "x".repeat(LONGEST_ROW + 1));
        let long_object = format!("{{\"a\": \"{}\"}}", "x".repeat(LONGEST_ROW));
        let csv: Reader = Rows::from_csv;
        let json: Reader = Rows::from_json_lines;
        let cases: [(Reader, &str, (usize, usize), &str); 14] = [
            (csv, "", (1, 1), "there is no row in this file"),
            (csv, "a,b\n", (1, 1), "there is no row in this file"),
            (csv, "a,b\n1,2\n\n3\n", (4, 1), "this row has 1 values, and there are 2 columns"),
            (csv, "a,b\n1,2,3", (2, 1), "this row has 3 values, and there are 2 columns"),
            (csv, "a,b\n1,\"2\n3,4\n", (2, 1), "a quote is opened and not closed"),
            (csv, "a,\n1,2\n", (1, 1), "column 2 has no name"),
            (csv, "a,b,a\n1,2,3\n", (1, 1), "two columns are called `a`"),
            (csv, &long, (2, 1), "this row is longer than 64 KiB"),
            (json, "\n \n", (1, 1), "there is no row in this file"),
            (json, "{}\n  [\"s3cret\"]\n", (2, 3), "this is no JSON object"),
            (json, "{}\n\"s3cret\"\n", (2, 1), "this is no JSON object"),
            (json, "{\"ä\": 1,}\n", (1, 9), "trailing comma"),
            (json, "{\"a\": \n1}\n", (1, 5), "EOF while parsing a value"),
            (json, &long_object, (1, 1), "this row is longer than 64 KiB"),
        ];
        for (read, text, place, message) in cases {
            let found = read(text).expect_err("a mistake");
            assert_eq!((position(text.as_bytes(), found.at), found.message.as_str()), (place, message));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn anything_is_rows_or_a_mistake_inside_the_text(
            pieces in prop::collection::vec(
                prop_oneof![
                    prop::sample::select(vec![",", "\n", "\r", "\r\n", "\"", "{", "}", "[", ":", "a", "\u{feff}"])
                        .prop_map(str::to_owned),
                    "\\PC{0,3}",
                    any::<char>().prop_map(String::from),
                ],
                0..30,
            ),
        ) {
            let text = pieces.concat();
            for read in [Rows::from_csv as Reader, Rows::from_json_lines] {
                match read(&text) {
                    Ok(rows) => {
                        prop_assert!(rows.len() > 0);
                        for row in all(&rows) {
                            let object: Result<Map<String, Value>, _> = serde_json::from_str(row);
                            prop_assert!(object.is_ok(), "{row}");
                        }
                    }
                    Err(mistake) => prop_assert!(mistake.at <= text.len(), "{mistake:?}"),
                }
            }
        }
    }
}
