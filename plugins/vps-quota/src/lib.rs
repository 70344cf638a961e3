//! A VPS as a profile: first the arithmetic (do the requests fit?), then the bound itself, on exactly
//! the group of workloads that the selector chooses.
//!
//! Undone by the host, which journals what `cluster.set-quota` and `cluster.scale` found.

mod arithmetic;
mod config;

use assay_sdk::cluster::{Quota, QuotaStatus};
use assay_sdk::prelude::*;

use crate::arithmetic::{Need, cores, mebibytes};
use crate::config::{Config, Mode};

struct VpsQuota {
    config: Config,
}

impl Fault for VpsQuota {
    type Config = Config;
    const WISHES: &'static [(&'static str, &'static str)] =
        &[("cluster", "reads requests and bounds of the selected workloads, bounds their group, scales")];

    fn validate(config: &Config) -> Vec<ConfigError> {
        config.errors()
    }

    fn new(config: Config) -> Self {
        VpsQuota { config }
    }

    fn preview(&mut self) -> Result<Forecast> {
        if self.config.mode == Mode::Off {
            let actions = vec!["nothing: the mode is off".to_owned()];
            return Ok(Forecast { victims: Vec::new(), actions, findings: Vec::new() });
        }
        let mut findings = self.need()?.findings(&self.config);
        for status in cluster::quotas(&self.config.applies_to)? {
            findings.extend(not_binding(&self.quota(), &status));
        }
        let mut actions = Vec::new();
        if self.config.mode == Mode::Observe {
            actions.push("nothing: the mode is observe".to_owned());
            return Ok(Forecast { victims: Vec::new(), actions, findings });
        }
        for (workload, count) in &self.config.scale {
            match cluster::workloads(&format!("name={workload}"))?.is_empty() {
                true => findings.push(Finding::note(format!("there is no workload {workload} to scale"))),
                false => actions.push(format!("scale {workload} to {count}")),
            }
        }
        let victims = self.groups()?;
        actions.push(format!("bound {} to {}", names(&victims), self.bound()));
        Ok(Forecast { victims, actions, findings })
    }

    fn aim(&mut self) -> Result<Strike> {
        match self.config.mode {
            Mode::Enforce => Ok(Strike::on(self.groups()?)),
            Mode::Observe | Mode::Off => Ok(Strike::on([])),
        }
    }

    fn inject(&mut self, strike: &Strike) -> Result<Injected, InjectError> {
        let at = clock::now();
        if self.config.mode != Mode::Enforce {
            return Ok(Injected::new(
                at,
                format!("nothing changed: the mode is {}", self.config.mode.name()),
            ));
        }
        let mut means = Vec::new();
        for (workload, count) in &self.config.scale {
            if cluster::workloads(&format!("name={workload}"))?.is_empty() {
                continue;
            }
            cluster::scale(workload, *count)?;
            means.push(format!("{workload} scaled to {count}"));
        }
        cluster::set_quota(&self.config.applies_to, self.quota())?;
        means.push(format!("limits set on {}: {}", names(&strike.victims), self.bound()));
        Ok(Injected::new(at, means.join(", ")))
    }

    fn effect(&mut self) -> Result<Impact> {
        if self.config.mode != Mode::Enforce {
            return Ok(Impact::proven(format!("nothing to prove: the mode is {}", self.config.mode.name())));
        }
        let set = cluster::quotas(&self.config.applies_to)?;
        let read: Vec<_> = set.iter().map(|it| format!("{}: {}", it.group, shown(&it.quota))).collect();
        let probed = format!("limits read back: {}", read.join("; "));
        match !set.is_empty() && set.iter().all(|it| it.quota == self.quota()) {
            true => Ok(Impact::proven(probed)),
            false => Ok(Impact::absent(probed)),
        }
    }

    /// A profile is nothing to recover from.
    fn recovered(&mut self) -> Result<Recovery> {
        Ok(Steps::new().recovery(true))
    }
}

impl VpsQuota {
    fn quota(&self) -> Quota {
        Quota { cpu: self.config.cpu.map(Cpu::millicores), memory: self.config.memory.map(Size::bytes) }
    }

    fn bound(&self) -> String {
        shown(&self.quota())
    }

    /// What the selected workloads ask for, at the counts that the profile gives them.
    fn need(&self) -> Result<Need> {
        let mut workloads = cluster::workloads(&self.config.applies_to)?;
        if workloads.is_empty() {
            return Err(Failure::NotFound(format!("no workload is {}", self.config.applies_to)));
        }
        if self.config.mode == Mode::Enforce {
            for workload in &mut workloads {
                workload.desired = *self.config.scale.get(&workload.name).unwrap_or(&workload.desired);
            }
        }
        Ok(Need::of(&workloads))
    }

    fn groups(&self) -> Result<Vec<Victim>> {
        let because = format!("holds the workloads that are {}", self.config.applies_to);
        let groups = cluster::quotas(&self.config.applies_to)?;
        Ok(groups.into_iter().map(|it| Victim::new(it.group, "", because.clone())).collect())
    }
}

/// Is the quota more than there is? Then what binds is the machine.
fn not_binding(quota: &Quota, status: &QuotaStatus) -> Vec<Finding> {
    let more = |quota: Option<u64>, capacity: Option<u64>| Some((quota?, capacity?)).filter(|(q, c)| q > c);
    let cpu = more(quota.cpu, status.capacity.cpu)
        .map(|(quota, there)| format!("CPU: not binding, {quota}m is more than the {there}m that there are"));
    let memory = more(quota.memory, status.capacity.memory).map(|(quota, there)| {
        format!(
            "memory: not binding, {} is more than the {} that there are",
            mebibytes(quota),
            mebibytes(there)
        )
    });
    cpu.into_iter().chain(memory).map(Finding::warning).collect()
}

fn shown(quota: &Quota) -> String {
    let cpu = quota.cpu.map_or("any CPU".to_owned(), cores);
    let memory = quota.memory.map_or("any memory".to_owned(), mebibytes);
    format!("{cpu}, {memory}")
}

fn names(victims: &[Victim]) -> String {
    let names: Vec<_> = victims.iter().map(|victim| victim.name.as_str()).collect();
    if names.is_empty() { "no group".to_owned() } else { names.join(", ") }
}

assay_sdk::export!(fault VpsQuota);

#[cfg(test)]
mod tests;
