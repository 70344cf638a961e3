//! What a virtual user is to this room: something that starts, runs tasks and stops.
//!
//! Behind it stands an instance of a behavior plugin; in tests, a few lines of Rust.

use async_trait::async_trait;

pub use assay_bindings::behavior::exports::assay::plugin::behavior::{Plan, Task, UserInfo};

use crate::{capability::ports::Browser, observe::PluginFailureKind};

/// One instance of a behavior, acting as one user.
#[async_trait]
pub trait Persona: Send {
    async fn start(&mut self) -> Result<(), CallError>;
    async fn run(&mut self, task: u32) -> Result<(), CallError>;
    async fn stop(&mut self) -> Result<(), CallError>;
}

/// Makes instances of one behavior, configured and ready to start.
#[async_trait]
pub trait PersonaFactory: Send + Sync {
    async fn create(&self, seat: Seat) -> Result<Box<dyn Persona>, CallError>;
}

/// What an instance is made with.
pub struct Seat {
    pub user: UserInfo,
    /// How many instances this user has had before. Randomness must differ between them, or the
    /// keys of what one wrote would be used again by the next.
    pub incarnation: u64,
    /// The user's place among all that live: the smallest that was free when it came.
    pub place: u64,
    /// Its HTTP client: empty jar, no connections.
    pub browser: Box<dyn Browser>,
}

/// How a call went wrong, and what that means for the instance.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The plugin said that it failed. The instance is whole.
    #[error("{0}")]
    Failed(String),
    /// The instance is lost: it trapped, hung or took too much.
    #[error("{message}")]
    Lost { kind: PluginFailureKind, message: String },
}
