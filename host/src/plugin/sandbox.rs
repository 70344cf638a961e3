//! What every store holds, whatever its world: limits, and what the instance did with them.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use assay_bindings::imports::log;
use wasmtime::{ResourceLimiter, component::ResourceTable};
use wasmtime_wasi::{WasiCtx, WasiCtxView};

use super::{Tenant, errand::Errands, output::Output, text::cut, wasi};
use crate::{
    config::Limits,
    observe::{Clock, Level, Nanos, nanos},
};

/// Resources that one instance may hold at a time.
const RESOURCES: usize = 10_000;
/// Elements of one table, as the pool has them.
pub(crate) const TABLE_ELEMENTS: usize = 8_000;
/// How wall time is measured while a guest computes.
pub(crate) const TICK: Duration = Duration::from_millis(10);

/// The bounds of one instance, and the traces it leaves.
pub struct Sandbox {
    tenant: Arc<Tenant>,
    /// Tells this instance's random streams from those of others.
    instance: u64,
    errands: Errands,
    pub(crate) table: ResourceTable,
    /// Made when first asked for: most guests never do, and it is not small.
    wasi: Option<WasiCtx>,
    output: Output,
    /// Bytes of linear memory, all memories together.
    memory: usize,
    /// Ticks in which it computed since it last called the host.
    busy: u32,
    /// When the export that runs now must have returned.
    deadline: Nanos,
    /// The largest memory that was refused in this call.
    refused: Option<u64>,
    /// What the guest's panic hook logged in this call.
    panic: Option<String>,
}

/// What a guest shall do when a tick of wall time has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tick {
    /// Others have just had their turn: most waits are longer than a tick, and to yield after each
    /// would cost as much as the wait itself.
    GoOn,
    /// Let others have their turn.
    Yield,
    /// It has computed too long.
    Break,
}

/// What an instance left behind that explains why its call broke off.
pub(crate) struct Symptoms {
    pub(crate) panic: Option<String>,
    pub(crate) refused: Option<u64>,
    /// The last line on its standard error.
    pub(crate) output: Option<String>,
}

impl Sandbox {
    pub(crate) fn new(tenant: Arc<Tenant>, instance: u64) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(RESOURCES);
        let output = Output::new(tenant.voice().clone());
        Self {
            tenant,
            instance,
            errands: Errands::default(),
            table,
            wasi: None,
            output,
            memory: 0,
            busy: 0,
            deadline: Nanos::MAX,
            refused: None,
            panic: None,
        }
    }

    /// The plugin's part in the run.
    pub fn tenant(&self) -> &Arc<Tenant> {
        &self.tenant
    }

    /// Where host functions that wait have their work done.
    pub(crate) fn errands(&self) -> &Errands {
        &self.errands
    }

    pub(crate) fn limits(&self) -> &Limits {
        self.tenant.limits()
    }

    /// The run's clock.
    pub fn clock(&self) -> Clock {
        self.tenant.clock()
    }

    /// When host calls must have answered: a little before the export's own deadline, so that the
    /// guest hears of it and its instance need not be lost.
    pub fn host_deadline(&self) -> Nanos {
        let margin = (self.limits().call_timeout / 20).min(Duration::from_millis(250));
        self.deadline.saturating_sub(nanos(margin))
    }

    /// How long a host call may take at most, given what it may take by itself.
    pub fn time_for(&self, at_most: Duration) -> Duration {
        let left = self.host_deadline().saturating_sub(self.clock().now());
        at_most.min(Duration::from_nanos(left))
    }

    /// The guest called the host: it is not caught in a loop of its own.
    pub(crate) fn called(&mut self) {
        self.busy = 0;
    }

    /// Begins an export that may take that long.
    pub(crate) fn begin(&mut self, timeout: Duration) -> Instant {
        self.busy = 0;
        self.errands.take_rest();
        self.deadline = self.clock().now().saturating_add(nanos(timeout));
        self.refused = None;
        self.panic = None;
        // Only by way of WASI is anything written there.
        if self.wasi.is_some() {
            self.output.begin();
        }
        self.clock().instant(self.deadline)
    }

    /// A tick passed while the guest computed, or while it rested before that. It yields at every tick
    /// of its own, so what it waits for its turn again is not counted.
    pub(crate) fn tick(&mut self) -> Tick {
        if self.errands.take_rest() {
            return Tick::GoOn;
        }
        self.busy += 1;
        if TICK * self.busy > self.limits().busy_timeout { Tick::Break } else { Tick::Yield }
    }

    /// A line of the guest's log; the SDK's panic hook writes one, too.
    pub(crate) fn log(&mut self, level: log::Level, message: String) {
        let message = cut(message);
        let level = match level {
            log::Level::Debug => Level::Debug,
            log::Level::Info => Level::Info,
            log::Level::Warn => Level::Warn,
            log::Level::Error => Level::Error,
        };
        // With a place if the guest knows it: `panicked at src/lib.rs:3:5: no rows`.
        let panic = message.strip_prefix("panicked at ").or_else(|| message.strip_prefix("panicked: "));
        if level == Level::Error
            && let Some(panic) = panic
        {
            self.panic = Some(panic.to_owned());
        }
        self.tenant.voice().log(level, message);
    }

    pub(crate) fn symptoms(&self) -> Symptoms {
        Symptoms {
            panic: self.panic.clone().or_else(|| self.output.panic()),
            refused: self.refused,
            output: self.output.last_line(),
        }
    }

    pub(crate) fn wasi(&mut self) -> WasiCtxView<'_> {
        self.called();
        let ctx = self.wasi.get_or_insert_with(|| wasi::denied(&self.tenant, self.instance, &self.output));
        WasiCtxView { ctx, table: &mut self.table }
    }
}

impl ResourceLimiter for Sandbox {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let total = self.memory.saturating_add(desired.saturating_sub(current));
        if total as u64 > self.limits().memory {
            self.refused = self.refused.max(Some(total as u64));
            return Ok(false);
        }
        self.memory = total;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= TABLE_ELEMENTS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Grants;

    #[tokio::test]
    async fn a_guest_yields_at_every_tick_but_the_one_that_it_rested_in() {
        let tenant = Tenant::for_tests("guest", false, Grants::default());
        let most = (tenant.limits().busy_timeout.as_nanos() / TICK.as_nanos()) as usize;
        let mut sandbox = Sandbox::new(Arc::new(tenant), 0);
        sandbox.begin(Duration::from_secs(1));
        assert_eq!([sandbox.tick(), sandbox.tick()], [Tick::Yield, Tick::Yield]);
        let errands = sandbox.errands().clone();
        let call = Box::pin(async { errands.run(Box::pin(tokio::task::yield_now())).await });
        errands.drive(call).await;
        sandbox.called();
        assert_eq!(sandbox.tick(), Tick::GoOn);
        for _ in 0..most {
            assert_eq!(sandbox.tick(), Tick::Yield);
        }
        assert_eq!(sandbox.tick(), Tick::Break);
    }
}
