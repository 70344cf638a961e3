//! Rows of data that the users share, and which of them is next.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use assay_bindings::imports::types::Failure;

use crate::{
    capability::ports,
    config::{FeedConfig, FeedOrder, Rows},
};

/// The feeds of one run. The rows are held once, whoever reads them.
#[derive(Debug, Default)]
pub struct RunFeeds(BTreeMap<String, Feed>);

#[derive(Debug)]
struct Feed {
    rows: Arc<Rows>,
    order: FeedOrder,
    /// Rows given out so far, where they come in order.
    given: AtomicU64,
}

impl RunFeeds {
    /// All at their beginning.
    pub fn new(configs: &BTreeMap<String, FeedConfig>) -> Self {
        let feed = |config: &FeedConfig| Feed {
            rows: config.rows.clone(),
            order: config.order,
            given: AtomicU64::new(0),
        };
        Self(configs.iter().map(|(name, config)| (name.clone(), feed(config))).collect())
    }
}

impl ports::Feeds for RunFeeds {
    fn next(&self, feed: &str, place: u64, draw: &mut dyn FnMut() -> u64) -> Result<String, Failure> {
        let Some(Feed { rows, order, given }) = self.0.get(feed) else {
            return Err(Failure::NotFound(format!("this run has no feed '{feed}'")));
        };
        let count = rows.len() as u64;
        let index = match order {
            FeedOrder::Sequential => given.fetch_add(1, Ordering::Relaxed) % count.max(1),
            // The high half of the product is uniform but for a bias below count / 2^64.
            FeedOrder::Random => ((u128::from(draw()) * u128::from(count)) >> 64) as u64,
            FeedOrder::Unique => place,
        };
        let row = usize::try_from(index).ok().and_then(|index| rows.get(index));
        row.map(str::to_owned).ok_or_else(|| {
            Failure::NotFound(format!(
                "the feed '{feed}' has {count} rows and is unique; this user would need row {}, because so \
                 many users live at once",
                place.saturating_add(1)
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{capability::ports::Feeds as _, config::feed_for_tests};

    fn feeds(order: FeedOrder) -> RunFeeds {
        RunFeeds::new(&BTreeMap::from([("words".to_owned(), feed_for_tests("word\na\nb\nc\n", order))]))
    }

    /// The words that a user at this place gets.
    fn words(feeds: &RunFeeds, place: u64, mut draw: impl FnMut() -> u64, count: usize) -> String {
        let next = |_| {
            let row = feeds.next("words", place, &mut draw).expect("a row");
            row.strip_prefix("{\"word\":\"").and_then(|row| row.chars().next()).expect("a word")
        };
        (0..count).map(next).collect()
    }

    #[test]
    fn in_sequence_users_share_one_row_of_rows() {
        let feeds = feeds(FeedOrder::Sequential);
        let never = || panic!("nothing is drawn");
        assert_eq!(words(&feeds, 7, never, 2), "ab");
        assert_eq!(words(&feeds, 0, never, 3), "cab");
    }

    #[test]
    fn at_random_every_row_is_drawn_and_none_beyond() {
        let feeds = feeds(FeedOrder::Random);
        let mut drawn = [0, u64::MAX / 3 + 1, u64::MAX, 1].into_iter();
        assert_eq!(words(&feeds, 0, || drawn.next().expect("one more"), 4), "abca");
    }

    #[test]
    fn uniquely_each_place_has_its_own() {
        let feeds = feeds(FeedOrder::Unique);
        let never = || panic!("nothing is drawn");
        assert_eq!(words(&feeds, 2, never, 3), "ccc");
        assert_eq!(words(&feeds, 0, never, 2), "aa");
        for beyond in [3, u64::MAX] {
            let refused = feeds.next("words", beyond, &mut || 0).expect_err("no row is left");
            assert!(
                matches!(&refused, Failure::NotFound(text) if text.contains("has 3 rows")),
                "{refused:?}"
            );
        }
        let unknown = feeds.next("other", 0, &mut || 0).expect_err("there is none");
        assert!(matches!(unknown, Failure::NotFound(_)));
    }
}
