//! Raw objects of a Kubernetes API, for custom resources. In the lab every call is `unsupported`.
//!
//! What can be said in portable terms belongs into [`crate::cluster`].

use serde_json::Value;

pub use crate::bindings::imports::kube::ObjectReference;
use crate::failure::Result;
use crate::host;

impl ObjectReference {
    /// `ObjectReference::new("postgresql.cnpg.io/v1", "Cluster", "shop")`.
    pub fn new(
        api_version: impl Into<String>,
        kind: impl Into<String>,
        name: impl Into<String>,
    ) -> ObjectReference {
        ObjectReference { api_version: api_version.into(), kind: kind.into(), name: name.into() }
    }
}

/// Reads one object.
///
/// # Errors
///
/// `unsupported` in the lab, `denied` without a grant, `not-found`.
pub fn get(object: &ObjectReference) -> Result<Value> {
    Ok(serde_json::from_str(&host::kube::get(object)?)?)
}

/// Reads all objects of a kind that a label selector chooses.
///
/// # Errors
///
/// `unsupported` in the lab, `denied` without a grant, `invalid` for a bad selector.
pub fn find(api_version: &str, kind: &str, selector: &str) -> Result<Vec<Value>> {
    let object = ObjectReference::new(api_version, kind, "");
    Ok(serde_json::from_str(&host::kube::find(&object, selector)?)?)
}

/// Applies a JSON merge patch, and answers the object as it is now. The host puts the fields back
/// as they were.
///
/// # Errors
///
/// `unsupported` in the lab, `denied` without a grant, `not-found`, `invalid`, `conflict`.
pub fn patch(object: &ObjectReference, patch: &Value) -> Result<Value> {
    Ok(serde_json::from_str(&host::kube::patch(object, &patch.to_string())?)?)
}

/// Creates an object, and answers it. The host deletes it again.
///
/// # Errors
///
/// `unsupported` in the lab, `denied` without a grant, `invalid`, `conflict` if it exists.
pub fn create(object: &Value) -> Result<Value> {
    Ok(serde_json::from_str(&host::kube::create(&object.to_string())?)?)
}
