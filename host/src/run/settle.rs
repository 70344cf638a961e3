//! The time after the load: nothing is asked but by the probe.

use std::time::Duration;

use crate::{
    config::RunConfig,
    environment::Environment,
    faults::wait_probed,
    observe::{Fact, Live, Severity, Stream},
};

/// Waits until the target is whole again and, if a probe is there to see it, steady; no longer than
/// the config allows. What did not come in time is told.
pub(crate) async fn settle(
    config: &RunConfig,
    environment: &dyn Environment,
    probed: bool,
    live: &Live,
    stream: &Stream,
) {
    let warn = |message: String| {
        let (source, severity) = ("settle".to_owned(), Severity::Warning);
        stream.tell(Fact::Finding { source, severity, message });
    };
    let (begun, at_most) = (stream.clock().now(), config.settle.at_most);
    if let Err(error) = environment.wait_ready(at_most).await {
        warn(format!("the target did not become whole again: {error}"));
    }
    if probed {
        let spent = Duration::from_nanos(stream.clock().now().saturating_sub(begun));
        let left = at_most.saturating_sub(spent);
        if let Err(because) = wait_probed(&config.steady, live, stream, begun, left).await {
            warn(format!("the probe did not see the target steady: {because}"));
        }
    }
}
