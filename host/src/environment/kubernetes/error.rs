//! What a cluster could not do, in the environment's words.

use std::{error::Error, fmt::Debug, time::Duration};

use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams},
    error::Status,
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::environment::{EnvironmentError, Result};

/// Longest that one answer of the API server is waited for.
const ANSWERED_WITHIN: Duration = Duration::from_secs(15);

/// Waits for an answer of the API server; `what` begins the message if there is none.
pub(super) async fn ask<T>(what: &str, question: impl Future<Output = kube::Result<T>>) -> Result<T> {
    match tokio::time::timeout(ANSWERED_WITHIN, question).await {
        Ok(answer) => answer.map_err(|error| from_kube(what, &error)),
        Err(_) => Err(EnvironmentError::TimedOut(format!(
            "{what}: the API server did not answer in {ANSWERED_WITHIN:?}"
        ))),
    }
}

/// Applies a JSON merge patch.
pub(super) async fn merge<K>(what: &str, api: &Api<K>, name: &str, patch: &Value) -> Result<K>
where
    K: Clone + DeserializeOwned + Debug,
{
    ask(what, api.patch(name, &PatchParams::default(), &Patch::Merge(patch))).await
}

/// Deletes an object, if it is there.
pub(super) async fn remove<K>(what: &str, api: &Api<K>, name: &str) -> Result<()>
where
    K: Clone + DeserializeOwned + Debug,
{
    absent_is_fine(ask(what, api.delete(name, &DeleteParams::default())).await)
}

/// What is not there is no error where it was to be gone.
pub(super) fn absent_is_fine<T>(result: Result<T>) -> Result<()> {
    match result {
        Ok(_) | Err(EnvironmentError::NotFound(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

pub(super) fn from_kube(what: &str, error: &kube::Error) -> EnvironmentError {
    match error {
        kube::Error::Api(status) => from_status(what, status),
        kube::Error::SerdeError(_) | kube::Error::BuildRequest(_) | kube::Error::HttpError(_) => {
            EnvironmentError::Other(format!("{what}: {}", chain(error)))
        }
        _ => EnvironmentError::Unreachable(format!("{what}: {}", chain(error))),
    }
}

fn from_status(what: &str, status: &Status) -> EnvironmentError {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    let causes: String = causes
        .filter(|cause| !status.message.contains(&cause.message))
        .fold(String::new(), |text, cause| format!("{text}; {}", cause.message));
    let text = format!("{what}: {}{causes}", status.message);
    match status.code {
        404 => EnvironmentError::NotFound(text),
        409 | 429 => EnvironmentError::Conflict(text),
        400 | 422 => EnvironmentError::Invalid(text),
        408 | 504 => EnvironmentError::TimedOut(text),
        502 | 503 => EnvironmentError::Unreachable(text),
        _ => EnvironmentError::Other(text),
    }
}

/// An error with what is behind it, each said once.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(behind) = source {
        let more = behind.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        source = behind.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: u16, message: &str) -> kube::Error {
        kube::Error::Api(Status::failure(message, "Because").with_code(code).boxed())
    }

    #[test]
    fn what_the_server_says_is_kept() {
        let told = from_kube("pod 'web-0'", &status(404, "pods \"web-0\" not found"));
        assert!(
            matches!(&told, EnvironmentError::NotFound(text) if text == "pod 'web-0': pods \"web-0\" not found")
        );
        assert!(matches!(from_kube("x", &status(429, "")), EnvironmentError::Conflict(_)));
        assert!(matches!(from_kube("x", &status(403, "")), EnvironmentError::Other(_)));
        assert!(matches!(from_kube("x", &status(503, "")), EnvironmentError::Unreachable(_)));
    }
}
