//! Whose turn it is.
//!
//! A fault is due at a moment of its own, or some time after another one is over. How each of them ended
//! is known to all, so that those who wait for one another need not be told apart from the others.

use std::collections::BTreeMap;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::strike::Armed;
use crate::{
    config::{FaultConfig, Moment},
    observe::{Clock, Nanos, nanos},
};

/// Why a fault did not strike whose moment never came.
const LOAD_ENDED: &str = "the load ended before its moment";

/// A fault and its moment.
pub struct Planned {
    pub config: FaultConfig,
    /// After the load's start; the earliest, where it waits for another fault.
    pub at: Nanos,
    pub armed: Armed,
}

/// When a fault was over, or why it never will be.
pub(super) type Ending = Result<Nanos, String>;

/// Knows when faults are due.
pub(super) struct Turns {
    endings: watch::Sender<BTreeMap<String, Ending>>,
    clock: Clock,
    load_started: Nanos,
    stop: CancellationToken,
}

impl Turns {
    pub(super) fn new(clock: Clock, load_started: Nanos, stop: CancellationToken) -> Self {
        Self { endings: watch::Sender::default(), clock, load_started, stop }
    }

    /// How a fault ended, for those that wait for it.
    pub(super) fn ended(&self, fault: &str, ending: Ending) {
        self.endings.send_modify(|endings| drop(endings.insert(fault.to_owned(), ending)));
    }

    /// Waits for the first of these whose turn comes, and takes it out; with it comes why it must not
    /// strike, if so. Nothing once none is left.
    pub(super) async fn next(&self, waiting: &mut Vec<Planned>) -> Option<(Planned, Result<(), String>)> {
        let mut news = self.endings.subscribe();
        while !waiting.is_empty() {
            let (index, due) = self.first(waiting, &news.borrow_and_update());
            let come = async {
                match &due {
                    Some(Ok(at)) => tokio::time::sleep_until(self.clock.instant(*at).into()).await,
                    Some(Err(_)) => {}
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = self.stop.cancelled() => {
                    return Some((waiting.remove(index), Err(LOAD_ENDED.to_owned())));
                }
                () = come => return due.map(|due| (waiting.remove(index), due.map(drop))),
                _ = news.changed() => {}
            }
        }
        None
    }

    /// The place of the one that is due first, and when that is, as far as it is known of any.
    fn first(&self, waiting: &[Planned], endings: &BTreeMap<String, Ending>) -> (usize, Option<Ending>) {
        let known = waiting.iter().enumerate().filter_map(|(index, fault)| {
            let due = self.due(fault, endings)?;
            Some((index, due))
        });
        let first = known.min_by_key(|(_, due)| due.as_ref().map_or(0, |at| *at));
        first.map_or((0, None), |(index, due)| (index, Some(due)))
    }

    fn due(&self, fault: &Planned, endings: &BTreeMap<String, Ending>) -> Option<Ending> {
        match &fault.config.moment {
            Moment::In { .. } => Some(Ok(self.load_started.saturating_add(fault.at))),
            Moment::After { fault, offset } => {
                let over = endings.get(fault)?.clone();
                Some(over.map(|over| over.saturating_add(nanos(*offset))))
            }
        }
    }
}
