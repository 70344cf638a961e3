//! Where a run happens, behind one trait.
//!
//! An environment knows instances, nodes, workloads and groups; it does not know what a fault is.
//! It tells what changes in it into the run's [`Stream`](crate::observe::Stream). Mutating calls do
//! what they say and nothing else: the inverse of each was journaled by the caller before, and
//! [`Environment::undo`] carries one out. Undoing what is already undone succeeds.

mod elsewhere;
mod groups;
mod inverse;
pub mod kubernetes;
pub mod lab;
mod objects;
pub mod selector;
mod types;

use std::{io, sync::Arc, time::Duration};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

pub use elsewhere::Elsewhere;
use groups::one_group;
pub use inverse::Inverse;
pub use objects::{ObjectGrant, ObjectReference, Objects, inverse_patch};
pub use selector::Selector;
pub use types::*;

/// A closure that moves the calling thread into the network where the target can be reached.
pub type EnterNetwork = Arc<dyn Fn() -> io::Result<()> + Send + Sync>;

/// Why an environment did not do what it was asked to.
#[derive(Debug, Clone, Serialize, Deserialize, thiserror::Error)]
pub enum EnvironmentError {
    /// This environment cannot do that at all.
    #[error("not supported here: {0}")]
    Unsupported(String),
    #[error("not found: {0}")]
    NotFound(String),
    /// It exists, but its state forbids the act.
    #[error("{0}")]
    Conflict(String),
    #[error("timed out: {0}")]
    TimedOut(String),
    #[error("unreachable: {0}")]
    Unreachable(String),
    /// The request itself is wrong.
    #[error("{0}")]
    Invalid(String),
    #[error("{0}")]
    Other(String),
}

/// Short for what every call answers.
pub type Result<T> = std::result::Result<T, EnvironmentError>;

/// The seam between the host and where a run happens.
#[async_trait]
pub trait Environment: Send + Sync {
    /// `lab` or `kubernetes`.
    fn kind(&self) -> &'static str;

    /// Scheme, host and port of the target, without a trailing slash.
    fn base_url(&self) -> String;

    /// What threads that talk to the target do first. All sockets to the target, the plugins' and
    /// the virtual users', are made on such threads.
    fn enter_network(&self) -> EnterNetwork;

    /// The way to raw objects, where this environment has such.
    fn objects(&self) -> Option<&dyn Objects> {
        None
    }

    /// Refuses, before anything is changed, if this process may not do what these calls take.
    async fn ensure_permitted(&self, _: &Calls) -> Result<()> {
        Ok(())
    }

    /// Keeps a copy of the journal's pending lines where any machine finds it, if the environment outlives
    /// this one. `pending` is asked for the lines when it is this call's turn to write them.
    async fn keep_journal(&self, _pending: &(dyn Fn() -> String + Sync)) -> Result<()> {
        Ok(())
    }

    /// Returns, with the reason, if the whole environment ends without being asked to.
    async fn ended(&self) -> EnvironmentError {
        std::future::pending().await
    }

    /// Where one instance's port can be reached from the target's network.
    async fn endpoint(&self, instance: &str, port: u16) -> Result<std::net::SocketAddr>;

    async fn instances(&self, selector: &Selector) -> Result<Vec<Instance>>;
    /// Answers by what means it was done.
    async fn terminate(&self, instance: &str, uid: &str, manner: Manner, hold: bool) -> Result<String>;
    async fn release(&self, instance: &str) -> Result<()>;
    async fn exec(&self, instance: &str, command: &[String], timeout: Duration) -> Result<ExecOutput>;

    async fn nodes(&self) -> Result<Vec<Node>>;
    async fn set_schedulable(&self, node: &str, schedulable: bool) -> Result<()>;
    async fn drain(&self, node: &str, timeout: Duration) -> Result<()>;
    /// Answers by what means it was done.
    async fn fail_node(&self, node: &str) -> Result<String>;
    async fn restore_node(&self, node: &str) -> Result<()>;

    /// Cuts traffic under an id that the caller has chosen and journaled.
    async fn isolate(
        &self,
        id: &str,
        selector: &Selector,
        peer: Option<&Selector>,
        direction: Direction,
    ) -> Result<()>;
    async fn heal(&self, id: &str) -> Result<()>;

    async fn workloads(&self, selector: &Selector) -> Result<Vec<Workload>>;
    async fn scale(&self, workload: &str, replicas: u32) -> Result<()>;

    async fn quotas(&self, selector: &Selector) -> Result<Vec<QuotaStatus>>;
    /// Bounds one group, by the name that [`QuotaStatus::group`] has.
    async fn set_quota(&self, group: &str, quota: Quota) -> Result<()>;

    /// Cheap enough to be called once a second.
    async fn usage(&self, selector: &Selector) -> Result<Vec<crate::observe::UsageReading>>;

    /// Carries out one inverse.
    async fn undo(&self, inverse: &Inverse) -> Result<()> {
        let objects = || {
            self.objects()
                .ok_or_else(|| EnvironmentError::Unsupported(format!("{} has no objects", self.kind())))
        };
        match inverse {
            Inverse::Release { instance } => self.release(instance).await,
            Inverse::SetSchedulable { node, schedulable } => self.set_schedulable(node, *schedulable).await,
            Inverse::RestoreNode { node } => self.restore_node(node).await,
            Inverse::Heal { id } => self.heal(id).await,
            Inverse::Scale { workload, replicas } => self.scale(workload, *replicas).await,
            Inverse::SetQuota { group, quota } => self.set_quota(group, *quota).await,
            Inverse::Patch { object, before } => match objects()?.patch(object, before).await {
                // What is gone has nothing to give back.
                Ok(_) | Err(EnvironmentError::NotFound(_)) => Ok(()),
                Err(error) => Err(error),
            },
            Inverse::Delete { object } => objects()?.delete(object).await,
        }
    }

    /// Waits until everything that belongs to the target is ready, or says what is not.
    async fn wait_ready(&self, at_most: Duration) -> Result<()>;

    /// Ends what this process made. A lab of one's own is gone afterwards.
    async fn close(&self) -> Result<()>;
}
