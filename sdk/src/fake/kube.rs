//! The fake's Kubernetes objects.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{FakeHost, record, with};
use crate::bindings::imports::kube::ObjectReference;
use crate::failure::{Failure, Result};

#[derive(Default)]
pub(super) struct World {
    /// By kind and name.
    objects: BTreeMap<(String, String), Value>,
}

impl FakeHost {
    /// Puts an object there, by its `kind` and `metadata.name`.
    pub fn object(&self, object: Value) {
        with(|world| world.kube.objects.insert(key_of(&object), object));
    }
}

fn key_of(object: &Value) -> (String, String) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (text(&object["kind"]), text(&object["metadata"]["name"]))
}

fn not_found(object: &ObjectReference) -> Failure {
    Failure::NotFound(format!("{} {}", object.kind, object.name))
}

pub(crate) fn get(object: &ObjectReference) -> Result<String> {
    record(format!("kube.get {} {}", object.kind, object.name));
    let key = (object.kind.clone(), object.name.clone());
    with(|world| world.kube.objects.get(&key).map(Value::to_string)).ok_or_else(|| not_found(object))
}

/// Finds all of the kind: selectors are not looked at.
pub(crate) fn find(object: &ObjectReference, selector: &str) -> Result<String> {
    record(format!("kube.find {} {selector}", object.kind));
    let found: Vec<Value> = with(|world| {
        let objects = world.kube.objects.iter();
        objects.filter(|((kind, _), _)| *kind == object.kind).map(|(_, value)| value.clone()).collect()
    });
    Ok(Value::Array(found).to_string())
}

pub(crate) fn patch(object: &ObjectReference, patch: &str) -> Result<String> {
    record(format!("kube.patch {} {} {patch}", object.kind, object.name));
    let patch: Value = serde_json::from_str(patch)?;
    let key = (object.kind.clone(), object.name.clone());
    with(|world| {
        let there = world.kube.objects.get_mut(&key).ok_or_else(|| not_found(object))?;
        merge(there, &patch);
        Ok(there.to_string())
    })
}

pub(crate) fn create(object: &str) -> Result<String> {
    let value: Value = serde_json::from_str(object)?;
    let key = key_of(&value);
    record(format!("kube.create {} {}", key.0, key.1));
    with(|world| match world.kube.objects.contains_key(&key) {
        true => Err(Failure::Conflict(format!("{} {} exists", key.0, key.1))),
        false => {
            world.kube.objects.insert(key, value);
            Ok(object.to_owned())
        }
    })
}

/// A JSON merge patch, RFC 7396.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(fields) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    if let Value::Object(there) = target {
        for (key, value) in fields {
            match value {
                Value::Null => {
                    there.remove(key);
                }
                value => merge(there.entry(key.clone()).or_insert(Value::Null), value),
            }
        }
    }
}
