//! Failures, between the environment's words and the contract's.

use assay_bindings::imports::types::Failure;

use crate::environment::EnvironmentError;

/// A failure in one line, case and text.
pub fn failure_text(failure: &Failure) -> String {
    crate::plugin::CallError::Failed(failure.clone()).to_string()
}

/// What an environment could not do, as a plugin hears it.
pub(crate) fn from_environment(error: EnvironmentError) -> Failure {
    match error {
        EnvironmentError::Unsupported(text) => Failure::Unsupported(text),
        EnvironmentError::NotFound(text) => Failure::NotFound(text),
        EnvironmentError::Conflict(text) => Failure::Conflict(text),
        EnvironmentError::TimedOut(text) => Failure::TimedOut(text),
        EnvironmentError::Unreachable(text) => Failure::Unreachable(text),
        EnvironmentError::Invalid(text) => Failure::Invalid(text),
        EnvironmentError::Other(text) => Failure::Other(text),
    }
}
