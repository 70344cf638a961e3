//! What people and pipelines read of a run.
//!
//! [`Summary`] is put together from answers of the observations and holds no figure of its own; the
//! Markdown page, the JSON file, the sheet and the JUnit file are four forms of it. All of them can
//! be written again from the run's directory.

mod junit;
mod markdown;
mod sheet;
mod summary;

use std::{
    io,
    path::{Path, PathBuf},
};

use fs_err as fs;

pub use summary::Summary;

use crate::observe::Observations;

/// Why a report was not written.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("the summary cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the summary cannot be written as a sheet: {0}")]
    Sheet(#[from] csv::Error),
    #[error("the verdicts cannot be written as JUnit: {0}")]
    Junit(#[from] quick_junit::SerializeError),
}

/// Writes all forms of the report into a run's directory. Answers where the page is.
pub fn write(dir: &Path, known: &Observations) -> Result<PathBuf, ReportError> {
    let summary = Summary::of(known);
    let page = dir.join("report.md");
    fs::write(&page, markdown::page(&summary))?;
    let mut json = serde_json::to_string_pretty(&summary)?;
    json.push('\n');
    fs::write(dir.join("summary.json"), json)?;
    fs::write(dir.join("summary.csv"), sheet::sheet(&summary)?)?;
    fs::write(dir.join("junit.xml"), junit::junit(&summary)?)?;
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::fixtures;

    #[test]
    fn writes_every_form() {
        let dir = tempfile::tempdir().unwrap();
        let page = write(dir.path(), &fixtures::observations()).unwrap();
        assert_eq!(page, dir.path().join("report.md"));
        for file in ["report.md", "summary.json", "summary.csv", "junit.xml"] {
            assert!(fs::metadata(dir.path().join(file)).unwrap().len() > 0, "{file}");
        }
    }

    #[test]
    fn nothing_at_all_can_be_reported() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), &Observations::default()).unwrap();
        insta::assert_snapshot!(fs::read_to_string(dir.path().join("report.md")).unwrap());
    }
}
