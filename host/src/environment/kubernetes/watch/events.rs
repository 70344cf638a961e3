//! What controllers complain of.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::Event;

use super::Book;
use crate::observe::{Fact, Severity, Stream};

/// Complaints that were told: what they are about, and why.
#[derive(Default)]
pub(super) struct Events(BTreeSet<(String, String)>);

impl Book for Events {
    type Object = Event;
    const OBJECTS: &'static str = "events";

    /// Each reason once for each object: an event that comes again only counts up.
    fn there(&mut self, event: &Event, baseline: bool, stream: &Stream) {
        if event.type_.as_deref() != Some("Warning") {
            return;
        }
        let about = &event.involved_object;
        let kind = about.kind.as_deref().unwrap_or_default().to_lowercase();
        let source = format!("{kind} {}", about.name.as_deref().unwrap_or_default());
        let reason = event.reason.clone().unwrap_or_default();
        // What was there before the watch is older than the run.
        if self.0.insert((source.clone(), reason.clone())) && !baseline {
            let message =
                format!("{source}: {reason}: {}", event.message.as_deref().unwrap_or_default().trim());
            stream.tell(Fact::Finding { source, severity: Severity::Note, message });
        }
    }

    fn gone(&mut self, _: &str, _: &Stream) {}

    fn known(&self) -> Vec<String> {
        Vec::new()
    }
}
