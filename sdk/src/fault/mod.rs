//! Faults: what breaks something on purpose, and knows how to tell that it did.

mod struck;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use crate::bindings::fault::exports::assay::plugin::fault::{
    Forecast, Impact, InjectError, Injected, Recovery, Strike, Victim,
};
pub use crate::bindings::imports::types::{Bite, Finding, Severity, Step, When};
use crate::clock::Nanos;
use crate::config::ConfigError;
use crate::failure::{Failure, Result};
pub use struck::Struck;

/// A fault, or a profile, which is a fault that lasts the whole run.
///
/// One lifecycle: [`preview`](Fault::preview) before the run; moments before the strike
/// [`aim`](Fault::aim), then [`inject`](Fault::inject) on the same value, then
/// [`effect`](Fault::effect) and [`recovered`](Fault::recovered) are polled, and at last
/// [`revert`](Fault::revert). The host undoes every mutating call of [`crate::cluster`] and
/// [`crate::kube`] itself.
///
/// Made a plugin by `assay_sdk::export!(fault MyFault)`.
pub trait Fault: Sized + 'static {
    /// What a run config may say in `config = { … }`; see [`crate::config`].
    type Config: DeserializeOwned + JsonSchema + 'static;

    /// Capabilities that the plugin needs, each with the reason: `("sql", "asks who is the primary")`.
    const WISHES: &'static [(&'static str, &'static str)] = &[];

    /// Checks what a schema cannot say. No errors means that the config is fine.
    fn validate(config: &Self::Config) -> Vec<ConfigError> {
        let _ = config;
        Vec::new()
    }

    /// A fault that has done nothing yet. Must not call the host.
    fn new(config: Self::Config) -> Self;

    /// Read-only: what would happen. A blocking finding keeps the run from starting.
    ///
    /// # Errors
    ///
    /// If it cannot tell.
    fn preview(&mut self) -> Result<Forecast>;

    /// Read-only: chooses the victims now, moments before the strike.
    ///
    /// # Errors
    ///
    /// If there is nothing to strike, or nobody can tell what.
    fn aim(&mut self) -> Result<Strike>;

    /// Strikes. Checks first that the aim still holds.
    ///
    /// # Errors
    ///
    /// [`InjectError::Stale`] if the victims are no longer who they were and nothing was changed: the
    /// host aims again. `?` on any other failure makes [`InjectError::Failed`].
    fn inject(&mut self, strike: &Strike) -> Result<Injected, InjectError>;

    /// Read-only: did it bite? Polled until it is no longer [`Bite::NotYet`].
    ///
    /// # Errors
    ///
    /// If it cannot tell; it is asked again.
    fn effect(&mut self) -> Result<Impact>;

    /// Read-only: how far the target has recovered. Polled until complete, or until the fault's
    /// bound has passed. Steps that were seen keep their time.
    ///
    /// # Errors
    ///
    /// If it cannot tell; it is asked again.
    fn recovered(&mut self) -> Result<Recovery>;

    /// Undoes what the host cannot undo itself: what went through `exec`, `sql`, `redis` or `http`.
    /// Idempotent; may run in a new process, on a value that has neither aimed nor injected.
    ///
    /// # Errors
    ///
    /// If something is left; the report says so.
    fn revert(&mut self, undo: &str) -> Result<()> {
        let _ = undo;
        Ok(())
    }
}

impl Victim {
    /// A victim, the part it plays (empty if none), and how the plugin knows.
    pub fn new(name: impl Into<String>, role: impl Into<String>, because: impl Into<String>) -> Victim {
        Victim { name: name.into(), role: role.into(), because: because.into() }
    }
}

impl Strike {
    /// A strike on these, with nothing for `revert` to do.
    pub fn on(victims: impl IntoIterator<Item = Victim>) -> Strike {
        Strike { victims: victims.into_iter().collect(), undo: None, memo: String::new() }
    }

