//! Cuts a group of instances off from another group or from all, in one direction or both, and joins
//! them again when the fault is reverted.
//!
//! A cluster can accept a network policy without enforcing it. So nothing is believed here: a connection
//! that works just before the strike is tried again after it.

mod config;
mod probe;

use assay_sdk::cluster::{Instance, InstanceState};
use assay_sdk::prelude::*;
use serde::{Deserialize, Serialize};

use crate::config::{Config, Direction, Members};
use crate::probe::Path;

/// How long the probe may still get through before the strike counts as without effect.
const BITES_WITHIN: u64 = 15_000_000_000;

/// What was aimed at.
#[derive(Clone, Deserialize, Serialize)]
struct Memo {
    /// Selectors, each of which is cut off by itself.
    cuts: Vec<String>,
    probe: Path,
}

struct NetworkPartition {
    config: Config,
    /// What was struck, and when.
    struck: Option<(Memo, u64)>,
    steps: Steps,
}

impl Fault for NetworkPartition {
    type Config = Config;
    const WISHES: &'static [(&'static str, &'static str)] =
        &[("cluster", "lists instances, cuts them off, and tries a connection inside one of them")];

    fn validate(config: &Config) -> Vec<ConfigError> {
        config.errors()
    }

    fn new(config: Config) -> Self {
        NetworkPartition { config, struck: None, steps: Steps::new() }
    }

    fn preview(&mut self) -> Result<Forecast> {
        let group = running(&self.config.selector)?;
        let victims = group.iter().map(|member| Victim::new(&member.name, "candidate", "running"));
        let Config { members, direction, .. } = self.config;
        let (selector, whom) = (&self.config.selector, self.config.cut_from());
        let actions =
            vec![format!("cut {} of {selector} off from {whom} {}", members.words(), direction.words())];
        let mut findings = Vec::new();
        if members == Members::Minority && members.of(group.len()) == 0 {
            let running = group.len();
            findings.push(Finding::warning(format!(
                "{running} running have no minority, and nothing would be cut"
            )));
        }
        Ok(Forecast { victims: victims.collect(), actions, findings })
    }

    fn aim(&mut self) -> Result<Strike> {
        let mut group = running(&self.config.selector)?;
        let (all, wanted) = (group.len(), self.config.members.of(group.len()));
        let drawn: Vec<_> = (0..wanted).map(|_| group.swap_remove(random::index(group.len()))).collect();
        let Some(first) = drawn.first() else {
            return Err(Failure::Conflict(format!(
                "{all} of {} running have no minority",
                self.config.selector
            )));
        };
        let probe = self.probe(first)?;
        if !probe.is_open()? {
            return Err(Failure::Conflict(format!(
                "{} does not reach {} before the strike either, so nothing could be shown",
                probe.from,
                probe.words()
            )));
        }
        let cuts = match self.config.members {
            // New members of the group are cut off as well.
            Members::All => vec![self.config.selector.clone()],
            Members::Minority | Members::Majority => {
                drawn.iter().map(|member| format!("name={}", member.name)).collect()
            }
        };
        let because = format!("{} of the {all} that run", self.config.members.words());
        let victims: Vec<_> = drawn.iter().map(|member| Victim::new(&member.name, "", &because)).collect();
        Strike::on(victims).remember(&Memo { cuts, probe })
    }

    fn inject(&mut self, strike: &Strike) -> Result<Injected, InjectError> {
        let memo: Memo = strike.recall()?;
        let at = clock::now();
        for cut in &memo.cuts {
            cluster::isolate(cut, self.config.peer.as_deref(), self.config.direction.cut())?;
        }
        let means = format!("cut off from {} {}", self.config.cut_from(), self.config.direction.words());
        self.steps = Steps::new();
        self.struck = Some((memo, at));
        Ok(Injected::new(at, means))
    }

    fn effect(&mut self) -> Result<Impact> {
        let (Memo { probe, .. }, at) = self.struck()?;
        if !probe.is_open()? {
            let probed = format!("{} reached {} before, and does not now", probe.from, probe.words());
            self.steps.observe("separated", clock::now(), &probed);
            return Ok(Impact::proven(probed));
        }
        let probed = format!("{} still reaches {}", probe.from, probe.words());
        Ok(match clock::now().saturating_sub(at) < BITES_WITHIN {
            true => Impact::not_yet(probed),
            false => Impact::absent(format!("{probed}: is the policy enforced here?")),
        })
    }

    /// What a partition breaks, others recover from or do not; it has nothing to wait for itself.
    fn recovered(&mut self) -> Result<Recovery> {
        Ok(self.steps.recovery(self.steps.has("separated")))
    }
}

impl NetworkPartition {
    /// The connection to try: against the way that is cut, between a member and somebody else.
    fn probe(&self, member: &Instance) -> Result<Path> {
        let others = running(self.config.other_side())?;
        let other = others.iter().find(|other| other.name != member.name);
        let other = other.ok_or_else(|| {
            Failure::NotFound(format!("nobody of {} but {}", self.config.other_side(), member.name))
        })?;
        match self.config.direction {
            Direction::Ingress => Path::between(other, member, self.config.probe.port),
            Direction::Both | Direction::Egress => Path::between(member, other, self.config.probe.port),
        }
    }

    fn struck(&self) -> Result<(Memo, u64)> {
        self.struck.clone().ok_or_else(|| Failure::other("nothing was struck yet"))
    }
}

/// What runs, sorted by name, so that the same seed draws the same ones.
fn running(selector: &str) -> Result<Vec<Instance>> {
    let mut running = cluster::instances(selector)?;
    running.retain(|each| matches!(each.state, InstanceState::Running | InstanceState::Ready));
    running.sort_by(|one, other| one.name.cmp(&other.name));
    match running.is_empty() {
        true => Err(Failure::NotFound(format!("none of {selector} runs"))),
        false => Ok(running),
    }
}

assay_sdk::export!(fault NetworkPartition);

#[cfg(test)]
mod tests;
