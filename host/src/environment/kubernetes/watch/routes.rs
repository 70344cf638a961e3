//! Where services lead: which of their instances are given traffic.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use k8s_openapi::api::discovery::v1::{Endpoint, EndpointSlice};

use super::Book;
use crate::observe::{Fact, Stream};

/// Says whose slice it is.
const SERVICE: &str = "kubernetes.io/service-name";

/// The slices that are there, by uid, and what was told of their services.
#[derive(Default)]
pub(super) struct Routes {
    slices: HashMap<String, (String, BTreeSet<String>)>,
    told: BTreeMap<String, BTreeSet<String>>,
}

impl Book for Routes {
    type Object = EndpointSlice;
    const OBJECTS: &'static str = "endpoint slices";

    fn there(&mut self, slice: &EndpointSlice, baseline: bool, stream: &Stream) {
        let uid = slice.metadata.uid.clone().unwrap_or_default();
        let labels = slice.metadata.labels.as_ref();
        let Some(service) = labels.and_then(|labels| labels.get(SERVICE)).cloned() else { return };
        let ready = slice.endpoints.iter().filter(|endpoint| is_ready(endpoint)).map(name).collect();
        self.slices.insert(uid, (service.clone(), ready));
        self.tell(service, baseline, stream);
    }

    fn gone(&mut self, uid: &str, stream: &Stream) {
        if let Some((service, _)) = self.slices.remove(uid) {
            self.tell(service, false, stream);
        }
    }

    fn known(&self) -> Vec<String> {
        self.slices.keys().cloned().collect()
    }
}

impl Routes {
    fn tell(&mut self, service: String, baseline: bool, stream: &Stream) {
        let of_it = self.slices.values().filter(|(whose, _)| *whose == service);
        let now: BTreeSet<_> = of_it.flat_map(|(_, ready)| ready.iter().cloned()).collect();
        let before = self.told.insert(service.clone(), now.clone());
        if !baseline && before.as_ref() != Some(&now) {
            stream.tell(Fact::Routed { service, instances: now.into_iter().collect() });
        }
    }
}

/// Without a word it is, as the API has it.
fn is_ready(endpoint: &Endpoint) -> bool {
    endpoint.conditions.as_ref().and_then(|conditions| conditions.ready).unwrap_or(true)
}

/// The instance, or the address where none is known.
fn name(endpoint: &Endpoint) -> String {
    let target = endpoint.target_ref.as_ref().and_then(|target| target.name.clone());
    target.or_else(|| endpoint.addresses.first().cloned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::observe::Clock;

    fn slice(uid: &str, ready: &[(&str, bool)]) -> EndpointSlice {
        let endpoint = |(pod, ready): &(&str, bool)| json!({ "addresses": ["10.0.0.1"], "conditions": { "ready": ready }, "targetRef": { "name": pod } });
        let endpoints: Vec<_> = ready.iter().map(endpoint).collect();
        let metadata = json!({ "name": uid, "uid": uid, "labels": { SERVICE: "db" } });
        serde_json::from_value(json!({ "addressType": "IPv4", "metadata": metadata, "endpoints": endpoints }))
            .expect("a slice")
    }

    #[test]
    fn a_service_is_told_when_it_leads_elsewhere() {
        let stream = Stream::new(Clock::start());
        let mut events = stream.subscribe();
        let mut book = Routes::default();
        let mut told = || {
            let event = events.try_recv().ok()?;
            let Fact::Routed { service, instances } = &event.fact else { panic!("{event:?}") };
            Some(format!("{service}: {}", instances.join(", ")))
        };
        book.there(&slice("a", &[("db-0", true), ("db-1", false)]), true, &stream);
        assert_eq!(told(), None);
        book.there(&slice("a", &[("db-0", false), ("db-1", false)]), false, &stream);
        assert_eq!(told().as_deref(), Some("db: "));
        book.there(&slice("b", &[("db-1", true)]), false, &stream);
        assert_eq!(told().as_deref(), Some("db: db-1"));
        book.there(&slice("b", &[("db-1", true)]), false, &stream);
        assert_eq!(told(), None);
        book.gone("b", &stream);
        assert_eq!(told().as_deref(), Some("db: "));
    }
}
