//! Everybody who takes part in a run: the plugins that the config names, loaded, of the right kind,
//! and with configs that they have accepted. All of this happens before anything is started.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    capability::{AssertionPlugin, BehaviorPlugin, FaultPlugin, Worlds},
    config::{
        AssertionConfig, BehaviorConfig, ConfigErrors, Diagnostic, FaultConfig, PhaseConfig, PluginSource,
        PluginUse, RunConfig, check_schema, plugin_config_error,
    },
    observe::{Fact, PlannedAssertion, Stream},
    plugin::{ConfigureError, Engine, EngineError, EngineOptions, LoadError, Plugin, Source, Tenant},
};

mod trial;

/// A plugin in one of its roles: which one, and its config as it will be told.
#[derive(Debug, Clone)]
pub struct Part<P, C> {
    pub config: C,
    pub plugin: P,
    /// JSON, defaults filled in.
    pub json: String,
}

/// All plugins of a run.
#[derive(Debug)]
pub struct Cast {
    seed: u64,
    worlds: Worlds,
    sources: BTreeMap<String, PluginSource>,
    pub behaviors: Vec<Part<BehaviorPlugin, BehaviorConfig>>,
    pub probe: Option<Part<BehaviorPlugin, BehaviorConfig>>,
    pub profile: Option<Part<FaultPlugin, PluginUse>>,
    pub faults: Vec<Part<FaultPlugin, FaultConfig>>,
    pub assertions: Vec<Part<AssertionPlugin, AssertionConfig>>,
}

/// Why a run has no cast.
#[derive(Debug, thiserror::Error)]
pub enum CastError {
    /// The config is at fault, and its lines are named.
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error("the capabilities cannot be linked: {0}")]
    Link(String),
}

impl Cast {
    /// Loads every plugin, checks each config against the plugin's schema, and lets an instance of
    /// its own say whether it accepts it.
    pub async fn assemble(config: &RunConfig, seed: u64) -> Result<Self, CastError> {
        let probes = config.probe.as_ref().map_or(0, |probe| probe.users);
        let most = users_at_once(&config.phases).saturating_add(probes);
        let memory = config.plugins.values().map(|source| source.limits.memory);
        let defaults = EngineOptions::default();
        let options =
            EngineOptions { users: most, memory: memory.fold(defaults.memory, u64::max), ..defaults };
        let worlds =
            Worlds::new(Engine::new(&options)?).map_err(|error| CastError::Link(format!("{error:#}")))?;
        let mut casting = Casting { config, worlds: &worlds, errors: Vec::new() };

        let mut behaviors = Vec::new();
        for behavior in &config.behaviors {
            if let Some(plugin) = casting.behavior(&behavior.uses).await
                && let Some(json) = casting.accept_behavior(&plugin, behavior).await
            {
                behaviors.push(Part { config: behavior.clone(), plugin, json });
            }
        }
        let mut probe = None;
        if let Some(wanted) = &config.probe
            && let Some(plugin) = casting.behavior(&wanted.behavior.uses).await
            && let Some(json) = casting.accept_probe(&plugin, &wanted.behavior.uses).await
        {
            probe = Some(Part { config: wanted.behavior.clone(), plugin, json });
        }
        let mut profile = None;
        if let Some(wanted) = &config.profile
            && let Some(plugin) = casting.fault(&wanted.uses).await
            && let Some(json) = casting.accept_fault(&plugin, &wanted.uses).await
        {
            profile = Some(Part { config: wanted.uses.clone(), plugin, json });
        }
        let mut faults = Vec::new();
        for fault in &config.faults {
            if let Some(plugin) = casting.fault(&fault.uses).await
                && let Some(json) = casting.accept_fault(&plugin, &fault.uses).await
            {
                faults.push(Part { config: fault.clone(), plugin, json });
            }
        }
        let mut assertions = Vec::new();
        for assertion in &config.assertions {
            if let Some(plugin) = casting.assertion(&assertion.uses).await
                && let Some(json) = casting.accept_assertion(&plugin, &assertion.uses).await
            {
                assertions.push(Part { config: assertion.clone(), plugin, json });
            }
        }
        let errors = casting.errors;
        if !errors.is_empty() {
            return Err(ConfigErrors::new(errors).into());
        }
        let sources = config.plugins.clone();
        Ok(Self { seed, worlds, sources, behaviors, probe, profile, faults, assertions })
    }

    /// Everybody who asks the target something and may write to it: the behaviors, and the probe as
    /// the last one.
    pub fn actors(&self) -> impl Iterator<Item = &Part<BehaviorPlugin, BehaviorConfig>> {
        self.behaviors.iter().chain(&self.probe)
    }

