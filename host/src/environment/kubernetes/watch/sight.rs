//! When the cluster cannot be seen, and when it can be again.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use kube::Client;
use tokio::time::Instant;

use crate::observe::{Fact, Stream};

/// How often the API server is asked whether it is back.
const LOOK: Duration = Duration::from_millis(500);

/// For so long no watch may break off before all of them count as restored: several times the pause
/// after which a broken one is made again.
const CALM: Duration = Duration::from_secs(2);

/// Longest that one question may take.
const ANSWERED_WITHIN: Duration = Duration::from_secs(3);

/// What all watches know of each other.
pub(super) struct Sight {
    stream: Stream,
    /// When a watch broke off last, while the cluster cannot be seen.
    broken: Mutex<Option<Instant>>,
}

impl Sight {
    pub(super) fn new(stream: Stream) -> Self {
        Self { stream, broken: Mutex::new(None) }
    }

    /// A watch broke off, or could not be made again.
    pub(super) fn lose(&self, objects: &str, because: &str) {
        let mut broken = self.broken.lock().unwrap_or_else(PoisonError::into_inner);
        if broken.replace(Instant::now()).is_none() {
            self.stream
                .tell(Fact::SightLost { because: format!("the watch of {objects} broke off: {because}") });
        }
    }

    fn is_lost(&self) -> bool {
        self.broken.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// The server answers; that is enough if no watch has complained of late.
    fn answered(&self, now: Instant) {
        let mut broken = self.broken.lock().unwrap_or_else(PoisonError::into_inner);
        if broken.is_some_and(|last| now.saturating_duration_since(last) >= CALM) {
            *broken = None;
            self.stream.tell(Fact::SightRegained);
        }
    }
}

/// Asks whether the server is back, while it is away.
pub(super) async fn recover(sight: Arc<Sight>, client: Client) {
    loop {
        tokio::time::sleep(LOOK).await;
        if sight.is_lost()
            && let Ok(Ok(_)) = tokio::time::timeout(ANSWERED_WITHIN, client.apiserver_version()).await
        {
            sight.answered(Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::Clock;

    #[test]
    fn a_blind_span_is_told_once_however_many_watches_break_off() {
        let stream = Stream::new(Clock::start());
        let mut events = stream.subscribe();
        let sight = Sight::new(stream);
        sight.lose("pods", "gone");
        sight.lose("nodes", "gone");
        sight.answered(Instant::now());
        assert!(sight.is_lost(), "a watch complained just now");
        let later = Instant::now() + CALM;
        sight.answered(later);
        sight.answered(later);
        let mut told = Vec::new();
        while let Ok(event) = events.try_recv() {
            told.push(event.fact.clone());
        }
        let because = "the watch of pods broke off: gone".to_owned();
        assert_eq!(told, [Fact::SightLost { because }, Fact::SightRegained]);
    }
}
