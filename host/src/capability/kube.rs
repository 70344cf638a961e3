//! Raw objects of a Kubernetes API. No environment of this host has one yet, and each call says so.

use std::sync::Arc;

use assay_bindings::imports::{
    kube::{Host, ObjectReference},
    types::Failure,
};

use super::{reach::Reach, view::With};

type Answer = wasmtime::Result<Result<String, Failure>>;

impl With<'_, Arc<Reach>> {
    fn unsupported(&self) -> Answer {
        let kind = self.own.environment.kind();
        Ok(Err(Failure::Unsupported(format!("environment '{kind}' has no Kubernetes API"))))
    }
}

impl Host for With<'_, Arc<Reach>> {
    async fn get(&mut self, _: ObjectReference) -> Answer {
        self.unsupported()
    }

    async fn find(&mut self, _: ObjectReference, _: String) -> Answer {
        self.unsupported()
    }

    async fn patch(&mut self, _: ObjectReference, _: String) -> Answer {
        self.unsupported()
    }

    async fn create(&mut self, _: String) -> Answer {
        self.unsupported()
    }
}