    /// What the run is judged by, as it is recorded.
    pub fn planned_assertions(&self) -> Vec<PlannedAssertion> {
        // It may be judged again from another folder.
        let path = |plugin: &str| {
            let path = self.sources.get(plugin)?.path.as_ref()?;
            Some(std::path::absolute(path).unwrap_or_else(|_| path.clone()).display().to_string())
        };
        let planned = self.assertions.iter().map(|part| PlannedAssertion {
            name: part.config.name.clone(),
            plugin: part.config.uses.plugin.clone(),
            path: path(&part.config.uses.plugin),
            // It was a value before it became a text.
            config: serde_json::from_str(&part.json).unwrap_or_default(),
            requirement: part.config.requirement.clone(),
        });
        planned.collect()
    }

    /// Where the run's randomness begins.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Admits a plugin to the run, with the limits and grants that the config has for it.
    pub fn tenant(&self, plugin: &Plugin, stream: &Stream) -> Arc<Tenant> {
        let source = self.sources.get(&plugin.name).cloned().unwrap_or_default();
        let engine = self.worlds.engine();
        Arc::new(Tenant::new(engine, plugin, source.limits, source.grants, stream.clone(), self.seed))
    }

    /// Tells of every plugin once.
    pub fn introduce(&self, stream: &Stream) {
        let behaviors = self.actors().map(|part| part.plugin.plugin());
        let profile = self.profile.iter().map(|part| part.plugin.plugin());
        let faults = self.faults.iter().map(|part| part.plugin.plugin());
        let assertions = self.assertions.iter().map(|part| part.plugin.plugin());
        let mut plugins: Vec<_> = behaviors.chain(profile).chain(faults).chain(assertions).collect();
        plugins.sort_by(|one, other| one.name.cmp(&other.name));
        plugins.dedup_by(|one, other| one.name == other.name);
        for plugin in plugins {
            stream.tell(Fact::PluginLoaded {
                name: plugin.name.clone(),
                plugin: plugin.about.name.clone(),
                version: plugin.version.clone(),
                digest: plugin.digest.clone(),
            });
        }
    }
}

/// The most users that may be there at once: those of a phase, and those of the phase before who have
/// not left yet.
fn users_at_once(phases: &[PhaseConfig]) -> u32 {
    let before = [0].into_iter().chain(phases.iter().map(|phase| phase.users));
    let leaving = before.zip(phases).map(|(before, phase)| before.saturating_sub(phase.users));
    let most = phases.iter().map(|phase| phase.users).max().unwrap_or(0);
    most.saturating_add(leaving.max().unwrap_or(0))
}

/// Casting under way: what is wrong is collected, so that it is all said at once.
struct Casting<'a> {
    config: &'a RunConfig,
    worlds: &'a Worlds,
    errors: Vec<Diagnostic>,
}

impl Casting<'_> {
    fn source(&self, uses: &PluginUse) -> Source {
        Source::of(&uses.plugin, self.config.plugins.get(&uses.plugin))
    }

    async fn behavior(&mut self, uses: &PluginUse) -> Option<BehaviorPlugin> {
        let loaded = self.worlds.behavior(&self.source(uses)).await;
        self.loaded(uses, loaded)
    }

    async fn fault(&mut self, uses: &PluginUse) -> Option<FaultPlugin> {
        let loaded = self.worlds.fault(&self.source(uses)).await;
        self.loaded(uses, loaded)
    }

    async fn assertion(&mut self, uses: &PluginUse) -> Option<AssertionPlugin> {
        let loaded = self.worlds.assertion(&self.source(uses)).await;
        self.loaded(uses, loaded)
    }

    fn loaded<P>(&mut self, uses: &PluginUse, loaded: Result<P, LoadError>) -> Option<P> {
        loaded.map_err(|error| self.errors.push(self.config.sources.at_plugin(uses, &error.to_string()))).ok()
    }

    /// The config with defaults filled in, if it fits the schema.
    fn fit(&mut self, plugin: &Plugin, uses: &PluginUse) -> Option<String> {
        match check_schema(&plugin.about.config_schema, uses) {
            Ok(config) => Some(config.to_string()),
            Err(complaints) => {
                let sources = &self.config.sources;
                self.errors
                    .extend(complaints.iter().map(|complaint| sources.diagnose(&uses.origin, complaint)));
                None
            }
        }
    }

    fn accepted<T>(&mut self, uses: &PluginUse, answer: Result<T, ConfigureError>) -> Option<T> {
        let sources = &self.config.sources;
        match answer {
            Ok(accepted) => Some(accepted),
            Err(ConfigureError::Rejected(reasons)) => {
                let refused = reasons
                    .iter()
                    .map(|reason| plugin_config_error(sources, uses, &reason.pointer, &reason.message));
                self.errors.extend(refused);
                None
            }
            Err(ConfigureError::Call(error)) => {
                self.errors.push(plugin_config_error(sources, uses, "", &error.to_string()));
                None
            }
        }
    }
}
