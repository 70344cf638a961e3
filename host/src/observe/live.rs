//! What is known while the run goes on.

use std::{
    io,
    ops::Deref,
    sync::{Arc, PoisonError, RwLock},
    thread,
};

use tokio::sync::watch;

use super::{Observations, Stream};

/// Observations that follow a stream, on a thread of their own. Clones show the same ones.
#[derive(Debug, Clone)]
pub struct Live {
    known: Arc<RwLock<Observations>>,
    /// How many of the stream's events are in `known`, earlier ones that it never saw included.
    applied: watch::Receiver<u64>,
    stream: Stream,
}

impl Live {
    /// Follows a stream from now on, until it is closed.
    pub fn follow(stream: &Stream) -> io::Result<Self> {
        let known = Arc::new(RwLock::new(Observations::default()));
        let (mut events, told) = stream.subscribe_at();
        let (applied, progress) = watch::channel(told);
        let writer = known.clone();
        thread::Builder::new().name("observations".to_owned()).spawn(move || {
            let mut count = told;
            while let Some(event) = events.blocking_recv() {
                let mut known = writer.write().unwrap_or_else(PoisonError::into_inner);
                known.apply(&event);
                count += 1;
                // What has piled up is taken in under the same lock.
                while let Ok(event) = events.try_recv() {
                    known.apply(&event);
                    count += 1;
                }
                drop(known);
                applied.send_replace(count);
            }
        })?;
        Ok(Self { known, applied: progress, stream: stream.clone() })
    }

    /// What is known now. Hold it briefly: while it is held, nothing new gets in.
    pub fn observations(&self) -> impl Deref<Target = Observations> + '_ {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known now, to keep: for assertions, which may take their time.
    pub fn snapshot(&self) -> Arc<Observations> {
        Arc::new(self.observations().clone())
    }

    /// Waits until everything is taken in that was told before this call.
    pub async fn caught_up(&self) {
        let told = self.stream.told();
        // An error means that the stream was closed and its last event taken in.
        let _ = self.applied.clone().wait_for(|applied| *applied >= told).await;
    }

    /// The stream that it follows.
    pub fn stream(&self) -> &Stream {
        &self.stream
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::{Clock, Fact, Stage};

    #[tokio::test]
    async fn is_caught_up_with_all_that_was_told() {
        let stream = Stream::new(Clock::start());
        stream.tell(Fact::StageStarted { stage: Stage::Preflight });
        let live = Live::follow(&stream).unwrap();
        for _ in 0..1000 {
            stream.tell(Fact::StageStarted { stage: Stage::Load });
        }
        live.caught_up().await;
        assert_eq!(live.observations().stages().len(), 1000);
        stream.close();
        live.caught_up().await;
        assert_eq!(live.snapshot().stages().len(), 1000);
    }
}
