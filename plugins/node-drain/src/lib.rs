//! Takes a node out of service as an administrator would: no new instances for it, and those that it
//! carries are evicted, within disruption budgets. Over when as much is ready on the other nodes as was
//! ready before. The node takes instances again when the fault is reverted.

use assay_sdk::cluster::{Instance, InstanceState};
use assay_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Config {
    /// Label selector of what must be ready on other nodes for the platform to have recovered.
    selector: String,
    /// Which node; without it one is drawn from those that carry selected instances.
    #[serde(default)]
    node: Option<String>,
    /// How long evicting may take: budgets make it wait for what was evicted before. Less than the
    /// plugin's `call-timeout`, which is 60 s unless the run config says otherwise.
    #[serde(default = "patience")]
    timeout: Period,
}

fn patience() -> Period {
    Period::from_secs(50)
}

/// What was aimed at.
#[derive(Clone, Deserialize, Serialize)]
struct Memo {
    node: String,
    /// Uids of the selected instances that it carried.
    carried: Vec<String>,
    /// How many selected instances were ready, on all nodes.
    ready: usize,
}

struct NodeDrain {
    config: Config,
    struck: Option<Memo>,
    steps: Steps,
}

impl Fault for NodeDrain {
    type Config = Config;
    const WISHES: &'static [(&'static str, &'static str)] =
        &[("cluster", "lists instances and nodes, and drains one of them")];

    fn new(config: Config) -> Self {
        NodeDrain { config, struck: None, steps: Steps::new() }
    }

    fn preview(&mut self) -> Result<Forecast> {
        let carriers = self.carriers()?;
        let candidates = carriers.iter().map(|(node, here)| candidate(node, here));
        let which = self.config.node.as_deref().unwrap_or("one of them, drawn by the seed");
        let mut findings = Vec::new();
        if cluster::nodes()?.iter().filter(|node| node.ready && node.schedulable).count() < 2 {
            findings.push(Finding::warning("there is no other node that takes what is evicted"));
        }
        Ok(Forecast { victims: candidates.collect(), actions: vec![format!("drain {which}")], findings })
    }

    fn aim(&mut self) -> Result<Strike> {
        let mut carriers = self.carriers()?;
        let (node, here) = carriers.swap_remove(random::index(carriers.len()));
        let all = cluster::instances(&self.config.selector)?;
        let ready = all.iter().filter(|instance| instance.state == InstanceState::Ready).count();
        let victim = candidate(&node, &here);
        let carried = here.into_iter().map(|instance| instance.uid).collect();
        Strike::on([victim]).remember(&Memo { node: node.name, carried, ready })
    }

    fn inject(&mut self, strike: &Strike) -> Result<Injected, InjectError> {
        let memo: Memo = strike.recall()?;
        let now = cluster::instances(&self.config.selector)?;
        if !now.iter().any(|each| each.node == memo.node && memo.carried.contains(&each.uid)) {
            return Err(InjectError::Stale(format!("{} carries none of them any more", memo.node)));
        }
        self.steps = Steps::new();
        let at = clock::now();
        cluster::drain(&memo.node, self.config.timeout.duration())?;
        let means = format!("{} cordoned and what it carried evicted", memo.node);
        self.struck = Some(memo);
        Ok(Injected::new(at, means))
    }

    fn effect(&mut self) -> Result<Impact> {
        let memo = self.struck()?;
        let open = cluster::nodes()?.iter().any(|node| node.name == memo.node && node.schedulable);
        let left = self.left(&memo)?;
        Ok(match (open, left.is_empty()) {
            (true, _) => Impact::absent(format!("{} takes new instances", memo.node)),
            (false, true) => {
                Impact::proven(format!("{} takes no new instances, and the old ones are gone", memo.node))
            }
            (false, false) => Impact::not_yet(format!("{} still carries {}", memo.node, left.join(", "))),
        })
    }

    fn recovered(&mut self) -> Result<Recovery> {
        let memo = self.struck()?;
        if self.left(&memo)?.is_empty() {
            self.steps.observe("evicted", clock::now(), format!("{} carries none of them", memo.node));
        }
        let elsewhere = |each: &&Instance| each.state == InstanceState::Ready && each.node != memo.node;
        let ready = cluster::instances(&self.config.selector)?.iter().filter(elsewhere).count();
        if ready >= memo.ready {
            let detail = format!("{ready} are ready on other nodes, {} on all before", memo.ready);
            self.steps.observe("ready", clock::now(), detail);
        }
        Ok(self.steps.recovery(self.steps.has("evicted") && self.steps.has("ready")))
    }
}

fn candidate(node: &cluster::Node, here: &[Instance]) -> Victim {
    let names: Vec<_> = here.iter().map(|instance| instance.name.as_str()).collect();
    Victim::new(&node.name, "node", format!("carries {}", names.join(", ")))
}

impl NodeDrain {
    /// The nodes that may be struck, at least one.
    fn carriers(&self) -> Result<Vec<(cluster::Node, Vec<Instance>)>> {
        cluster::carriers(&self.config.selector, self.config.node.as_deref())
    }

    /// What the node carried and still does.
    fn left(&self, memo: &Memo) -> Result<Vec<String>> {
        let mut now = cluster::instances(&self.config.selector)?;
        now.retain(|each| each.node == memo.node && memo.carried.contains(&each.uid));
        Ok(now.into_iter().map(|instance| instance.name).collect())
    }

    fn struck(&self) -> Result<Memo> {
        self.struck.clone().ok_or_else(|| Failure::other("nothing was struck yet"))
    }
}

assay_sdk::export!(fault NodeDrain);

#[cfg(test)]
mod tests;
