//! `[feeds.NAME]`: rows of data that behaviors share. They are read with the config, so that a file
//! that is missing or wrong is told before anything is started.

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    checks::Checks,
    file::FeedTable,
    model::{FeedConfig, PluginSource},
    read::{Kind, text_of},
    rows::{Mistake, Rows, position},
    tree::escape,
};

/// A file of rows.
const FEED: Kind = Kind { name: "feed", most_mebibytes: 64 };

pub(super) fn feeds(
    checks: &mut Checks<'_>,
    tables: BTreeMap<String, FeedTable>,
) -> BTreeMap<String, FeedConfig> {
    // Several feeds may have one file, and then they share its rows.
    let mut read: HashMap<PathBuf, Option<Arc<Rows>>> = HashMap::new();
    let mut feeds = BTreeMap::new();
    for (name, table) in tables {
        let at = format!("/feeds/{}", escape(&name));
        checks.named(&at, &name);
        let at = format!("{at}/path");
        let Some(path) = checks.path(&at, &table.path) else { continue };
        let rows = read.entry(path.clone()).or_insert_with(|| rows(checks, &at, &path).map(Arc::new));
        if let Some(rows) = rows {
            feeds.insert(name, FeedConfig { rows: rows.clone(), order: table.order.unwrap_or_default() });
        }
    }
    feeds
}

/// A grant names a feed that there is.
pub(super) fn check_grants(
    checks: &mut Checks<'_>,
    known: &[String],
    plugins: &BTreeMap<String, PluginSource>,
) {
    for (name, source) in plugins {
        for (index, feed) in source.grants.feed.iter().enumerate() {
            if !known.contains(feed) {
                checks.unknown(
                    &format!("/plugins/{}/grants/feed/{index}", escape(name)),
                    "feed",
                    feed,
                    known,
                );
            }
        }
    }
}

fn rows(checks: &mut Checks<'_>, at: &str, path: &Path) -> Option<Rows> {
    let parse = match path.extension().and_then(|extension| extension.to_str()) {
        Some("csv") => Rows::from_csv,
        Some("jsonl") => Rows::from_json_lines,
        _ => {
            let message = format!("{} is no file of rows by its name", path.display());
            checks.refuse(at, message, "a feed is a .csv or a .jsonl file");
            return None;
        }
    };
    let text = match text_of(path, FEED) {
        Ok(text) => text,
        Err(problem) => {
            checks.refuse(at, problem, "a feed is UTF-8 text of at most 64 MiB");
            return None;
        }
    };
    // Some editors begin a file with a mark that means nothing.
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    match parse(text) {
        Ok(rows) => Some(rows),
        Err(Mistake { at: byte, message, help }) => {
            let (line, column) = position(text.as_bytes(), byte);
            checks.refuse(at, format!("{}:{line}:{column}: {message}", path.display()), help);
            None
        }
    }
}
