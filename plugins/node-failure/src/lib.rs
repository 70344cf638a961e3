//! Turns the power of a node off, and waits until as much is ready on the other nodes as was ready
//! before. The node comes back when the fault is reverted.
//!
//! What cannot move, because its data are on the node, never is ready elsewhere: the selector is of
//! what has to be.

use assay_sdk::cluster::{Instance, InstanceState};
use assay_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How long the node may still count as ready before the strike counts as without effect. Kubernetes
/// gives a node 40 s by default until it believes it gone.
const BITES_WITHIN: u64 = 60_000_000_000;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Config {
    /// Label selector of what must be ready on other nodes for the platform to have recovered.
    selector: String,
    /// Which node; without it one is drawn from those that carry selected instances.
    #[serde(default)]
    node: Option<String>,
}

/// What was aimed at.
#[derive(Clone, Deserialize, Serialize)]
struct Memo {
    node: String,
    /// How many selected instances were ready, on all nodes.
    ready: usize,
}

struct NodeFailure {
    config: Config,
    /// What was struck, and when.
    struck: Option<(Memo, u64)>,
    steps: Steps,
}

impl Fault for NodeFailure {
    type Config = Config;
    const WISHES: &'static [(&'static str, &'static str)] =
        &[("cluster", "lists instances and nodes, and turns one of them off")];

    fn new(config: Config) -> Self {
        NodeFailure { config, struck: None, steps: Steps::new() }
    }

    fn preview(&mut self) -> Result<Forecast> {
        let carriers = self.carriers()?;
        let candidates = carriers.iter().map(|(node, here)| candidate(node, here));
        let which = self.config.node.as_deref().unwrap_or("one of them, drawn by the seed");
        let mut findings = Vec::new();
        if cluster::nodes()?.iter().filter(|node| node.ready).count() < 2 {
            findings.push(Finding::warning("there is no other node that is ready"));
        }
        let actions = vec![format!("power off {which}")];
        Ok(Forecast { victims: candidates.collect(), actions, findings })
    }

    fn aim(&mut self) -> Result<Strike> {
        let mut carriers = self.carriers()?;
        let (node, here) = carriers.swap_remove(random::index(carriers.len()));
        let all = cluster::instances(&self.config.selector)?;
        let ready = all.iter().filter(|instance| instance.state == InstanceState::Ready).count();
        let victim = candidate(&node, &here);
        Strike::on([victim]).remember(&Memo { node: node.name, ready })
    }

    fn inject(&mut self, strike: &Strike) -> Result<Injected, InjectError> {
        let memo: Memo = strike.recall()?;
        if !cluster::nodes()?.iter().any(|node| node.name == memo.node && node.ready) {
            return Err(InjectError::Stale(format!("{} is no longer a ready node", memo.node)));
        }
        let at = clock::now();
        let means = cluster::fail_node(&memo.node)?;
        self.steps = Steps::new();
        self.struck = Some((memo, at));
        Ok(Injected::new(at, means))
    }

    fn effect(&mut self) -> Result<Impact> {
        let (memo, at) = self.struck()?;
        Ok(match self.is_down(&memo)? {
            true => Impact::proven(format!("{} is not ready", memo.node)),
            false if clock::now().saturating_sub(at) < BITES_WITHIN => {
                Impact::not_yet(format!("{} is ready", memo.node))
            }
            false => Impact::absent(format!("{} is ready", memo.node)),
        })
    }

    fn recovered(&mut self) -> Result<Recovery> {
        let (memo, _) = self.struck()?;
        if self.is_down(&memo)? {
            self.steps.observe("detected", clock::now(), format!("{} is not ready", memo.node));
        }
        let elsewhere = |each: &&Instance| each.state == InstanceState::Ready && each.node != memo.node;
        let ready = cluster::instances(&self.config.selector)?.iter().filter(elsewhere).count();
        if ready >= memo.ready {
            let detail = format!("{ready} are ready on other nodes, {} on all before", memo.ready);
            self.steps.observe("ready", clock::now(), detail);
        }
        Ok(self.steps.recovery(self.steps.has("detected") && self.steps.has("ready")))
    }
}

fn candidate(node: &cluster::Node, here: &[Instance]) -> Victim {
    let names: Vec<_> = here.iter().map(|instance| instance.name.as_str()).collect();
    Victim::new(&node.name, "node", format!("carries {}", names.join(", ")))
}

impl NodeFailure {
    /// The nodes that may be struck, at least one.
    fn carriers(&self) -> Result<Vec<(cluster::Node, Vec<Instance>)>> {
        cluster::carriers(&self.config.selector, self.config.node.as_deref())
    }

    fn is_down(&self, memo: &Memo) -> Result<bool> {
        Ok(!cluster::nodes()?.iter().any(|node| node.name == memo.node && node.ready))
    }

    fn struck(&self) -> Result<(Memo, u64)> {
        self.struck.clone().ok_or_else(|| Failure::other("nothing was struck yet"))
    }
}

assay_sdk::export!(fault NodeFailure);

#[cfg(test)]
mod tests;
