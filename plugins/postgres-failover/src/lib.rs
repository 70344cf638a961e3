//! Ends the PostgreSQL primary and follows the failover.
//!
//! The primary is whoever says so when asked, never whom a label names: labels lag. Held by default,
//! because a primary that is restarted before anybody noticed recovers in place, and nothing was
//! proven.

mod config;
mod patroni;
mod roles;

use std::time::Duration;

use assay_sdk::cluster::Identity;
use assay_sdk::config::End;
use assay_sdk::prelude::*;
use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::patroni::Patroni;
use crate::roles::{Role, ask, ask_all};

/// How long the victim may still answer before the strike counts as without effect.
const BITES_WITHIN: Duration = Duration::from_secs(10);

/// Who was aimed at.
#[derive(Clone, Deserialize, Serialize)]
struct Memo {
    primary: Identity,
    address: Option<String>,
    timeline: u64,
}

struct PostgresFailover {
    config: Config,
    patroni: Option<Patroni>,
    struck: Struck<Memo>,
    steps: Steps,
}

impl Fault for PostgresFailover {
    type Config = Config;
    const WISHES: &'static [(&'static str, &'static str)] = &[
        ("cluster", "lists the instances and ends the primary"),
        ("sql", "asks each instance whether it is the primary"),
        ("http", "asks Patroni when it noticed (without it, that step is missing)"),
    ];

    fn new(config: Config) -> Self {
        let patroni = config.patroni_port.map(Patroni::new);
        PostgresFailover { config, patroni, struck: Struck::nothing(), steps: Steps::new() }
    }

    fn preview(&mut self) -> Result<Forecast> {
        let (memo, victim) = self.primary()?;
        let manner = self.config.manner.how().name();
        let held = if self.config.hold { " and hold it until the revert" } else { "" };
        let actions = vec![format!("{manner} {}{held}", memo.primary.name)];
        let mut findings = Vec::new();
        if cluster::instances(&self.config.selector)?.len() < 2 {
            findings.push(Finding::warning("there is no other instance to fail over to"));
        }
        if !self.config.hold {
            findings.push(Finding::note("not held: it may recover in place, and then there is no failover"));
        }
        Ok(Forecast { victims: vec![victim], actions, findings })
    }

    fn aim(&mut self) -> Result<Strike> {
        let (memo, victim) = self.primary()?;
        Strike::on([victim]).remember(&memo)
    }

    fn inject(&mut self, strike: &Strike) -> Result<Injected, InjectError> {
        let memo: Memo = strike.recall()?;
        let Memo { primary, timeline, .. } = &memo;
        let role = ask(&self.config.database(&primary.name));
        if role != (Role::Primary { timeline: *timeline }) {
            return Err(InjectError::Stale(format!("{} {}", primary.name, role.words())));
        }
        let at = clock::now();
        let ended = primary.terminate(self.config.manner.how(), self.config.hold);
        let means = ended.map_err(InjectError::at_victim)?;
        self.steps = Steps::new();
        self.struck = Struck::at(at, memo);
        Ok(Injected::new(at, means))
    }

    fn effect(&mut self) -> Result<Impact> {
        let Memo { primary: victim, .. } = self.struck.what()?;
        if let Some(fate) = victim.fate(&cluster::instances(&self.config.selector)?) {
            return Ok(Impact::proven(fate));
        }
        Ok(match ask(&self.config.database(&victim.name)) {
            // An answer that is an error is an answer.
            Role::Unknown { because } if because.is_silence() || matches!(because, Failure::NotFound(_)) => {
                Impact::proven(format!("{} does not answer: {because}", victim.name))
            }
            role => self.struck.unseen(BITES_WITHIN, format!("{} {}", victim.name, role.words())),
        })
    }

    fn recovered(&mut self) -> Result<Recovery> {
        let Memo { primary: victim, address, timeline: before } = self.struck.what()?;
        let instances = cluster::instances(&self.config.selector)?;
        let (former, others): (Vec<_>, Vec<_>) = instances.into_iter().partition(|it| it.name == victim.name);
        if let Some(patroni) = &mut self.patroni
            && !self.steps.has("detected")
            && let Some(detail) = patroni.noticed(&others, &victim.name, address.as_deref())
        {
            self.steps.observe("detected", clock::now(), detail);
        }
        for (name, role) in ask_all(&self.config, &others) {
            if let Role::Primary { timeline } = role
                && timeline > before
            {
                let detail = format!("{name} accepts writes on timeline {timeline}, {before} before");
                self.steps.observe("promoted", clock::now(), detail);
            }
        }
        // One that is down or frozen would cost a whole timeout at every poll.
        let back = former.iter().find(|it| it.is_ready() && !self.is_frozen());
        if let Some(back) = back
            && let Role::Primary { timeline } = ask(&self.config.database(&back.name))
            && !victim.is(back)
        {
            let detail = format!("{} is the primary again, on timeline {timeline}", back.name);
            self.steps.observe("same-primary-returned", clock::now(), detail);
        }
        let primary = self.steps.has("promoted") || self.steps.has("same-primary-returned");
        if primary && !self.steps.has("routed") {
            self.ask_route()?;
        }
        let complete = primary && (self.config.route.is_none() || self.steps.has("routed"));
        Ok(self.steps.recovery(complete))
    }
}

impl PostgresFailover {
    /// The one instance that says it is the primary.
    fn primary(&self) -> Result<(Memo, Victim)> {
        let instances = cluster::instances(&self.config.selector)?;
        let roles = ask_all(&self.config, &instances);
        let answers: Vec<_> = roles.iter().map(|(name, role)| format!("{name} {}", role.words())).collect();
        let mut primaries = roles.iter().zip(&instances).filter_map(|((_, role), instance)| match role {
            Role::Primary { timeline } => Some((instance, *timeline)),
            Role::Standby | Role::Unknown { .. } => None,
        });
        let (Some((instance, timeline)), None) = (primaries.next(), primaries.next()) else {
            let answers = if answers.is_empty() { "no instance".to_owned() } else { answers.join("; ") };
            return Err(Failure::Conflict(format!(
                "not exactly one primary among {}: {answers}",
                self.config.selector
            )));
        };
        let memo = Memo { primary: instance.into(), address: instance.address.clone(), timeline };
        Ok((memo, Victim::new(&instance.name, "primary", format!("asked by sql: {}", answers.join("; ")))))
    }

    fn is_frozen(&self) -> bool {
        self.config.manner == End::Freeze && self.config.hold
    }

    /// Does every way that clients take lead to a primary?
    fn ask_route(&mut self) -> Result<()> {
        let Some(route) = &self.config.route else { return Ok(()) };
        let ways = cluster::instances(&route.selector)?;
        let all = !ways.is_empty()
            && ways
                .iter()
                .all(|way| matches!(ask(&self.config.through(route, &way.name)), Role::Primary { .. }));
        if all {
            let names: Vec<_> = ways.iter().map(|way| way.name.as_str()).collect();
            self.steps.observe(
                "routed",
                clock::now(),
                format!("a primary answers through {}", names.join(", ")),
            );
        }
        Ok(())
    }
}

assay_sdk::export!(fault PostgresFailover);

#[cfg(test)]
mod tests;
