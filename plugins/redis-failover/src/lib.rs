//! Ends the Redis master and follows the failover.
//!
//! The master is who says so when asked and whom most Sentinels name, never whom a label names. Held by
//! default, because a master that is restarted before anybody noticed goes on as one, and nothing was
//! proven.

mod config;
mod roles;
mod sentinel;

use assay_sdk::cluster::{Instance, InstanceState};
use assay_sdk::prelude::*;
use serde::{Deserialize, Serialize};

use crate::config::{Config, End};
use crate::roles::{Role, ask, ask_all};

/// How long the victim may still answer before the strike counts as without effect.
const BITES_WITHIN: u64 = 10_000_000_000;

/// Who was aimed at.
#[derive(Clone, Deserialize, Serialize)]
struct Memo {
    name: String,
    uid: String,
    restarts: u32,
}

struct RedisFailover {
    config: Config,
    /// Who was struck, and when.
    struck: Option<(Memo, u64)>,
    steps: Steps,
}

impl Fault for RedisFailover {
    type Config = Config;
    const WISHES: &'static [(&'static str, &'static str)] = &[
        ("cluster", "lists the servers and the Sentinels, and ends the master"),
        ("redis", "asks each server for its role, and each Sentinel for the master"),
    ];

    fn new(config: Config) -> Self {
        RedisFailover { config, struck: None, steps: Steps::new() }
    }

    fn preview(&mut self) -> Result<Forecast> {
        let (instance, victim) = self.master()?;
        let manner = self.config.manner.name();
        let held = if self.config.hold { " and hold it until the revert" } else { "" };
        let actions = vec![format!("{manner} {}{held}", instance.name)];
        let mut findings = Vec::new();
        if self.instances()?.len() < 2 {
            findings.push(Finding::warning("there is no replica to fail over to"));
        }
        if !self.config.hold {
            findings.push(Finding::note(
                "not held: it may come back before anybody noticed, and then there is no failover; coming back \
                 empty, it takes its replicas' data with it",
            ));
        }
        Ok(Forecast { victims: vec![victim], actions, findings })
    }

    fn aim(&mut self) -> Result<Strike> {
        let (Instance { name, uid, restarts, .. }, victim) = self.master()?;
        Strike::on([victim]).remember(&Memo { name, uid, restarts })
    }

    fn inject(&mut self, strike: &Strike) -> Result<Injected, InjectError> {
        let memo: Memo = strike.recall()?;
        let role = ask(&self.config, &memo.name);
        if role != Role::Master {
            return Err(InjectError::Stale(format!("{} {}", memo.name, role.words())));
        }
        let end = if self.config.hold { cluster::terminate_and_hold } else { cluster::terminate };
        let at = clock::now();
        let means =
            end(&memo.name, &memo.uid, self.config.manner.manner()).map_err(|failure| match failure {
                Failure::Conflict(text) | Failure::NotFound(text) => InjectError::Stale(text),
                other => InjectError::Failed(other),
            })?;
        self.steps = Steps::new();
        self.struck = Some((memo, at));
        Ok(Injected::new(at, means))
    }

    fn effect(&mut self) -> Result<Impact> {
        let (victim, at) = self.struck()?;
        let now = self.instances()?.into_iter().find(|each| each.name == victim.name);
        match now {
            None => return Ok(Impact::proven(format!("{} is gone", victim.name))),
            Some(now) if now.uid != victim.uid || now.restarts != victim.restarts => {
                return Ok(Impact::proven(format!("{} was started anew since", victim.name)));
            }
            Some(_) => {}
        }
        let role = ask(&self.config, &victim.name);
        let probed = format!("{} {}", victim.name, role.words());
        Ok(match role {
            Role::Unknown { because } if because.is_silence() || matches!(because, Failure::NotFound(_)) => {
                Impact::proven(probed)
            }
            _ if clock::now().saturating_sub(at) < BITES_WITHIN => Impact::not_yet(probed),
            _ => Impact::absent(probed),
        })
    }

    fn recovered(&mut self) -> Result<Recovery> {
        let (victim, _) = self.struck()?;
        let (former, others): (Vec<_>, Vec<_>) =
            self.instances()?.into_iter().partition(|each| each.name == victim.name);
        let opinions = sentinel::ask_all(&self.config.sentinel)?;
        if let Some(first) = opinions.iter().find(|opinion| opinion.gave_up()) {
            let detail = format!("{} knows that others miss the master, too", first.sentinel);
            self.steps.observe("detected", clock::now(), detail);
        }
        for (name, role) in ask_all(&self.config, &others) {
            if role == Role::Master {
                self.steps.observe("promoted", clock::now(), format!("{name} says that it is a master"));
            }
        }
        // One that is down or frozen would cost a whole timeout at every poll.
        let frozen = self.config.manner == End::Freeze && self.config.hold;
        let back = former.iter().find(|each| each.state == InstanceState::Ready && !frozen);
        if let Some(back) = back
            && !self.steps.has("promoted")
            && (back.restarts != victim.restarts || back.uid != victim.uid)
            && ask(&self.config, &back.name) == Role::Master
        {
            let detail = format!("{} is the master again", back.name);
            self.steps.observe("same-primary-returned", clock::now(), detail);
        }
        if self.steps.has("promoted") && !self.steps.has("routed") {
            let agreed = others.iter().find(|other| {
                ask(&self.config, &other.name) == Role::Master
                    && opinions.iter().filter(|opinion| opinion.names(other)).count() * 2 > opinions.len()
            });
            if let Some(master) = agreed {
                let detail = format!("most Sentinels send clients to {}", master.name);
                self.steps.observe("routed", clock::now(), detail);
            }
        }
        let complete = self.steps.has("routed") || self.steps.has("same-primary-returned");
        Ok(self.steps.recovery(complete))
    }
}

impl RedisFailover {
    fn instances(&self) -> Result<Vec<Instance>> {
        cluster::instances(&self.config.selector)
    }

    /// The one server that says it is the master, and that most Sentinels name.
    fn master(&self) -> Result<(Instance, Victim)> {
        let instances = self.instances()?;
        let roles = ask_all(&self.config, &instances);
        let opinions = sentinel::ask_all(&self.config.sentinel)?;
        let answers = roles.iter().map(|(name, role)| format!("{name} {}", role.words()));
        let answers =
            answers.chain(opinions.iter().map(sentinel::Opinion::words)).collect::<Vec<_>>().join("; ");
        let mut masters = instances.iter().zip(&roles).filter(|(instance, (_, role))| {
            let named = opinions.iter().filter(|opinion| opinion.names(instance)).count();
            *role == Role::Master && named * 2 > opinions.len()
        });
        match (masters.next(), masters.next()) {
            (Some((instance, _)), None) => {
                let victim = Victim::new(&instance.name, "primary", format!("asked by redis: {answers}"));
                Ok((instance.clone(), victim))
            }
            _ => Err(Failure::Conflict(format!(
                "not exactly one of {} is a master that most Sentinels name: {}",
                self.config.selector,
                if answers.is_empty() { "there is none" } else { &answers }
            ))),
        }
    }

    fn struck(&self) -> Result<(Memo, u64)> {
        self.struck.clone().ok_or_else(|| Failure::other("nothing was struck yet"))
    }
}

assay_sdk::export!(fault RedisFailover);

#[cfg(test)]
mod tests;
