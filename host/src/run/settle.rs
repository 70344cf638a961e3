//! The time after the load: nothing is asked but by the probe.

use std::time::Duration;

use crate::{
    config::RunConfig,
    environment::Environment,
    faults::wait_probed,
    observe::{Fact, Live, Severity, Stream},
};

/// How often assertions are asked whether they have their answer.
const ASK: Duration = Duration::from_secs(2);

/// Waits until the target is whole again and, if a probe is there to see it, steady, and until nothing is `awaited`
/// any more that only time can decide; no longer than the config allows. What did not come in time is told.
pub(crate) async fn settle(
    config: &RunConfig,
    environment: &dyn Environment,
    probed: bool,
    awaited: impl AsyncFn() -> Vec<String>,
    live: &Live,
    stream: &Stream,
) {
    let warn = |message: String| {
        let (source, severity) = ("settle".to_owned(), Severity::Warning);
        stream.tell(Fact::Finding { source, severity, message });
    };
    let (begun, at_most) = (stream.clock().now(), config.settle.at_most);
    let left = || {
        let spent = Duration::from_nanos(stream.clock().now().saturating_sub(begun));
        at_most.saturating_sub(spent)
    };
    if let Err(error) = environment.wait_ready(at_most).await {
        warn(format!("the target did not become whole again: {error}"));
    }
    if probed && let Err(because) = wait_probed(&config.steady, live, stream, begun, left()).await {
        warn(format!("the probe did not see the target steady: {because}"));
    }
    loop {
        let awaited = awaited().await;
        if awaited.is_empty() {
            return;
        }
        if left().is_zero() {
            let promises = awaited.join(", ");
            warn(format!(
                "there was no more time to wait for: {promises}; `[settle] at-most` is {at_most:?}"
            ));
            return;
        }
        tokio::time::sleep(ASK.min(left())).await;
    }
}
