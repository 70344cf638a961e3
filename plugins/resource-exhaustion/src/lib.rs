//! Uses up what an instance has to work with: its processor, its memory, its disk or its database connections,
//! until the revert.
//!
//! Only what is bounded is used up. Without a limit it would be the node's, and everybody's.

mod config;
mod connections;
mod disk;
mod inside;

use std::time::Duration;

use assay_sdk::cluster::{Identity, Instance, Workload};
use assay_sdk::prelude::*;
use assay_sdk::serde_json;
use serde::{Deserialize, Serialize};

use crate::config::{Config, Database, Disk, Resource};
use crate::connections::{ACCEPTS_WRITES, Room, is_refused};

/// How long it may take until it shows.
const BITES_WITHIN: Duration = Duration::from_secs(60);

/// How much of its limit has to be gone.
const ALL_BUT: f64 = 0.8;

/// What was aimed at.
#[derive(Clone, Deserialize, Serialize)]
struct Memo {
    victim: Identity,
    address: Option<String>,
    /// What bears it was left by this strike.
    mark: String,
    /// Thousandths of a processor for `cpu`, bytes for `disk`.
    limit: u64,
}

/// What `revert` has to know.
#[derive(Deserialize, Serialize)]
struct Undo {
    instance: String,
    mark: String,
    resource: Resource,
    /// Of the disk.
    path: Option<String>,
}

struct ResourceExhaustion {
    config: Config,
    struck: Struck<Memo>,
    steps: Steps,
}

impl Fault for ResourceExhaustion {
    type Config = Config;
    const WISHES: &'static [(&'static str, &'static str)] = &[
        ("cluster", "lists instances with their limits, and runs inside one what uses them up"),
        ("sql", "asks a database for its connections (for `connections`)"),
    ];

    fn validate(config: &Config) -> Vec<ConfigError> {
        config.errors()
    }

    fn new(config: Config) -> Self {
        ResourceExhaustion { config, struck: Struck::nothing(), steps: Steps::new() }
    }

    fn preview(&mut self) -> Result<Forecast> {
        let candidates = self.candidates()?;
        let mut findings = Vec::new();
        // How much room a disk has can only be asked of what runs.
        let limits = self.config.resource != Resource::Disk;
        if let Some(unbounded) = candidates.iter().filter(|_| limits).find_map(|each| self.limit(each).err())
        {
            findings.push(Finding::blocking(unbounded.text()));
        }
        let victims = candidates.iter().map(|each| Victim::new(&each.name, "candidate", "ready"));
        let action = format!("{} of one of {}", self.words(), self.config.selector);
        Ok(Forecast { victims: victims.collect(), actions: vec![action], findings })
    }

    fn aim(&mut self) -> Result<Strike> {
        let mut candidates = self.candidates()?;
        let among = candidates.len();
        let drawn = candidates.swap_remove(random::index(among));
        let memo = Memo {
            victim: Identity::from(&drawn),
            limit: self.limit(&drawn)?,
            address: drawn.address,
            mark: format!("exhaustion-{}", random::text(12)),
        };
        let undo = Undo {
            instance: drawn.name.clone(),
            mark: memo.mark.clone(),
            resource: self.config.resource,
            path: self.config.disk.as_ref().map(|disk| disk.path.clone()),
        };
        let victim = Victim::new(drawn.name, "", format!("drawn from the {among} that could be"));
        Strike::on([victim]).undo(serde_json::to_string(&undo)?).remember(&memo)
    }

    fn inject(&mut self, strike: &Strike) -> Result<Injected, InjectError> {
        let memo: Memo = strike.recall()?;
        if let Some(fate) = memo.victim.fate(&cluster::instances(&self.config.selector)?) {
            return Err(InjectError::Stale(fate));
        }
        let (at, means) = match self.config.resource {
            Resource::Cpu => {
                // One more than there are processors: what else runs there is not to be enough for them.
                let loops = memo.limit.div_ceil(1000) + 1;
                let at = self.inside(&memo, inside::LOOPS, &[&loops.to_string()])?;
                (at, format!("{loops} loops without end"))
            }
            Resource::Memory => {
                inside::run(&memo.victim.name, inside::FIRST, &memo.mark, &[])?;
                let at = self.inside(&memo, inside::FILL, &[&memo.limit.to_string()])?;
                (at, "memory filled until there is no more".to_owned())
            }
            Resource::Disk => {
                let Disk { path, at_most } = self.disk()?;
                let at = self.inside(&memo, inside::OCCUPY, &[path, &at_most.bytes().to_string()])?;
                (at, format!("{path} filled, which had room for {}", Size::from_bytes(memo.limit)))
            }
            Resource::Connections => self.connect(&memo)?,
        };
        self.steps = Steps::new();
        self.struck = Struck::at(at, memo);
        Ok(Injected::new(at, means))
    }

    fn effect(&mut self) -> Result<Impact> {
        let memo = self.struck.what()?;
        let (gone, probed) = match self.config.resource {
            Resource::Cpu => self.is_busy(&memo)?,
            Resource::Memory => match memo.victim.fate(&cluster::instances(&self.config.selector)?) {
                Some(fate) => (true, format!("{fate}: it was left no memory")),
                None => (false, format!("{} goes on", memo.victim.name)),
            },
            Resource::Disk => self.disk()?.is_full(&memo.victim.name, &memo.mark)?,
            Resource::Connections => match is_refused(&self.database()?.of(&memo.victim.name)) {
                Ok(true) => (true, format!("{} refuses new connections", memo.victim.name)),
                Ok(false) => (false, format!("{} takes new connections", memo.victim.name)),
                Err(because) => {
                    (false, format!("{} was asked for a connection: {because}", memo.victim.name))
                }
            },
        };
        if !gone {
            return Ok(self.struck.unseen(BITES_WITHIN, probed));
        }
        self.steps.observe("exhausted", clock::now(), &probed);
        Ok(Impact::proven(probed))
    }

    /// Who was killed for want of memory comes back; from the others nobody recovers before the revert.
    fn recovered(&mut self) -> Result<Recovery> {
        let memo = self.struck.what()?;
        let exhausted = self.steps.has("exhausted");
        if self.config.resource != Resource::Memory {
            return Ok(self.steps.recovery(exhausted));
        }
        let now = cluster::instances(&self.config.selector)?;
        let back = now.iter().find(|each| each.name == memo.victim.name && !memo.victim.is(each));
        if let Some(back) = back.filter(|each| exhausted && each.is_ready()) {
            self.steps.observe("ready", clock::now(), format!("{} is ready again", back.name));
        }
        Ok(self.steps.recovery(self.steps.has("ready")))
    }

    fn revert(&mut self, undo: &str) -> Result<()> {
        let Undo { instance, mark, resource, path } = serde_json::from_str(undo)?;
        let now = cluster::instances(&self.config.selector)?;
        let there = now.iter().find(|each| each.name == instance);
        let runs = there.is_some_and(Instance::runs);
        match (resource, path) {
            (Resource::Disk, Some(path)) if runs => {
                inside::run(&instance, inside::VACATE, &mark, &[&path])?;
            }
            // A volume may outlive a start.
            (Resource::Disk, Some(path)) if there.is_some() => {
                let because = format!("{instance} does not run, so {path} cannot be given back");
                return Err(Failure::Conflict(because));
            }
            (Resource::Memory, _) if runs => {
                inside::run(&instance, inside::END, &mark, &[])?;
                inside::run(&instance, inside::AS_BEFORE, &mark, &[])?;
            }
            _ if runs => {
                inside::run(&instance, inside::END, &mark, &[])?;
            }
            // What was left in it ended with it.
            _ => {}
        }
        Ok(())
    }
}

