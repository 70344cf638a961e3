//! The fake's feeds.

use std::collections::HashMap;

use serde_json::Value;

use super::{FakeHost, record, with};
use crate::failure::{Failure, Result};

/// Rows by feed, each with how many were given out.
#[derive(Default)]
pub(super) struct World(HashMap<String, (Vec<Value>, usize)>);

impl FakeHost {
    /// Fills a feed with rows, in place of those it had. They come in order, after the last the
    /// first again.
    pub fn feed(&self, name: &str, rows: impl IntoIterator<Item = Value>) {
        with(|world| world.feed.0.insert(name.to_owned(), (rows.into_iter().collect(), 0)));
    }
}

pub(crate) fn next(feed: &str) -> Result<String> {
    record(format!("feed.next {feed}"));
    with(|world| {
        let (rows, given) = world.feed.0.get_mut(feed)?;
        let row = rows.get(*given % rows.len().max(1))?;
        *given += 1;
        Some(row.to_string())
    })
    .ok_or_else(|| Failure::NotFound(format!("there is no row of a feed '{feed}'")))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;
    use crate::feed;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Word {
        word: String,
    }

    #[test]
    fn rows_come_in_order_and_wrap() {
        let host = FakeHost::start();
        host.feed("words", ["ring", "pearl"].map(|word| json!({ "word": word })));
        let words: Vec<Word> = (0..3).map(|_| feed::next("words").expect("a row")).collect();
        assert_eq!(words.iter().map(|row| row.word.as_str()).collect::<Vec<_>>(), ["ring", "pearl", "ring"]);
        assert_eq!(host.calls(), ["feed.next words"; 3]);
    }

    #[test]
    fn what_is_not_there_and_what_does_not_fit_are_told_apart() {
        let host = FakeHost::start();
        host.feed("none", []);
        host.feed("numbers", [json!({ "word": 1 })]);
        for missing in ["none", "unknown"] {
            assert!(matches!(feed::next::<Word>(missing), Err(Failure::NotFound(_))), "{missing}");
        }
        let Err(Failure::Invalid(text)) = feed::next::<Word>("numbers") else { panic!("it does not fit") };
        assert!(text.starts_with("a row of the feed 'numbers' does not fit: invalid type"), "{text}");
    }
}
