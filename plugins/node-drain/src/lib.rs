//! Takes a node out of service as an administrator would: no new instances for it, and those that it
//! carries are evicted, within disruption budgets. Over when as much is ready on the other nodes as was
//! ready before. The node takes instances again when the fault is reverted.

use assay_sdk::cluster::{Carrier, Vacancy};
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
    /// Uids of the selected instances that the node carried.
    carried: Vec<String>,
    vacancy: Vacancy,
}

struct NodeDrain {
    config: Config,
    struck: Struck<Memo>,
    steps: Steps,
}

impl Fault for NodeDrain {
    type Config = Config;
    const WISHES: &'static [(&'static str, &'static str)] =
        &[("cluster", "lists instances and nodes, and drains one of them")];

    fn new(config: Config) -> Self {
        NodeDrain { config, struck: Struck::nothing(), steps: Steps::new() }
    }

    fn preview(&mut self) -> Result<Forecast> {
        let carriers = cluster::carriers(&self.config.selector, self.config.node.as_deref())?;
        let candidates = carriers.iter().map(Carrier::victim);
        let which = self.config.node.as_deref().unwrap_or("one of them, drawn by the seed");
        let mut findings = Vec::new();
        if cluster::nodes()?.iter().filter(|node| node.ready && node.schedulable).count() < 2 {
            findings.push(Finding::warning("there is no other node that takes what is evicted"));
        }
        Ok(Forecast { victims: candidates.collect(), actions: vec![format!("drain {which}")], findings })
    }

    fn aim(&mut self) -> Result<Strike> {
        let carrier = Carrier::draw(&self.config.selector, self.config.node.as_deref())?;
        let vacancy = Vacancy::of(&carrier.node, &self.config.selector)?;
        let victim = carrier.victim();
        let carried = carrier.carried.into_iter().map(|instance| instance.uid).collect();
        Strike::on([victim]).remember(&Memo { carried, vacancy })
    }

    fn inject(&mut self, strike: &Strike) -> Result<Injected, InjectError> {
        let memo: Memo = strike.recall()?;
        let node = &memo.vacancy.node;
        if self.left(&memo)?.is_empty() {
            return Err(InjectError::Stale(format!("{node} carries none of them any more")));
        }
        self.steps = Steps::new();
        let at = clock::now();
        cluster::drain(node, self.config.timeout.duration())?;
        let means = format!("{node} cordoned and what it carried evicted");
        self.struck = Struck::at(at, memo);
        Ok(Injected::new(at, means))
    }

    fn effect(&mut self) -> Result<Impact> {
        let memo = self.struck.what()?;
        let node = &memo.vacancy.node;
        let open = cluster::nodes()?.iter().any(|each| each.name == *node && each.schedulable);
        let left = self.left(&memo)?;
        Ok(match (open, left.is_empty()) {
            (true, _) => Impact::absent(format!("{node} takes new instances")),
            (false, true) => {
                Impact::proven(format!("{node} takes no new instances, and the old ones are gone"))
            }
            (false, false) => Impact::not_yet(format!("{node} still carries {}", left.join(", "))),
        })
    }

    fn recovered(&mut self) -> Result<Recovery> {
        let memo = self.struck.what()?;
        if self.left(&memo)?.is_empty() {
            let detail = format!("{} carries none of them", memo.vacancy.node);
            self.steps.observe("evicted", clock::now(), detail);
        }
        if let Some(detail) = memo.vacancy.filled(&self.config.selector)? {
            self.steps.observe("ready", clock::now(), detail);
        }
        Ok(self.steps.recovery(self.steps.has("evicted") && self.steps.has("ready")))
    }
}

impl NodeDrain {
    /// What the node carried and still does.
    fn left(&self, memo: &Memo) -> Result<Vec<String>> {
        let mut now = cluster::instances(&self.config.selector)?;
        now.retain(|each| each.node == memo.vacancy.node && memo.carried.contains(&each.uid));
        Ok(now.into_iter().map(|instance| instance.name).collect())
    }
}

assay_sdk::export!(fault NodeDrain);

#[cfg(test)]
mod tests;
