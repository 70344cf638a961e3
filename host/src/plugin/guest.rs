//! One instance, and the one way to call it.

use std::{
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use assay_bindings::imports::types::{ConfigError, Failure};
use futures::future::BoxFuture;
use wasmtime::{Store, UpdateDeadline};

use super::{
    CallError, ConfigureError, Engine, Sandbox,
    call::{cut_failure, diagnose, no_room},
    errand::Errands,
    sandbox::Tick,
    text::cut,
};
use crate::observe::{Alarm, PluginFailureKind};

/// State of a store: the sandbox that each has, and what its world needs besides.
pub trait Hosted: Send + 'static {
    fn sandbox(&mut self) -> &mut Sandbox;

    /// An export returned, or was broken off.
    fn returned(&mut self) {}
}

/// An instance in its store, with the typed exports of its world.
pub struct Guest<Exports, Host: Hosted> {
    exports: Exports,
    store: Store<Host>,
    /// No call was broken off so far. After a trap a component cannot be entered again, and a
    /// future that was dropped amid a call leaves it in the middle of something.
    whole: bool,
    /// Bounds its calls.
    alarm: Alarm,
    /// What its host functions want done.
    errands: Errands,
}

impl<Exports, Host: Hosted> Guest<Exports, Host> {
    /// Instantiates in a store of its own. Start functions run here, under the same limits as calls.
    pub(crate) async fn instantiate(
        engine: &Engine,
        host: Host,
        instantiate: impl for<'a> FnOnce(&'a mut Store<Host>) -> BoxFuture<'a, wasmtime::Result<Exports>>,
    ) -> Result<Self, CallError> {
        let mut store = Store::new(engine.wasmtime(), host);
        store.limiter(|host| host.sandbox());
        store.epoch_deadline_callback(|mut context| {
            Ok(match context.data_mut().sandbox().tick() {
                Tick::GoOn => UpdateDeadline::Continue(1),
                Tick::Yield => UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now())),
                Tick::Break => UpdateDeadline::Interrupt,
            })
        });
        let limits = store.data_mut().sandbox().limits().clone();
        store.set_hostcall_fuel(usize::try_from(limits.host_call_data).unwrap_or(usize::MAX));
        let timeout = limits.call_timeout;
        let until = begin(&mut store, timeout);
        let mut alarm = Alarm::default();
        let errands = store.data_mut().sandbox().errands().clone();
        let answer = alarm.bound(until, errands.drive(instantiate(&mut store))).await;
        if let Some(Err(error)) = &answer
            && let Some(because) = no_room(error)
        {
            return Err(CallError::NoRoom(because));
        }
        match settle(&mut store, "instantiate", timeout, answer) {
            Ok(exports) => Ok(Self { exports, store, whole: true, alarm, errands }),
            Err(error) => Err(error),
        }
    }

    /// Can it still be called?
    pub fn is_whole(&self) -> bool {
        self.whole
    }

    /// The state of the store.
    pub fn host(&mut self) -> &mut Host {
        self.store.data_mut()
    }

    /// Calls an export under the plugin's limits. If the future is dropped before it is done, the
    /// instance is lost.
    pub(crate) async fn call<R>(
        &mut self,
        name: &'static str,
        export: impl AsyncFnOnce(&Exports, &mut Store<Host>) -> wasmtime::Result<R>,
    ) -> Result<R, CallError> {
        if !self.whole {
            return Err(CallError::Lost);
        }
        self.whole = false;
        let timeout = self.store.data_mut().sandbox().limits().call_timeout;
        let until = begin(&mut self.store, timeout);
        let answer = {
            let call = pin!(export(&self.exports, &mut self.store));
            self.alarm.bound(until, self.errands.drive(call)).await
        };
        let answer = settle(&mut self.store, name, timeout, answer)?;
        self.whole = true;
        Ok(answer)
    }

    /// Calls an export that can answer with a failure.
    pub(crate) async fn try_call<R>(
        &mut self,
        name: &'static str,
        export: impl AsyncFnOnce(&Exports, &mut Store<Host>) -> wasmtime::Result<Result<R, Failure>>,
    ) -> Result<R, CallError> {
        let answer = self.call(name, export).await?;
        answer.map_err(|failure| self.failed(name, failure))
    }

    /// Calls `configure`.
    pub(crate) async fn configure<R>(
        &mut self,
        export: impl AsyncFnOnce(&Exports, &mut Store<Host>) -> wasmtime::Result<Result<R, Vec<ConfigError>>>,
    ) -> Result<R, ConfigureError> {
        let answer = self.call("configure", export).await?;
        answer.map_err(|mut errors| {
            errors.truncate(100);
            for error in &mut errors {
                error.message = cut(std::mem::take(&mut error.message));
                error.pointer = cut(std::mem::take(&mut error.pointer));
            }
            if errors.is_empty() {
                let message = "the plugin rejects it without saying why".to_owned();
                errors.push(ConfigError { pointer: String::new(), message });
            }
            ConfigureError::Rejected(errors)
        })
    }

    /// Tells that a call returned a failure, and makes an error of it.
    pub(crate) fn failed(&mut self, call: &'static str, failure: Failure) -> CallError {
        let error = CallError::Failed(cut_failure(failure));
        let sandbox = self.store.data_mut().sandbox();
        sandbox.tenant().voice().failed(call, PluginFailureKind::Failed, &error.to_string());
        error
    }
}

/// Answers until when the call must have returned.
fn begin<Host: Hosted>(store: &mut Store<Host>, timeout: Duration) -> Instant {
    // Epochs went on while the instance was idle; the deadline is set anew for each call.
    store.set_epoch_deadline(1);
    store.data_mut().sandbox().begin(timeout)
}

fn settle<Host: Hosted, R>(
    store: &mut Store<Host>,
    call: &'static str,
    timeout: Duration,
    answer: Option<wasmtime::Result<R>>,
) -> Result<R, CallError> {
    store.data_mut().returned();
    let sandbox = store.data_mut().sandbox();
    let (kind, message) = match answer {
        Some(Ok(answer)) => return Ok(answer),
        Some(Err(error)) => diagnose(&error, sandbox),
        None => (PluginFailureKind::TimedOut, format!("it may take {timeout:?}")),
    };
    let voice = Arc::clone(sandbox.tenant().voice());
    voice.failed(call, kind, &message);
    Err(CallError::Broken { kind, message })
}
