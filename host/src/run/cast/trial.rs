//! Lets a plugin say whether it accepts its config, on an instance that can reach nothing.

use std::sync::Arc;

use super::Casting;
use crate::{
    capability::{AssertionPlugin, BehaviorPlugin, FaultPlugin},
    config::{BehaviorConfig, Grants, PluginUse},
    load::{PROBE_TASKS, TaskMix, persona::Plan},
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
        let (json, plan) = self.planned(plugin, uses).await?;
        // Only now is it known which groups of tasks there are to weigh.
        if let Err(because) = TaskMix::new(&plan, config.mix.as_ref()) {
            self.errors.push(self.config.sources.beside_plugin(uses, "mix", &because));
            return None;
        }
        Some(json)
    }

    /// A probe is a behavior with two tasks of certain names.
    pub(super) async fn accept_probe(&mut self, plugin: &BehaviorPlugin, uses: &PluginUse) -> Option<String> {
        let (json, plan) = self.planned(plugin, uses).await?;
        let tasks: Vec<&str> = plan.tasks.iter().map(|task| task.name.as_str()).collect();
        if PROBE_TASKS.iter().all(|wanted| tasks.contains(wanted)) {
            return Some(json);
        }
        let (wanted, tasks) = (PROBE_TASKS.join("` and `"), tasks.join(", "));
        let message =
            format!("plugin `{}` is no probe: a probe has the tasks `{wanted}`, it has {tasks}", uses.plugin);
        self.errors.push(self.config.sources.at_plugin(uses, &message));
        None
    }

    /// Its config with defaults filled in, and the tasks that it has with it.
    async fn planned(&mut self, plugin: &BehaviorPlugin, uses: &PluginUse) -> Option<(String, Plan)> {
        let json = self.fit(plugin.plugin(), uses)?;
        let answer = match plugin.on_trial(&self.trial(plugin.plugin())).await {
            Ok(mut instance) => instance.configure(&json).await,
            Err(error) => Err(broken(error)),
        };
        self.accepted(uses, answer).map(|plan| (json, plan))
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
