//! What controllers complain of, and what autoscalers decide.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::Event;

use super::Book;
use crate::observe::{Fact, Severity, Stream};

/// What was told: whom it is about, why, and for a decision how often it was made.
#[derive(Default)]
pub(super) struct Events(BTreeSet<(String, String)>);

impl Book for Events {
    type Object = Event;
    const OBJECTS: &'static str = "events";

    /// Each reason once for each object: a complaint that comes again only counts up.
    fn there(&mut self, event: &Event, baseline: bool, stream: &Stream) {
        let about = &event.involved_object;
        let name = about.name.clone().unwrap_or_default();
        let kind = about.kind.as_deref().unwrap_or_default().to_lowercase();
        let source = format!("{kind} {name}");
        let (reason, message) = (event.reason.clone().unwrap_or_default(), event.message.clone());
        let message = message.unwrap_or_default().trim().to_owned();
        let told = if let Some((size, because)) = rescaled(&reason, &message) {
            let key = format!("{message} ({})", event.count.unwrap_or(1));
            (key, Fact::Rescaled { autoscaler: name, size, because })
        } else if event.type_.as_deref() == Some("Warning") {
            let message = format!("{source}: {reason}: {message}");
            (reason, Fact::Finding { source: source.clone(), severity: Severity::Note, message })
        } else {
            return;
        };
        // What was there before the watch is older than the run.
        if self.0.insert((source, told.0)) && !baseline {
            stream.tell(told.1);
        }
    }

    fn gone(&mut self, _: &str, _: &Stream) {}

    fn known(&self) -> Vec<String> {
        Vec::new()
    }
}

/// The size that a HorizontalPodAutoscaler chose, and why, from its own words.
fn rescaled(reason: &str, message: &str) -> Option<(u32, String)> {
    let words = message.strip_prefix("New size: ").filter(|_| reason == "SuccessfulRescale")?;
    let (size, because) = words.split_once("; reason: ")?;
    Some((size.parse().ok()?, because.to_owned()))
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ObjectReference;

    use super::*;
    use crate::observe::Clock;

    fn event(kind: &str, reason: &str, message: &str, count: i32) -> Event {
        let involved_object =
            ObjectReference { kind: Some(kind.into()), name: Some("web".into()), ..Default::default() };
        let type_ = if kind == "Pod" { "Warning" } else { "Normal" };
        Event {
            involved_object,
            type_: Some(type_.into()),
            reason: Some(reason.into()),
            message: Some(message.into()),
            count: Some(count),
            ..Default::default()
        }
    }

    #[test]
    fn complaints_are_told_once_and_decisions_each_time() {
        let stream = Stream::new(Clock::start());
        let mut told = stream.subscribe();
        let mut events = Events::default();
        let up = "New size: 7; reason: cpu resource utilization (percentage of request) above target";
        let rescaled = |count| event("HorizontalPodAutoscaler", "SuccessfulRescale", up, count);
        events.there(&rescaled(1), true, &stream);
        events.there(&event("Pod", "Unhealthy", "no answer", 1), false, &stream);
        events.there(&event("Pod", "Unhealthy", "no answer", 2), false, &stream);
        events.there(&event("ReplicaSet", "SuccessfulCreate", "Created pod: web-1", 1), false, &stream);
        events.there(&rescaled(2), false, &stream);
        events.there(&rescaled(2), false, &stream);
        let mut facts = Vec::new();
        while let Ok(event) = told.try_recv() {
            facts.push(event.fact.clone());
        }
        let because = "cpu resource utilization (percentage of request) above target".to_owned();
        let complaint = Fact::Finding {
            source: "pod web".to_owned(),
            severity: Severity::Note,
            message: "pod web: Unhealthy: no answer".to_owned(),
        };
        assert_eq!(facts, [complaint, Fact::Rescaled { autoscaler: "web".to_owned(), size: 7, because }]);
    }
}
