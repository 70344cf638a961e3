//! Nodes: whether they are ready and take pods.

use std::collections::HashMap;

use k8s_openapi::api::core::v1::Node;

use super::Book;
use crate::{
    environment::kubernetes::view,
    observe::{Fact, Severity, Stream},
};

/// Ready and schedulable, as told last, by uid.
#[derive(Default)]
pub(super) struct Nodes(HashMap<String, (String, bool, bool)>);

impl Book for Nodes {
    type Object = Node;
    const OBJECTS: &'static str = "nodes";

    fn there(&mut self, object: &Node, _: bool, stream: &Stream) {
        let node = view::node(object);
        let uid = object.metadata.uid.clone().unwrap_or_default();
        let now = (node.name.clone(), node.ready, node.schedulable);
        let Some((_, ready, schedulable)) = self.0.insert(uid, now) else { return };
        if ready != node.ready {
            tell(stream, &node.name, if node.ready { "is ready" } else { "is not ready" });
        }
        if schedulable != node.schedulable {
            tell(
                stream,
                &node.name,
                if node.schedulable { "takes pods again" } else { "takes no more pods" },
            );
        }
    }

    fn gone(&mut self, uid: &str, stream: &Stream) {
        if let Some((name, ..)) = self.0.remove(uid) {
            tell(stream, &name, "is no longer part of the cluster");
        }
    }

    fn known(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }
}

fn tell(stream: &Stream, node: &str, what: &str) {
    let (source, message) = (format!("node {node}"), format!("node {node} {what}"));
    stream.tell(Fact::Finding { source, severity: Severity::Note, message });
}
