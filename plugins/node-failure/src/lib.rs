//! Turns the power of a node off, and waits until as much is ready on the other nodes as was ready
//! before. The node comes back when the fault is reverted.
//!
//! What cannot move, because its data are on the node, never is ready elsewhere: the selector is of
//! what has to be.

use std::time::Duration;

use assay_sdk::cluster::{Carrier, Vacancy};
use assay_sdk::prelude::*;
use schemars::JsonSchema;
use serde::Deserialize;

/// How long the node may still count as ready before the strike counts as without effect. Kubernetes
/// gives a node 40 s by default until it believes it gone.
const BITES_WITHIN: Duration = Duration::from_secs(60);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Config {
    /// Label selector of what must be ready on other nodes for the platform to have recovered.
    selector: String,
    /// Which node; without it one is drawn from those that carry selected instances.
    #[serde(default)]
    node: Option<String>,
}

struct NodeFailure {
    config: Config,
    struck: Struck<Vacancy>,
    steps: Steps,
}

impl Fault for NodeFailure {
    type Config = Config;
    const WISHES: &'static [(&'static str, &'static str)] =
        &[("cluster", "lists instances and nodes, and turns one of them off")];

    fn new(config: Config) -> Self {
        NodeFailure { config, struck: Struck::nothing(), steps: Steps::new() }
    }

    fn preview(&mut self) -> Result<Forecast> {
        let carriers = cluster::carriers(&self.config.selector, self.config.node.as_deref())?;
        let candidates = carriers.iter().map(Carrier::victim);
        let which = self.config.node.as_deref().unwrap_or("one of them, drawn by the seed");
        let mut findings = Vec::new();
        if cluster::nodes()?.iter().filter(|node| node.ready).count() < 2 {
            findings.push(Finding::warning("there is no other node that is ready"));
        }
        let actions = vec![format!("power off {which}")];
        Ok(Forecast { victims: candidates.collect(), actions, findings })
    }

    fn aim(&mut self) -> Result<Strike> {
        let carrier = Carrier::draw(&self.config.selector, self.config.node.as_deref())?;
        Strike::on([carrier.victim()]).remember(&Vacancy::of(&carrier.node, &self.config.selector)?)
    }

    fn inject(&mut self, strike: &Strike) -> Result<Injected, InjectError> {
        let vacancy: Vacancy = strike.recall()?;
        if is_down(&vacancy.node)? {
            return Err(InjectError::Stale(format!("{} is no longer a ready node", vacancy.node)));
        }
        let at = clock::now();
        let means = cluster::fail_node(&vacancy.node)?;
        self.steps = Steps::new();
        self.struck = Struck::at(at, vacancy);
        Ok(Injected::new(at, means))
    }

    fn effect(&mut self) -> Result<Impact> {
        let Vacancy { node, .. } = self.struck.what()?;
        Ok(match is_down(&node)? {
            true => Impact::proven(format!("{node} is not ready")),
            false => self.struck.unseen(BITES_WITHIN, format!("{node} is ready")),
        })
    }

    fn recovered(&mut self) -> Result<Recovery> {
        let vacancy = self.struck.what()?;
        if is_down(&vacancy.node)? {
            self.steps.observe("detected", clock::now(), format!("{} is not ready", vacancy.node));
        }
        if let Some(detail) = vacancy.filled(&self.config.selector)? {
            self.steps.observe("ready", clock::now(), detail);
        }
        Ok(self.steps.recovery(self.steps.has("detected") && self.steps.has("ready")))
    }
}

fn is_down(node: &str) -> Result<bool> {
    Ok(!cluster::nodes()?.iter().any(|each| each.name == node && each.ready))
}

assay_sdk::export!(fault NodeFailure);

#[cfg(test)]
mod tests;