    /// What [`Fault::revert`] will be called with; journaled before the strike.
    #[must_use]
    pub fn undo(mut self, undo: impl Into<String>) -> Strike {
        self.undo = Some(undo.into());
        self
    }

    /// Keeps something for [`Fault::inject`].
    ///
    /// # Errors
    ///
    /// `invalid` if JSON cannot hold it.
    pub fn remember<T: Serialize>(mut self, memo: &T) -> Result<Strike> {
        self.memo = serde_json::to_string(memo)?;
        Ok(self)
    }

    /// What [`Strike::remember`] kept.
    ///
    /// # Errors
    ///
    /// `invalid` if it is something else.
    pub fn recall<T: DeserializeOwned>(&self) -> Result<T> {
        Ok(serde_json::from_str(&self.memo)?)
    }
}

impl Injected {
    /// Struck at this time, which was read just before the act, by these means.
    pub fn new(at: Nanos, means: impl Into<String>) -> Injected {
        Injected { at, means: means.into() }
    }
}

impl Impact {
    /// Shown by a probe that would have answered otherwise without the fault.
    pub fn proven(probed: impl Into<String>) -> Impact {
        Impact { bite: Bite::Proven, probed: probed.into() }
    }

    /// Too early to tell.
    pub fn not_yet(probed: impl Into<String>) -> Impact {
        Impact { bite: Bite::NotYet, probed: probed.into() }
    }

    /// It did not bite: the verdict on this fault is inconclusive.
    pub fn absent(probed: impl Into<String>) -> Impact {
        Impact { bite: Bite::Absent, probed: probed.into() }
    }
}

impl Finding {
    /// Worth knowing.
    pub fn note(message: impl Into<String>) -> Finding {
        Finding { severity: Severity::Note, message: message.into() }
    }

    /// Likely to spoil the run or its figures.
    pub fn warning(message: impl Into<String>) -> Finding {
        Finding { severity: Severity::Warning, message: message.into() }
    }

    /// The run must not start.
    pub fn blocking(message: impl Into<String>) -> Finding {
        Finding { severity: Severity::Blocking, message: message.into() }
    }
}

impl InjectError {
    /// What it means that a victim could not be ended: one that is no longer there, or no longer who it
    /// was, makes the aim stale, for nothing was changed.
    pub fn at_victim(failure: Failure) -> InjectError {
        match failure {
            Failure::Conflict(text) | Failure::NotFound(text) => InjectError::Stale(text),
            other => InjectError::Failed(other),
        }
    }
}

impl From<Failure> for InjectError {
    fn from(failure: Failure) -> InjectError {
        InjectError::Failed(failure)
    }
}

/// The steps of a recovery, each with the time it was first seen.
///
/// Polled functions see the same facts again and again; this keeps the first time of each.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Steps {
    seen: Vec<Step>,
}

impl Steps {
    /// None yet.
    pub fn new() -> Steps {
        Steps::default()
    }

    /// Was this one seen already?
    pub fn has(&self, name: &str) -> bool {
        self.seen.iter().any(|step| step.name == name)
    }

    /// Notes a step that was seen at this time on the run's clock, if it is new.
    pub fn observe(&mut self, name: &str, at: Nanos, detail: impl Into<String>) {
        self.note(name, When::Observed(at), detail.into());
    }

    /// Notes a step that the target reported, in its own words and on its own clock, if it is new.
    pub fn report(&mut self, name: &str, at: impl Into<String>, detail: impl Into<String>) {
        self.note(name, When::Reported(at.into()), detail.into());
    }

    /// The answer of [`Fault::recovered`].
    pub fn recovery(&self, complete: bool) -> Recovery {
        Recovery { complete, steps: self.seen.clone() }
    }

    fn note(&mut self, name: &str, at: When, detail: String) {
        if !self.has(name) {
            self.seen.push(Step { name: name.to_owned(), at, detail });
        }
    }
}
