//! Kills some instances of a workload, drawn by the run's seed, and waits until as many are ready as
//! were before.
//!
//! Only instances that are ready are drawn: to kill what does not serve shows nothing.

mod config;

use assay_sdk::cluster::{Instance, InstanceState};
use assay_sdk::prelude::*;
use serde::{Deserialize, Serialize};

use crate::config::Config;

/// How long the victims may still be as they were before the strike counts as without effect.
const BITES_WITHIN: u64 = 10_000_000_000;

/// An instance as it was when it was aimed at.
#[derive(Clone, Deserialize, Serialize)]
struct Target {
    name: String,
    uid: String,
    restarts: u32,
}

impl Target {
    /// Is this the very same one, never restarted?
    fn is(&self, instance: &Instance) -> bool {
        (&self.name, &self.uid, self.restarts) == (&instance.name, &instance.uid, instance.restarts)
    }
}

/// What was aimed at.
#[derive(Clone, Deserialize, Serialize)]
struct Memo {
    victims: Vec<Target>,
    /// How many were ready in all.
    ready: usize,
}

struct PodKill {
    config: Config,
    /// What was struck, and when.
    struck: Option<(Memo, u64)>,
    steps: Steps,
}

impl Fault for PodKill {
    type Config = Config;
    const WISHES: &'static [(&'static str, &'static str)] =
        &[("cluster", "lists the instances and ends some of them")];

    fn validate(config: &Config) -> Vec<ConfigError> {
        let mut errors = Vec::new();
        if config.count.is_some() && config.share.is_some() {
            errors.push(ConfigError::at("/share", "allowed is a count or a share, not both"));
        }
        if config.share.is_some_and(|share| !(share.ratio() > 0.0 && share.ratio() <= 1.0)) {
            errors.push(ConfigError::at("/share", "allowed is more than 0% and at most 100%"));
        }
        errors
    }

    fn new(config: Config) -> Self {
        PodKill { config, struck: None, steps: Steps::new() }
    }

    fn preview(&mut self) -> Result<Forecast> {
        let ready = self.ready()?;
        let candidates = ready
            .iter()
            .map(|instance| Victim::new(&instance.name, "candidate", format!("ready on {}", instance.node)));
        let held = if self.config.hold { " and hold until the revert" } else { "" };
        let (how_many, manner) = (self.config.how_many(), self.config.manner.name());
        let actions = vec![format!("{manner} {how_many} of {}{held}", self.config.selector)];
        let mut findings = Vec::new();
        if self.config.victims(ready.len()) > ready.len() {
            let ready = ready.len();
            findings.push(Finding::warning(format!(
                "only {ready} are ready now, and {how_many} shall be killed"
            )));
        } else if self.config.victims(ready.len()) == ready.len() {
            findings.push(Finding::note("none is left to serve meanwhile"));
        }
        Ok(Forecast { victims: candidates.collect(), actions, findings })
    }

    fn aim(&mut self) -> Result<Strike> {
        let mut ready = self.ready()?;
        let (before, wanted) = (ready.len(), self.config.victims(ready.len()));
        if before < wanted {
            return Err(Failure::Conflict(format!(
                "only {before} of {} are ready, and {wanted} shall be killed",
                self.config.selector
            )));
        }
        let drawn: Vec<_> = (0..wanted).map(|_| ready.swap_remove(random::index(ready.len()))).collect();
        let because = format!("drawn from the {before} that are ready");
        let victims = drawn.iter().map(|victim| Victim::new(&victim.name, "", &because));
        let targets = drawn.iter().map(|victim| Target {
            name: victim.name.clone(),
            uid: victim.uid.clone(),
            restarts: victim.restarts,
        });
        Strike::on(victims).remember(&Memo { victims: targets.collect(), ready: before })
    }

    fn inject(&mut self, strike: &Strike) -> Result<Injected, InjectError> {
        let memo: Memo = strike.recall()?;
        let now = self.instances()?;
        // All or none: once the first is gone, the aim cannot be taken back.
        if let Some(gone) = memo.victims.iter().find(|victim| !now.iter().any(|each| victim.is(each))) {
            return Err(InjectError::Stale(format!("{} is no longer who it was", gone.name)));
        }
        let end = if self.config.hold { cluster::terminate_and_hold } else { cluster::terminate };
        let at = clock::now();
        let mut means = Vec::new();
        for victim in &memo.victims {
            let how = end(&victim.name, &victim.uid, self.config.manner.manner());
            means.push(format!("{}: {}", victim.name, how.map_err(InjectError::Failed)?));
        }
        self.steps = Steps::new();
        self.struck = Some((memo, at));
        Ok(Injected::new(at, means.join("; ")))
    }

    fn effect(&mut self) -> Result<Impact> {
        let (memo, at) = self.struck()?;
        let unharmed = memo.unharmed(&self.instances()?);
        if unharmed.is_empty() {
            return Ok(Impact::proven("no victim is as it was"));
        }
        let probed = format!("still ready, never restarted: {}", unharmed.join(", "));
        match clock::now().saturating_sub(at) < BITES_WITHIN {
            true => Ok(Impact::not_yet(probed)),
            false => Ok(Impact::absent(probed)),
        }
    }

    fn recovered(&mut self) -> Result<Recovery> {
        let (memo, _) = self.struck()?;
        let now = self.instances()?;
        if memo.unharmed(&now).is_empty() {
            self.steps.observe("gone", clock::now(), "no victim is as it was");
            let ready = now.iter().filter(|instance| instance.state == InstanceState::Ready).count();
            if ready >= memo.ready {
                self.steps.observe(
                    "ready",
                    clock::now(),
                    format!("{ready} are ready, {} before", memo.ready),
                );
            }
        }
        Ok(self.steps.recovery(self.steps.has("ready")))
    }
}

impl Memo {
    /// The victims that go on as if nothing had happened.
    fn unharmed(&self, now: &[Instance]) -> Vec<&str> {
        let serves =
            |victim: &&Target| now.iter().any(|each| victim.is(each) && each.state == InstanceState::Ready);
        self.victims.iter().filter(serves).map(|victim| victim.name.as_str()).collect()
    }
}

impl PodKill {
    fn instances(&self) -> Result<Vec<Instance>> {
        cluster::instances(&self.config.selector)
    }

    /// Sorted by name, so that the same seed draws the same ones.
    fn ready(&self) -> Result<Vec<Instance>> {
        let mut ready = self.instances()?;
        ready.retain(|instance| instance.state == InstanceState::Ready);
        ready.sort_by(|one, other| one.name.cmp(&other.name));
        match ready.is_empty() {
            true => Err(Failure::NotFound(format!("none of {} is ready", self.config.selector))),
            false => Ok(ready),
        }
    }

    fn struck(&self) -> Result<(Memo, u64)> {
        self.struck.clone().ok_or_else(|| Failure::other("nothing was struck yet"))
    }
}

assay_sdk::export!(fault PodKill);

#[cfg(test)]
mod tests;
