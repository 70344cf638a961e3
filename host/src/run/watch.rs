//! Reads usage once a second while a run lasts.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use crate::{
    environment::{Environment, Selector},
    observe::{Fact, Severity, Stream},
};

/// Tells a reading of everything a second, until stopped. What cannot be read is said once.
pub(crate) async fn usage(environment: Arc<dyn Environment>, stream: Stream, stop: CancellationToken) {
    let everything = Selector::everything();
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let mut failing = false;
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        match environment.usage(&everything).await {
            Ok(readings) => {
                failing = false;
                if !readings.is_empty() {
                    stream.tell(Fact::Usage { readings });
                }
            }
            Err(error) if !failing => {
                failing = true;
                let (source, severity) = ("usage".to_owned(), Severity::Warning);
                stream.tell(Fact::Finding { source, severity, message: format!("cannot be read: {error}") });
            }
            Err(_) => {}
        }
    }
}
