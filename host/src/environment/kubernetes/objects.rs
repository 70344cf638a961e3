//! Raw objects of the namespace, whatever their kind.

use async_trait::async_trait;
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api,
    api::{DeleteParams, DynamicObject, ListParams, PostParams, Preconditions},
    core::GroupVersionKind,
    discovery::{self, Scope},
};
use serde_json::Value;

use super::{
    Kubernetes, RUN_LABEL,
    error::{absent_is_fine, ask, merge},
    view,
};
use crate::environment::{EnvironmentError, ObjectReference, Objects, Result, Selector};

impl Kubernetes {
    /// The API of a kind, as the cluster itself names it.
    async fn objects_of(&self, object: &ObjectReference) -> Result<Api<DynamicObject>> {
        let (group, version) = object.api_version.split_once('/').unwrap_or(("", &object.api_version));
        let kind = GroupVersionKind::gvk(group, version, &object.kind);
        let what = format!("{}/{}", object.api_version, object.kind);
        let (resource, capabilities) = ask(&what, discovery::pinned_kind(&self.client, &kind)).await?;
        match capabilities.scope {
            Scope::Namespaced => {
                Ok(Api::namespaced_with(self.client.clone(), &self.config.namespace, &resource))
            }
            Scope::Cluster => Err(EnvironmentError::Unsupported(format!(
                "{what} does not lie in a namespace, and a run reaches nothing beyond its own"
            ))),
        }
    }
}

impl Kubernetes {
    /// A value that the namespace keeps.
    pub async fn secret(&self, name: &str, key: &str) -> Result<String> {
        let what = format!("Secret '{name}'");
        let secret = ask(&what, self.api::<Secret>().get(name)).await?;
        let value = secret.data.unwrap_or_default().remove(key);
        let value = value.ok_or_else(|| EnvironmentError::NotFound(format!("{what} has no key '{key}'")))?;
        String::from_utf8(value.0)
            .map_err(|_| EnvironmentError::Invalid(format!("key '{key}' of {what} is not UTF-8")))
    }
}

#[async_trait]
impl Objects for Kubernetes {
    async fn get(&self, object: &ObjectReference) -> Result<Value> {
        let api = self.objects_of(object).await?;
        as_json(&ask(&object.to_string(), api.get(&object.name)).await?)
    }

    async fn find(&self, kind: &ObjectReference, selector: &Selector) -> Result<Vec<Value>> {
        let api = self.objects_of(kind).await?;
        let found = ask(&kind.to_string(), api.list(&ListParams::default())).await?;
        let matching = found
            .items
            .iter()
            .filter(|one| selector.matches(&view::name(&one.metadata), &view::labels(&one.metadata)));
        matching.map(as_json).collect()
    }

    async fn patch(&self, object: &ObjectReference, patch: &Value) -> Result<Value> {
        let api = self.objects_of(object).await?;
        as_json(&merge(&object.to_string(), &api, &object.name, patch).await?)
    }

    async fn create(&self, object: &Value) -> Result<Value> {
        let mut new: DynamicObject = serde_json::from_value(object.clone())
            .map_err(|error| EnvironmentError::Invalid(format!("it is no object: {error}")))?;
        let labels = new.metadata.labels.get_or_insert_default();
        labels.insert(RUN_LABEL.to_owned(), self.run()?.to_owned());
        let reference = reference(&new)?;
        let api = self.objects_of(&reference).await?;
        as_json(&ask(&reference.to_string(), api.create(&PostParams::default(), &new)).await?)
    }

    async fn delete(&self, object: &ObjectReference) -> Result<()> {
        let api = self.objects_of(object).await?;
        let found = match ask(&object.to_string(), api.get(&object.name)).await {
            Ok(found) => found,
            error => return absent_is_fine(error),
        };
        // Where creating failed because the name was taken, what is there is somebody else's.
        if !view::labels(&found.metadata).contains_key(RUN_LABEL) {
            return Ok(());
        }
        let preconditions = Some(Preconditions { uid: found.metadata.uid, resource_version: None });
        let parameters = DeleteParams { preconditions, ..DeleteParams::default() };
        absent_is_fine(ask(&object.to_string(), api.delete(&object.name, &parameters)).await)
    }
}

fn reference(object: &DynamicObject) -> Result<ObjectReference> {
    let types = object.types.clone().unwrap_or_default();
    match view::name(&object.metadata) {
        name if name.is_empty() => Err(EnvironmentError::Invalid(
            "an object without a name: what is created must be known by name, to be deleted again".to_owned(),
        )),
        name => Ok(ObjectReference { api_version: types.api_version, kind: types.kind, name }),
    }
}

fn as_json(object: &DynamicObject) -> Result<Value> {
    serde_json::to_value(object)
        .map_err(|error| EnvironmentError::Other(format!("an object is no JSON: {error}")))
}
