//! Virtual users.

use std::fmt;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

pub use crate::bindings::behavior::exports::assay::plugin::behavior::{AuditPage, UserInfo as User};
use crate::config::ConfigError;
use crate::failure::Result;

/// A kind of virtual user: signs in, runs tasks one at a time, leaves. One value is one user, with
/// its own memory, cookies and random stream.
///
/// Made a plugin by `assay_sdk::export!(behavior MyUser)`.
pub trait Behavior: Sized + 'static {
    /// What a run config may say in `config = { … }`; see [`crate::config`].
    type Config: DeserializeOwned + JsonSchema + 'static;

    /// Capabilities that the plugin would like beyond the run's target, each with the reason:
    /// `("http", "signs in at the identity provider")`.
    const WISHES: &'static [(&'static str, &'static str)] = &[];

    /// What this user can do. Asked once per user, right after the config was read.
    fn tasks(config: &Self::Config) -> Tasks<Self>;

    /// Checks what a schema cannot say. No errors means that the config is fine.
    fn validate(config: &Self::Config) -> Vec<ConfigError> {
        let _ = config;
        Vec::new()
    }

    /// Becomes this user: signs in, loads a first page.
    ///
    /// # Errors
    ///
    /// Whatever keeps it from starting. The host waits and tries again on a fresh instance.
    fn start(config: Self::Config, user: User) -> Result<Self>;

    /// The user leaves in good order. Not called after a trap or a missed deadline.
    fn stop(&mut self) {}

    /// What the target holds of this run's ledger, page by page in ascending order, read past every
    /// cache and from whoever now accepts writes. `after` is the `next` of the page before.
    ///
    /// A behavior that never uses the ledger leaves this as it is: one empty page.
    ///
    /// # Errors
    ///
    /// Whatever keeps it from reading on; the audit is then incomplete and says so.
    fn audit(&mut self, after: Option<&str>) -> Result<AuditPage> {
        let _ = after;
        Ok(AuditPage { keys: Vec::new(), next: None })
    }
}

type Run<B> = Box<dyn Fn(&mut B) -> Result<()>>;

/// Something that a user does.
pub struct Task<B> {
    pub(crate) name: String,
    pub(crate) weight: u32,
    pub(crate) writes: bool,
    pub(crate) run: Run<B>,
}

impl<B> Task<B> {
    /// A task of weight 1 that does not write. Names are kebab-case and unique in the behavior.
    pub fn new(name: impl Into<String>, run: impl Fn(&mut B) -> Result<()> + 'static) -> Task<B> {
        Task { name: name.into(), weight: 1, writes: false, run: Box::new(run) }
    }

    /// How often it is chosen inside its group, against the group's other tasks; 1 or more.
    #[must_use]
    pub fn weight(mut self, weight: u32) -> Task<B> {
        self.weight = weight;
        self
    }

    /// A success of it proves that the target can still record something new.
    #[must_use]
    pub fn writes(mut self) -> Task<B> {
        self.writes = true;
        self
    }
}

impl<B> fmt::Debug for Task<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Task({}, weight {})", self.name, self.weight)
    }
}

/// What a user can do, by group.
///
/// ```
/// # use assay_sdk::{Result, behavior::{Task, Tasks}};
/// # struct Visitor;
/// # impl Visitor {
/// #     fn list(&mut self) -> Result<()> { Ok(()) }
/// #     fn sell(&mut self) -> Result<()> { Ok(()) }
/// # }
/// # fn tasks() -> Tasks<Visitor> {
/// Tasks::new()
///     .group("inventory", 30, [Task::new("list", Visitor::list).weight(3)])
///     .group("pos", 25, [Task::new("sell", Visitor::sell).writes()])
/// # }
/// ```
#[derive(Debug)]
pub struct Tasks<B> {
    pub(crate) groups: Vec<(String, u32)>,
    /// Each with its group's position. A task's own position is what the host calls it by.
    pub(crate) tasks: Vec<(usize, Task<B>)>,
}

impl<B> Tasks<B> {
    /// Nothing yet.
    pub fn new() -> Tasks<B> {
        Tasks { groups: Vec::new(), tasks: Vec::new() }
    }

    /// Adds a group of tasks. Its weight is a default, which a run config's `mix` replaces; recovery
    /// times are given per group.
    #[must_use]
    pub fn group(
        mut self,
        name: impl Into<String>,
        weight: u32,
        tasks: impl IntoIterator<Item = Task<B>>,
    ) -> Tasks<B> {
        let position = self.groups.len();
        self.groups.push((name.into(), weight));
        self.tasks.extend(tasks.into_iter().map(|task| (position, task)));
        self
    }
}

impl<B> Default for Tasks<B> {
    fn default() -> Tasks<B> {
        Tasks::new()
    }
}
