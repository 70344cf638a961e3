//! Raw objects of an API that environments of one kind have: custom resources, for instance.

use std::str::FromStr;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Result, Selector};

/// An object, or with an empty name a kind of objects, as its API names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ObjectReference {
    /// As in `apps/v1`.
    pub api_version: String,
    /// As in `Deployment`.
    pub kind: String,
    pub name: String,
}

impl std::fmt::Display for ObjectReference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.api_version, self.kind)?;
        match self.name.is_empty() {
            true => Ok(()),
            false => write!(f, "/{}", self.name),
        }
    }
}

/// What a plugin may reach of an API: a kind, or one object of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectGrant(ObjectReference);

impl ObjectGrant {
    /// Is that granted? A grant of one object does not cover its kind.
    pub fn covers(&self, object: &ObjectReference) -> bool {
        let Self(granted) = self;
        granted.api_version == object.api_version
            && granted.kind == object.kind
            && (granted.name.is_empty() || granted.name == object.name)
    }

    /// What was granted.
    pub fn object(&self) -> &ObjectReference {
        &self.0
    }
}

impl FromStr for ObjectGrant {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let parts: Vec<_> = text.split('/').collect();
        let reference = |api_version: String, kind: &str, name: &str| {
            let (kind, name) = (kind.to_owned(), name.to_owned());
            Self(ObjectReference { api_version, kind, name })
        };
        // Groups are domain names, so what looks like a version is one.
        let granted = match parts.as_slice() {
            [version, kind] if is_version(version) => reference((*version).to_owned(), kind, ""),
            [version, kind, name] if is_version(version) => reference((*version).to_owned(), kind, name),
            [group, version, kind] if is_version(version) => {
                reference(format!("{group}/{version}"), kind, "")
            }
            [group, version, kind, name] if is_version(version) => {
                reference(format!("{group}/{version}"), kind, name)
            }
            _ => return Err(format!("`{text}` is not a kind of objects")),
        };
        match granted.0.kind.starts_with(|first: char| first.is_ascii_uppercase()) {
            true => Ok(granted),
            false => Err(format!("`{}` is not a kind: kinds begin with a capital letter", granted.0.kind)),
        }
    }
}

/// `v1`, `v1beta2`.
fn is_version(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('v') else { return false };
    rest.starts_with(|first: char| first.is_ascii_digit())
        && rest.chars().all(|one| one.is_ascii_lowercase() || one.is_ascii_digit())
}

/// The way to raw objects. All of them lie in the environment's own namespace.
#[async_trait]
pub trait Objects: Send + Sync {
    async fn get(&self, object: &ObjectReference) -> Result<Value>;
    async fn find(&self, kind: &ObjectReference, selector: &Selector) -> Result<Vec<Value>>;
    /// A JSON merge patch. Answers the object as it is then.
    async fn patch(&self, object: &ObjectReference, patch: &Value) -> Result<Value>;
    /// Answers the object as it is then, marked as this run's.
    async fn create(&self, object: &Value) -> Result<Value>;
    /// Removes what [`Objects::create`] of the same run made. Succeeds if there is no such object, and
    /// leaves alone one of that name that somebody else made.
    async fn delete(&self, object: &ObjectReference) -> Result<()>;
}

/// The merge patch that gives the fields of another one back what `object` has in them.
pub fn inverse_patch(patch: &Value, object: &Value) -> Value {
    match (patch, object) {
        (Value::Object(patch), Value::Object(object)) => {
            let before = |(key, patched): (&String, &Value)| {
                (key.clone(), object.get(key).map_or(Value::Null, |value| inverse_patch(patched, value)))
            };
            Value::Object(patch.iter().map(before).collect())
        }
        (_, before) => before.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(api_version: &str, kind: &str, name: &str) -> ObjectReference {
        ObjectReference { api_version: api_version.into(), kind: kind.into(), name: name.into() }
    }

    #[test]
    fn grants_are_kinds_or_single_objects() {
        let grant = |text: &str| text.parse::<ObjectGrant>().expect(text);
        assert!(grant("apps/v1/Deployment").covers(&object("apps/v1", "Deployment", "web")));
        assert!(grant("v1/ConfigMap").covers(&object("v1", "ConfigMap", "")));
        assert!(grant("v1/ConfigMap/mine").covers(&object("v1", "ConfigMap", "mine")));
        assert!(!grant("v1/ConfigMap/mine").covers(&object("v1", "ConfigMap", "")));
        assert!(!grant("v1/ConfigMap").covers(&object("v1", "Secret", "x")));
        assert!(grant("example.com/v1beta1/Cluster/a").covers(&object(
            "example.com/v1beta1",
            "Cluster",
            "a"
        )));
        for wrong in ["", "Deployment", "apps/Deployment", "apps/v1", "v1/configmap", "a/v1/B/c/d"] {
            assert!(wrong.parse::<ObjectGrant>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_inverse_gives_back_what_was_there_and_removes_what_was_not() {
        let object = json!({ "spec": { "size": 3, "tags": ["a"], "deep": { "x": 1, "y": 2 } } });
        let patch = json!({ "spec": { "size": 5, "tags": ["b"], "deep": { "x": null }, "new": { "k": 1 } } });
        let before = json!({ "spec": { "size": 3, "tags": ["a"], "deep": { "x": 1 }, "new": null } });
        assert_eq!(inverse_patch(&patch, &object), before);
        // What replaces an object as a whole is undone by what was there as a whole.
        assert_eq!(inverse_patch(&json!({ "spec": null }), &object), json!({ "spec": object["spec"] }));
    }
}
