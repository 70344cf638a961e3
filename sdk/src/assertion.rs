//! Assertions: what turns observations into verdicts. They read, and nothing else.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

pub use crate::bindings::assertion::exports::assay::plugin::assertion::Moment;
use crate::config::ConfigError;
use crate::failure::Result;
pub use crate::verdict::{Bound, Measure, Outcome, Relation, Shortage, Verdict};

/// A set of promises.
///
/// Made a plugin by `assay_sdk::export!(assertion MyAssertion)`.
pub trait Assertion: Sized + 'static {
    /// What a run config may say in `config = { … }`; see [`crate::config`].
    type Config: DeserializeOwned + JsonSchema + 'static;

    /// Always empty: an assertion reads observations, which need no grant.
    const WISHES: &'static [(&'static str, &'static str)] = &[];

    /// Checks what a schema cannot say. No errors means that the config is fine.
    fn validate(config: &Self::Config) -> Vec<ConfigError> {
        let _ = config;
        Vec::new()
    }

    /// An assertion that has looked at nothing yet. Must not call the host.
    fn new(config: Self::Config) -> Self;

    /// Judges. At [`Moment::Final`] every promise is answered; at [`Moment::SoFar`], while the run
    /// goes on, only what is already certain, which may be nothing, and what more time after the load
    /// would decide: a verdict with [`Verdict::needs`] of a duration keeps a run settling.
    ///
    /// # Errors
    ///
    /// If it cannot judge at all; single promises that cannot be judged are inconclusive instead.
    fn evaluate(&mut self, moment: Moment) -> Result<Vec<Verdict>>;
}
