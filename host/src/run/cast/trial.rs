//! Lets a plugin say whether it accepts its config, on an instance that can reach nothing.

use std::sync::Arc;

use super::Casting;
use crate::{
    capability::{AssertionPlugin, BehaviorPlugin, FaultPlugin},
    config::{BehaviorConfig, Grants, PluginUse},
    load::TaskMix,
    observe::{Clock, Stream},
    plugin::{CallError, ConfigureError, Plugin, Tenant},
};

impl Casting<'_> {
    pub(super) async fn accept_behavior(
        &mut self,
        plugin: &BehaviorPlugin,
        config: &BehaviorConfig,
    ) -> Option<String> {
        let uses = &config.uses;
        let json = self.fit(plugin.plugin(), uses)?;
        let answer = match plugin.on_trial(&self.trial(plugin.plugin())).await {
            Ok(mut instance) => instance.configure(&json).await,
            Err(error) => Err(broken(error)),
        };
        let plan = self.accepted(uses, answer)?;
        // Only now is it known which groups of tasks there are to weigh.
        if let Err(because) = TaskMix::new(&plan, config.mix.as_ref()) {
            self.errors.push(self.config.sources.beside_plugin(uses, "mix", &because));
            return None;
        }
        Some(json)
    }

    pub(super) async fn accept_fault(&mut self, plugin: &FaultPlugin, uses: &PluginUse) -> Option<String> {
        let json = self.fit(plugin.plugin(), uses)?;
        let answer = match plugin.on_trial(&self.trial(plugin.plugin())).await {
            Ok(mut instance) => instance.configure(&json).await,
            Err(error) => Err(broken(error)),
        };
        self.accepted(uses, answer).map(|()| json)
    }

    pub(super) async fn accept_assertion(
        &mut self,
        plugin: &AssertionPlugin,
        uses: &PluginUse,
    ) -> Option<String> {
        let json = self.fit(plugin.plugin(), uses)?;
        let answer = match plugin.on_trial(&self.trial(plugin.plugin())).await {
            Ok(mut instance) => instance.configure(&json).await,
            Err(error) => Err(broken(error)),
        };
        self.accepted(uses, answer).map(|()| json)
    }

    /// The plugin under its own limits, without grants, and heard by nobody.
    fn trial(&self, plugin: &Plugin) -> Arc<Tenant> {
        let limits = self.config.plugins.get(&plugin.name).cloned().unwrap_or_default().limits;
        let stream = Stream::new(Clock::start());
        Arc::new(Tenant::new(self.worlds.engine(), plugin, limits, Grants::default(), stream, 0))
    }
}

fn broken(error: CallError) -> ConfigureError {
    ConfigureError::Call(error)
}
