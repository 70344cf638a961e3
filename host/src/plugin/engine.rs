//! The engine: one per process, with a pool for as many instances as the run may need.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, Weak},
    thread,
};

use wasmtime::{Config, InstanceAllocationStrategy, PoolingAllocationConfig, component::Component};

use super::{
    Voice,
    cache::Cache,
    machine,
    sandbox::{TABLE_ELEMENTS, TICK},
};

/// Instances beside the virtual users: faults, assertions, probes, the audit, trials at loading.
const SPARE_INSTANCES: u32 = 64;
/// What a guest's own frames may take. Host functions run on what the fiber has beyond it.
const GUEST_STACK: usize = 256 << 10;
const FIBER_STACK: usize = 1 << 20;
/// Address space of one linear memory. It costs nothing until touched, and being the same for every
/// run it does not make compiled components differ.
const MEMORY_RESERVATION: u64 = 256 << 20;
/// Core instances of one component: Python has the most, 14.
const CORE_INSTANCES: u32 = 14;

/// What the engine has to hold.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// Virtual users alive at a time, probes not counted.
    pub users: u32,
    /// The most linear memory that any plugin's limits allow.
    pub memory: u64,
    /// Where compiled components are kept; absent compiles anew each time.
    pub cache: Option<PathBuf>,
}

impl Default for EngineOptions {
    /// For looking at plugins, not for load.
    fn default() -> Self {
        Self {
            users: 0,
            memory: crate::config::Limits::default().memory,
            cache: super::default_cache_folder(),
        }
    }
}

/// Why there is no engine.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    #[error(transparent)]
    Machine(#[from] machine::MachineError),
    #[error("a plugin's memory limit of {0} is more than the 4 GiB that WebAssembly can address")]
    Memory(bytesize::ByteSize),
    #[error("failed to set up the WebAssembly engine for {instances} instances: {because}")]
    Setup { instances: u32, because: String },
    #[error("failed to start the engine's clock: {0}")]
    Ticker(std::io::Error),
}

/// Compiles components and gives their instances a place to live. Clones are the same engine.
#[derive(Clone)]
pub struct Engine {
    engine: wasmtime::Engine,
    cache: Option<Cache>,
    voices: Voices,
}

type Voices = Arc<Mutex<Vec<Weak<Voice>>>>;

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("cache", &self.cache).finish_non_exhaustive()
    }
}

impl Engine {
    /// An engine with room for what the options say, and no more: what does not fit the machine is
    /// said here, with the remedy, and not amid the run as "cannot allocate memory".
    pub fn new(options: &EngineOptions) -> Result<Self, EngineError> {
        if options.memory > 4 << 30 {
            return Err(EngineError::Memory(bytesize::ByteSize(options.memory)));
        }
        let instances = options.users.saturating_add(SPARE_INSTANCES);
        machine::ensure_room(instances)?;
        let engine = wasmtime::Engine::new(&config(instances, options.memory))
            .map_err(|error| EngineError::Setup { instances, because: format!("{error:#}") })?;
        let voices = Voices::default();
        start_ticker(&engine, &voices).map_err(EngineError::Ticker)?;
        let cache = options.cache.clone().map(|folder| Cache::new(folder, &engine));
        Ok(Self { engine, cache, voices })
    }

    pub(crate) fn wasmtime(&self) -> &wasmtime::Engine {
        &self.engine
    }

    /// Compiles a component, or finds it compiled. Takes seconds for large ones: not for a thread
    /// that has other things to do.
    pub(crate) fn compile(&self, bytes: &[u8], digest: &str) -> wasmtime::Result<Component> {
        match &self.cache {
            Some(cache) => cache.component(&self.engine, bytes, digest),
            None => Component::from_binary(&self.engine, bytes),
        }
    }

    /// Has the voice tell, once a second, what it folded.
    pub(crate) fn listen(&self, voice: &Arc<Voice>) {
        self.voices.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(voice));
    }
}

fn config(instances: u32, memory: u64) -> Config {
    let reservation = memory.next_multiple_of(64 << 10).max(MEMORY_RESERVATION);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_core_instances(instances.saturating_mul(CORE_INSTANCES))
        // QuickJS guests have two memories, and components made of several modules two tables.
        .total_memories(instances.saturating_mul(2))
        .total_tables(instances.saturating_mul(2))
        // At least the live stores: a fiber's stack is kept as long as its store.
        .total_stacks(instances)
        .max_core_instances_per_component(CORE_INSTANCES)
        .max_memories_per_component(2)
        .max_tables_per_component(2)
        .table_elements(TABLE_ELEMENTS)
        .max_memory_size(usize::try_from(reservation).unwrap_or(usize::MAX));
    let mut config = Config::new();
    config
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .memory_reservation(reservation)
        .memory_guard_size(64 << 10)
        // The contract has no async functions; without them calls in both directions cost a third.
        .concurrency_support(false)
        .epoch_interruption(true)
        .max_wasm_stack(GUEST_STACK)
        .async_stack_size(FIBER_STACK);
    config
}

/// Advances the epoch by wall time, and has voices tell what they folded. Ends with the engine.
fn start_ticker(engine: &wasmtime::Engine, voices: &Voices) -> std::io::Result<()> {
    let (engine, voices) = (engine.weak(), Arc::downgrade(voices));
    let ticker = move || {
        let mut ticks = 0_u32;
        loop {
            thread::sleep(TICK);
            let Some(engine) = engine.upgrade() else { return };
            engine.increment_epoch();
            ticks = (ticks + 1) % 100;
            if ticks == 0 {
                let Some(voices) = voices.upgrade() else { return };
                let mut listening = Vec::new();
                voices.lock().unwrap_or_else(PoisonError::into_inner).retain(|voice| {
                    let voice = voice.upgrade();
                    listening.extend(voice.clone());
                    voice.is_some()
                });
                listening.iter().for_each(|voice| voice.turn());
            }
        }
    };
    thread::Builder::new().name("epochs".to_owned()).spawn(ticker).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_for_a_thousand_users_can_be_made_here() {
        let options = EngineOptions { users: 1000, cache: None, ..EngineOptions::default() };
        Engine::new(&options).expect("an engine");
    }

    #[test]
    fn more_memory_than_there_is_to_address_is_refused() {
        let options = EngineOptions { memory: 5 << 30, ..EngineOptions::default() };
        insta::assert_snapshot!(
            Engine::new(&options).expect_err("too much"),
            @"a plugin's memory limit of 5.0 GiB is more than the 4 GiB that WebAssembly can address"
        );
    }
}
