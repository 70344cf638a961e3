//! Between the generated exports and the traits that authors implement.
//!
//! An instance holds one plugin: its config from `configure` on, then the user, fault or assertion
//! that is made of it.

use std::any::Any;
use std::cell::RefCell;
use std::marker::PhantomData;

use crate::assertion::{Assertion, Moment, Verdict};
use crate::behavior::{AuditPage, Behavior, Tasks, User};
use crate::bindings::behavior::exports::assay::plugin::behavior as behavior_world;
use crate::bindings::plugin::exports::assay::plugin::plugin as plugin_world;
use crate::bindings::{assertion, fault};
use crate::config::{self, ConfigError};
use crate::failure::{Failure, Result};
use crate::fault::{Fault, Forecast, Impact, InjectError, Injected, Recovery, Strike};
use crate::panic;

/// What `export!` reads from the author's Cargo.toml.
pub trait Manifest {
    /// The package's name.
    const PACKAGE: &'static str;
    /// Its version.
    const VERSION: &'static str;
    /// Its description.
    const SUMMARY: &'static str;
}

/// Implements the exports for an author's type.
#[derive(Debug)]
pub struct Exports<T, M>(PhantomData<(T, M)>);

thread_local! {
    // Guests have one thread; the type is erased because a static cannot be generic.
    static STATE: RefCell<Option<Box<dyn Any>>> = const { RefCell::new(None) };
}

fn keep<T: 'static>(state: T) {
    STATE.with_borrow_mut(|slot| *slot = Some(Box::new(state)));
}

fn with<T: 'static, R>(use_it: impl FnOnce(&mut T) -> Result<R>) -> Result<R> {
    STATE.with_borrow_mut(|slot| match slot.as_mut().and_then(|state| state.downcast_mut::<T>()) {
        Some(state) => use_it(state),
        None => Err(Failure::other("called before it was configured")),
    })
}

fn read<C: serde::de::DeserializeOwned>(
    json: &str,
    validate: impl FnOnce(&C) -> Vec<ConfigError>,
) -> Result<C, Vec<ConfigError>> {
    let config = config::read(json)?;
    let errors = validate(&config);
    if errors.is_empty() { Ok(config) } else { Err(errors) }
}

/// What `describe` answers for a kind of plugin.
pub fn about<C: schemars::JsonSchema, M: Manifest>(wishes: &[(&str, &str)]) -> plugin_world::About {
    panic::install();
    plugin_world::About {
        // A built-in's package is called `plugin-` and its folder's name.
        name: M::PACKAGE.strip_prefix("plugin-").unwrap_or(M::PACKAGE).to_owned(),
        version: M::VERSION.to_owned(),
        summary: M::SUMMARY.to_owned(),
        config_schema: config::schema::<C>(),
        wishes: wishes
            .iter()
            .map(|(capability, reason)| plugin_world::Wish {
                capability: (*capability).to_owned(),
                reason: (*reason).to_owned(),
            })
            .collect(),
    }
}

/// One virtual user, before and after its start.
struct UserState<B: Behavior> {
    tasks: Tasks<B>,
    config: Option<B::Config>,
    user: Option<B>,
}

impl<B: Behavior> UserState<B> {
    fn user(&mut self) -> Result<&mut B> {
        self.user.as_mut().ok_or_else(|| Failure::other("called before the user was started"))
    }
}

impl<B: Behavior, M: Manifest> behavior_world::Guest for Exports<B, M> {
    fn configure(json: String) -> Result<behavior_world::Plan, Vec<ConfigError>> {
        panic::install();
        let config = read(&json, B::validate)?;
        let tasks = B::tasks(&config);
        let plan = behavior_world::Plan {
            tasks: tasks
                .tasks
                .iter()
                .map(|(group, task)| behavior_world::Task {
                    name: task.name.clone(),
                    group: tasks.groups[*group].0.clone(),
                    weight: task.weight,
                    writes: task.writes,
                })
                .collect(),
            groups: tasks.groups.clone(),
        };
        keep(UserState::<B> { tasks, config: Some(config), user: None });
        Ok(plan)
    }

    fn start(user: User) -> Result<()> {
        panic::install();
        with(|state: &mut UserState<B>| {
            let config =
                state.config.take().ok_or_else(|| Failure::other("a user starts once per instance"))?;
            state.user = Some(B::start(config, user)?);
            Ok(())
        })
    }

    fn run(task: u32) -> Result<()> {
        panic::install();
        with(|state: &mut UserState<B>| {
            let UserState { tasks, user, .. } = state;
            let user = user.as_mut().ok_or_else(|| Failure::other("called before the user was started"))?;
            match tasks.tasks.get(task as usize) {
                Some((_, task)) => (task.run)(user),
                None => Err(Failure::Invalid(format!("there is no task {task}"))),
            }
        })
    }

    fn stop() {
        panic::install();
        // A user that never started has nothing to leave.
        let _ = with(|state: &mut UserState<B>| state.user().map(B::stop));
    }

    fn audit(after: Option<String>) -> Result<AuditPage> {
        panic::install();
        with(|state: &mut UserState<B>| state.user()?.audit(after.as_deref()))
    }
}

impl<F: Fault, M: Manifest> fault::exports::assay::plugin::fault::Guest for Exports<F, M> {
    fn configure(json: String) -> Result<(), Vec<ConfigError>> {
        panic::install();
        keep(F::new(read(&json, F::validate)?));
        Ok(())
    }

    fn preview() -> Result<Forecast> {
        panic::install();
        with(F::preview)
    }

    fn aim() -> Result<Strike> {
        panic::install();
        with(F::aim)
    }

    fn inject(strike: Strike) -> Result<Injected, InjectError> {
        panic::install();
        with(|fault: &mut F| Ok(fault.inject(&strike)))?
    }

    fn effect() -> Result<Impact> {
        panic::install();
        with(F::effect)
    }

    fn recovered() -> Result<Recovery> {
        panic::install();
        with(F::recovered)
    }

    fn revert(undo: String) -> Result<()> {
        panic::install();
        with(|fault: &mut F| fault.revert(&undo))
    }
}

impl<A: Assertion, M: Manifest> assertion::exports::assay::plugin::assertion::Guest for Exports<A, M> {
    fn configure(json: String) -> Result<(), Vec<ConfigError>> {
        panic::install();
        keep(A::new(read(&json, A::validate)?));
        Ok(())
    }

    fn evaluate(moment: Moment) -> Result<Vec<Verdict>> {
        panic::install();
        with(|assertion: &mut A| assertion.evaluate(moment))
    }
}
