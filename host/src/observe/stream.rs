//! The event stream itself: many writers, many readers, nothing lost.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;

use super::{Clock, Event, Fact, Nanos};

/// Where facts are told. Clones tell into the same stream.
#[derive(Debug, Clone)]
pub struct Stream {
    clock: Clock,
    readers: Arc<Mutex<Vec<mpsc::UnboundedSender<Arc<Event>>>>>,
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
        readers.retain(|reader| reader.send(event.clone()).is_ok());
    }

    /// Reads from now on.
    pub fn subscribe(&self) -> Subscription {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.readers.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
        receiver
    }

    /// Ends the stream: readers get what was told so far, and then the end.
    pub fn close(&self) {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