impl ResourceExhaustion {
    /// Sorted by name, so that the same seed draws the same one.
    fn candidates(&self) -> Result<Vec<Instance>> {
        let mut candidates = cluster::instances(&self.config.selector)?;
        candidates.retain(Instance::is_ready);
        if self.config.resource == Resource::Connections {
            let database = self.database()?;
            candidates.retain(|each| {
                let answer = database.of(&each.name).query(ACCEPTS_WRITES, &[]);
                answer.is_ok_and(|rows| rows.only().and_then(|row| row.boolean(0)) == Ok(true))
            });
        }
        candidates.sort_by(|one, other| one.name.cmp(&other.name));
        match candidates.is_empty() {
            true => Err(Failure::NotFound(format!("none of {} could be struck", self.config.selector))),
            false => Ok(candidates),
        }
    }

    /// The limit that is used up. Connections always have one.
    fn limit(&self, instance: &Instance) -> Result<u64> {
        let workloads = cluster::workloads(&format!("name={}", instance.workload))?;
        let of = |limit: fn(&Workload) -> Option<u64>| workloads.first().and_then(limit);
        let (limit, what) = match self.config.resource {
            Resource::Cpu => (of(|workload| workload.cpu_limit), "CPU"),
            Resource::Memory => (of(|workload| workload.memory_limit), "memory"),
            Resource::Disk => return self.disk()?.room(&instance.name),
            Resource::Connections => return Ok(0),
        };
        limit.ok_or_else(|| {
            Failure::Conflict(format!("{} has no {what} limit, so it would be its node's", instance.name))
        })
    }

    fn words(&self) -> &'static str {
        match self.config.resource {
            Resource::Cpu => "use up the processor time",
            Resource::Memory => "fill the memory",
            Resource::Disk => "fill the disk",
            Resource::Connections => "use up the database connections",
        }
    }

    fn database(&self) -> Result<&Database> {
        self.config.database.as_ref().ok_or_else(|| Failure::Invalid("there is no database".to_owned()))
    }

    fn disk(&self) -> Result<&Disk> {
        self.config.disk.as_ref().ok_or_else(|| Failure::Invalid("there is no disk".to_owned()))
    }

    /// Runs what uses the resource up, and answers when it was begun.
    fn inside(&self, memo: &Memo, script: &str, arguments: &[&str]) -> Result<u64> {
        let at = clock::now();
        inside::run(&memo.victim.name, script, &memo.mark, arguments)?;
        Ok(at)
    }

    fn connect(&self, memo: &Memo) -> Result<(u64, String)> {
        let name = &memo.victim.name;
        let address = memo.address.as_deref();
        let address = address.ok_or_else(|| Failure::Conflict(format!("{name} has no address")))?;
        let database = self.database()?;
        let room = Room::of(&database.of(name))?;
        let (count, port) = (room.to_open().to_string(), database.port.to_string());
        let greeting = room.greeting(&database.name);
        let at = self.inside(memo, inside::CONNECT, &[&count, address, &port, &greeting])?;
        Ok((at, format!("{count} connections beside the {} of {} that there were", room.taken, room.most)))
    }

    /// Is the processor time gone? Counted inside: what a cluster tells of its pods comes late, and is of long ago.
    fn is_busy(&self, memo: &Memo) -> Result<(bool, String)> {
        let name = &memo.victim.name;
        let used = inside::run(name, inside::USE, &memo.mark, &[])?;
        let used: f64 =
            used.trim().parse().map_err(|error| Failure::other(format!("{name} uses {used:?}: {error}")))?;
        Ok((used >= memo.limit as f64 * ALL_BUT, format!("{name} used {used}m of {}m", memo.limit)))
    }
}

assay_sdk::export!(fault ResourceExhaustion);

#[cfg(test)]
mod tests;
