//! The event stream itself: many writers, many readers, nothing lost.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;

use super::{Clock, Event, Fact, Nanos};

/// Where facts are told. Clones tell into the same stream.
#[derive(Debug, Clone)]
pub struct Stream {
    clock: Clock,
    readers: Arc<Mutex<Readers>>,
}

#[derive(Debug, Default)]
struct Readers {
    senders: Vec<mpsc::UnboundedSender<Arc<Event>>>,
    /// How many events were told.
    told: u64,
}

/// A reader's end: every event told after it subscribed, in one order that all readers share.
pub type Subscription = mpsc::UnboundedReceiver<Arc<Event>>;

impl Stream {
    /// An empty stream on the run's clock.
    pub fn new(clock: Clock) -> Self {
        Self { clock, readers: Arc::default() }
    }

    /// The run's clock.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// Tells a fact that is true now.
    pub fn tell(&self, fact: Fact) {
        self.tell_at(self.clock.now(), fact);
    }

    /// Tells a fact that became true at `at`, which may lie a little back.
    pub fn tell_at(&self, at: Nanos, fact: Fact) {
        let event = Arc::new(Event { at, fact });
        // One lock for all readers keeps one order for all of them.
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        readers.told += 1;
        readers.senders.retain(|reader| reader.send(event.clone()).is_ok());
    }

    /// Reads from now on.
    pub fn subscribe(&self) -> Subscription {
        self.subscribe_at().0
    }

    /// Reads from now on, and says how many events were told before.
    pub(super) fn subscribe_at(&self) -> (Subscription, u64) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        readers.senders.push(sender);
        (receiver, readers.told)
    }

    /// How many events were told.
    pub(super) fn told(&self) -> u64 {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner).told
    }

    /// Ends the stream: readers get what was told so far, and then the end.
    pub fn close(&self) {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner).senders.clear();
    }
}
