//! Objects as YAML, as `kubectl apply --filename -` takes them.

use serde::Serialize;

use crate::environment::{EnvironmentError, Result};

/// Several objects, one document each.
#[derive(Debug, Default)]
pub(super) struct Documents(String);

impl Documents {
    pub(super) fn add(&mut self, object: &impl Serialize) -> Result<()> {
        self.0.push_str("---\n");
        serde_saphyr::to_fmt_writer(&mut self.0, object)
            .map_err(|error| EnvironmentError::Other(format!("an object cannot be written as YAML: {error}")))
    }

    pub(super) fn into_text(self) -> String {
        self.0
    }
}
