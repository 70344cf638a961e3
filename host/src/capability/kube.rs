//! Raw objects of a Kubernetes API: checks the grant, journals the inverse, then acts.

use std::sync::Arc;

use assay_bindings::imports::{
    kube::{Host, ObjectReference as Wanted},
    types::Failure,
};
use serde_json::Value;

use super::{
    failure::from_environment,
    reach::{Reach, selector},
    view::With,
};
use crate::environment::{Inverse, ObjectReference, Objects, inverse_patch};

/// Longest patch or object that is sent.
const LONGEST: usize = 256 << 10;

type Answer = wasmtime::Result<Result<String, Failure>>;

impl Host for With<'_, Arc<Reach>> {
    async fn get(&mut self, object: Wanted) -> Answer {
        Ok(self.own.object(reference(object)).await)
    }

    async fn find(&mut self, object: Wanted, wanted: String) -> Answer {
        Ok(self.own.find(ObjectReference { name: String::new(), ..reference(object) }, &wanted).await)
    }

    async fn patch(&mut self, object: Wanted, patch: String) -> Answer {
        Ok(self.own.patch(reference(object), &patch).await)
    }

    async fn create(&mut self, object: String) -> Answer {
        Ok(self.own.create(&object).await)
    }
}

fn reference(object: Wanted) -> ObjectReference {
    ObjectReference { api_version: object.api_version, kind: object.kind, name: object.name }
}

impl Reach {
    fn objects(&self) -> Result<&dyn Objects, Failure> {
        self.environment.objects().ok_or_else(|| {
            let kind = self.environment.kind();
            Failure::Unsupported(format!("environment '{kind}' has no Kubernetes API"))
        })
    }

    async fn object(&self, object: ObjectReference) -> Result<String, Failure> {
        let objects = self.objects()?;
        self.kube.check(&object)?;
        named(&object)?;
        objects.get(&object).await.map(|found| found.to_string()).map_err(from_environment)
    }

    async fn find(&self, kind: ObjectReference, wanted: &str) -> Result<String, Failure> {
        let objects = self.objects()?;
        self.kube.check(&kind)?;
        let found = objects.find(&kind, &selector(wanted)?).await.map_err(from_environment)?;
        Ok(Value::Array(found).to_string())
    }

    async fn patch(&self, object: ObjectReference, patch: &str) -> Result<String, Failure> {
        let objects = self.objects()?;
        self.ensure_may_change("patch")?;
        self.kube.check(&object)?;
        named(&object)?;
        let patch = json(patch)?;
        if !patch.is_object() {
            return Err(Failure::Invalid("a merge patch is a JSON object".to_owned()));
        }
        let now = objects.get(&object).await.map_err(from_environment)?;
        let before = inverse_patch(&patch, &now);
        self.journal(&Inverse::Patch { object: object.clone(), before }).await?;
        objects.patch(&object, &patch).await.map(|patched| patched.to_string()).map_err(from_environment)
    }

    async fn create(&self, object: &str) -> Result<String, Failure> {
        let objects = self.objects()?;
        self.ensure_may_change("create")?;
        let new = json(object)?;
        let text =
            |pointer: &str| new.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let reference = ObjectReference {
            api_version: text("/apiVersion"),
            kind: text("/kind"),
            name: text("/metadata/name"),
        };
        self.kube.check(&reference)?;
        named(&reference)?;
        self.journal(&Inverse::Delete { object: reference }).await?;
        objects.create(&new).await.map(|created| created.to_string()).map_err(from_environment)
    }
}

fn named(object: &ObjectReference) -> Result<(), Failure> {
    match object.name.is_empty() {
        true => Err(Failure::Invalid(format!("{object} has no name"))),
        false => Ok(()),
    }
}

fn json(text: &str) -> Result<Value, Failure> {
    if text.len() > LONGEST {
        return Err(Failure::Invalid(format!("{} bytes; at most {LONGEST} are allowed", text.len())));
    }
    serde_json::from_str(text).map_err(|error| Failure::Invalid(format!("it is no JSON: {error}")))
}
