//! One linker for each world, and the way from a source to a plugin.

use super::{
    AssertionHost, AssertionPlugin, BehaviorHost, BehaviorPlugin, FaultHost, FaultPlugin, assertion,
    behavior, fault,
};
use crate::plugin::{Artefact, Engine, LoadError, Plugin, PluginKind, Source};
use wasmtime::component::Linker;

/// The worlds that plugins can live in, all on one engine.
pub struct Worlds {
    engine: Engine,
    behavior: Linker<BehaviorHost>,
    fault: Linker<FaultHost>,
    assertion: Linker<AssertionHost>,
}

impl std::fmt::Debug for Worlds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worlds").field("engine", &self.engine).finish_non_exhaustive()
    }
}

/// A plugin of any kind.
#[derive(Debug, Clone)]
pub enum Loaded {
    Behavior(BehaviorPlugin),
    Fault(FaultPlugin),
    Assertion(AssertionPlugin),
}

impl Loaded {
    /// What it is.
    pub fn plugin(&self) -> &Plugin {
        match self {
            Self::Behavior(plugin) => plugin.plugin(),
            Self::Fault(plugin) => plugin.plugin(),
            Self::Assertion(plugin) => plugin.plugin(),
        }
    }
}

impl Worlds {
    /// Links the capabilities. An error is the host's own fault, not a plugin's.
    pub fn new(engine: Engine) -> wasmtime::Result<Self> {
        Ok(Self {
            behavior: behavior::linker(&engine)?,
            fault: fault::linker(&engine)?,
            assertion: assertion::linker(&engine)?,
            engine,
        })
    }

    /// The engine that plugins run on.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Loads a plugin of whatever kind it is, and asks it what it is.
    pub async fn load(&self, source: &Source) -> Result<Loaded, LoadError> {
        let artefact = self.engine.open(source).await?;
        Ok(match artefact.kind {
            PluginKind::Behavior => Loaded::Behavior(self.link_behavior(artefact).await?),
            PluginKind::Fault => Loaded::Fault(self.link_fault(artefact).await?),
            PluginKind::Assertion => Loaded::Assertion(self.link_assertion(artefact).await?),
        })
    }

    /// Loads a behavior.
    pub async fn behavior(&self, source: &Source) -> Result<BehaviorPlugin, LoadError> {
        self.link_behavior(self.engine.open(source).await?.expect(PluginKind::Behavior)?).await
    }

    /// Loads a fault or a profile.
    pub async fn fault(&self, source: &Source) -> Result<FaultPlugin, LoadError> {
        self.link_fault(self.engine.open(source).await?.expect(PluginKind::Fault)?).await
    }

    /// Loads an assertion.
    pub async fn assertion(&self, source: &Source) -> Result<AssertionPlugin, LoadError> {
        self.link_assertion(self.engine.open(source).await?.expect(PluginKind::Assertion)?).await
    }

    async fn link_behavior(&self, artefact: Artefact) -> Result<BehaviorPlugin, LoadError> {
        BehaviorPlugin::link(&self.engine, &self.behavior, artefact).await
    }

    async fn link_fault(&self, artefact: Artefact) -> Result<FaultPlugin, LoadError> {
        FaultPlugin::link(&self.engine, &self.fault, artefact).await
    }

    async fn link_assertion(&self, artefact: Artefact) -> Result<AssertionPlugin, LoadError> {
        AssertionPlugin::link(&self.engine, &self.assertion, artefact).await
    }
}
