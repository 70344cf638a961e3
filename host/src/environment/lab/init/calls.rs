//! What the host asks for, one function each.

use std::{io, time::Instant};

use super::{
    super::protocol::{Answer, Call, GroupView, InstanceView, Reading, Snapshot, monotonic},
    center::Center,
    exec::Asker,
    filter::{self, Cut},
    instance::Stage,
    logs,
    nodes::other,
    signals,
};
use crate::{
    environment::{Direction, EnvironmentError, Instance, Manner, Quota, Selector, Workload},
    observe::{Fact, InstanceEvent},
};

type Result<T> = std::result::Result<T, EnvironmentError>;

impl Center {
    /// The answer, unless it comes later.
    pub(super) fn handle(&mut self, id: u64, call: Call) -> Option<Result<Answer>> {
        let later = |begun: Result<()>| begun.err().map(Err);
        Some(match call {
            Call::Snapshot => Ok(Answer::Snapshot(Box::new(self.snapshot()))),
            Call::Terminate { instance, uid, manner, hold } => self.terminate(&instance, &uid, manner, hold),
            Call::Release { instance } => self.release(&instance),
            Call::Exec { instance, command, timeout } => {
                let begun = self.find_running(&instance).and_then(|index| {
                    self.exec(index, command, Asker::Request(id), timeout, Instant::now()).map_err(other)
                });
                return later(begun);
            }
            Call::SetSchedulable { node, schedulable } => self.set_schedulable(&node, schedulable),
            Call::Drain { node, timeout } => return later(self.drain(id, &node, timeout)),
            Call::FailNode { node } => self.fail_node(&node),
            Call::RestoreNode { node } => self.restore_node(&node),
            Call::Isolate { id, selector, peer, direction } => self.isolate(id, &selector, peer, direction),
            Call::Heal { id } => self.heal(&id),
            Call::Scale { workload, replicas } => self.scale(&workload, replicas),
            Call::SetQuota { group, quota } => self.set_quota(&group, quota),
            Call::Readings => self.readings(),
            Call::Tail { instance, lines } => self.tail(&instance, lines),
            Call::Door { instance } => self.find_running(&instance).and_then(|index| {
                let door = self.door(index);
                door.map(|door| Answer::Door(Box::new(door))).ok_or_else(|| not_running(&instance))
            }),
            Call::Begin(_) | Call::Hello | Call::Secret { .. } | Call::Claim { .. } | Call::Shutdown => {
                Err(EnvironmentError::Invalid("not a question for lab-init".to_owned()))
            }
        })
    }

    fn find(&self, name: &str) -> Result<usize> {
        let found = self.plan.instances.iter().position(|slot| slot.name == name);
        found.ok_or_else(|| EnvironmentError::NotFound(format!("there is no instance '{name}'")))
    }

    fn find_running(&self, name: &str) -> Result<usize> {
        let index = self.find(name)?;
        match self.instances[index].process() {
            Some(_) => Ok(index),
            None => Err(not_running(name)),
        }
    }

    fn snapshot(&self) -> Snapshot {
        let instances = (0..self.instances.len())
            .filter(|index| {
                let slot = self.slot(*index);
                slot.ordinal < self.desired[slot.workload] || self.instances[*index].process().is_some()
            })
            .map(|index| self.view(index))
            .collect();
        let workloads = (0..self.plan.workloads.len()).map(|index| self.workload_view(index)).collect();
        let groups = self.quotas.iter().map(|(name, quota)| GroupView { name: name.clone(), quota: *quota });
        Snapshot {
            instances,
            workloads,
            nodes: self.node_views(),
            groups: groups.collect(),
            capacity: super::super::capacity(),
        }
    }

    fn view(&self, index: usize) -> InstanceView {
        let (slot, workload, instance) = (self.slot(index), self.workload(index), &self.instances[index]);
        let detail = match (&instance.stage, instance.frozen, instance.held) {
            (_, true, _) => "frozen".to_owned(),
            (Stage::Idle, _, true) => format!("held; {}", instance.detail),
            (Stage::Idle, _, false) if instance.starts == 0 && instance.detail.is_empty() => {
                let before = workload.after.iter().map(|before| self.plan.workloads[*before].name.as_str());
                format!("waits for {}", before.collect::<Vec<_>>().join(", "))
            }
            _ => instance.detail.clone(),
        };
        InstanceView {
            instance: Instance {
                name: slot.name.clone(),
                uid: instance.uid(&slot.name),
                workload: workload.name.clone(),
                node: self.plan.nodes[instance.node].name.clone(),
                address: Some(slot.address.into()),
                labels: workload.labels.clone(),
                state: instance.state(),
                restarts: instance.restarts,
                started: instance.started,
            },
            wanted: self.wanted(index),
            detail,
        }
    }

    fn workload_view(&self, index: usize) -> Workload {
        let workload = &self.plan.workloads[index];
        let (desired, running, ready) = self.counts(index);
        Workload {
            name: workload.name.clone(),
            labels: workload.labels.clone(),
            desired,
            running,
            ready,
            declared_only: workload.declared,
            cpu_request: workload.requests.cpu,
            cpu_limit: workload.limits.cpu,
            memory_request: workload.requests.memory,
            memory_limit: workload.limits.memory,
            group: workload.group.clone(),
        }
    }

    fn terminate(&mut self, name: &str, uid: &str, manner: Manner, hold: bool) -> Result<Answer> {
        let index = self.find_running(name)?;
        let now = self.instances[index].uid(name);
        if uid != now {
            let text = format!("instance '{name}' is now '{now}', no longer '{uid}'");
            return Err(EnvironmentError::Conflict(text));
        }
        let means = match manner {
            Manner::Crash => self.crash(index, hold)?,
            Manner::Graceful => {
                self.hold(index, hold);
                self.instances[index].asked = Some("asked to end".to_owned());
                self.stop(index, Instant::now()).map_err(other)?;
                format!("SIGTERM to its program, SIGKILL to all after {:?}", self.workload(index).grace)
            }
            Manner::Freeze => self.freeze(index)?,
        };
        Ok(Answer::Text(means))
    }

    fn crash(&mut self, index: usize, hold: bool) -> Result<String> {
        self.hold(index, hold);
        self.instances[index].asked = Some("crashed on purpose".to_owned());
        if let Some(process) = self.instances[index].process() {
            signals::kill(process).map_err(other)?;
        }
        self.reap().map_err(other)?;
        Ok("SIGKILL to the first process of its pid namespace: all its processes ended at once".to_owned())
    }

    fn hold(&mut self, index: usize, hold: bool) {
        if hold && !self.instances[index].held {
            self.instances[index].held = true;
            self.tell(index, InstanceEvent::Held, "not restarted until it is released");
        }
    }

    fn freeze(&mut self, index: usize) -> Result<String> {
        let group = self.group(index);
        let Some(process) = self.instances[index].process() else {
            return Err(not_running(&self.slot(index).name));
        };
        let count = signals::stop_all(process, || self.cgroups.processes(&group)).map_err(other)?;
        self.instances[index].frozen = true;
        let means = format!("SIGSTOP to its {count} processes");
        self.tell(index, InstanceEvent::Frozen, means.clone());
        Ok(means)
    }

    fn release(&mut self, name: &str) -> Result<Answer> {
        let index = self.find(name)?;
        if self.instances[index].frozen {
            let group = self.group(index);
            if let Some(process) = self.instances[index].process() {
                signals::continue_all(process, || self.cgroups.processes(&group)).map_err(other)?;
            }
            self.instances[index].frozen = false;
            self.tell(index, InstanceEvent::Resumed, "SIGCONT to all its processes");
        }
        if self.instances[index].held {
            self.instances[index].held = false;
            self.tell(index, InstanceEvent::Released, "");
        }
        Ok(Answer::Done)
    }

    fn isolate(
        &mut self,
        id: String,
        selector: &str,
        peer: Option<String>,
        direction: Direction,
    ) -> Result<Answer> {
        let parse = |text: &str| -> Result<Selector> {
            text.parse().map_err(|error| EnvironmentError::Invalid(format!("{error}")))
        };
        let (victims, peers) = (parse(selector)?, peer.as_deref().map(parse).transpose()?);
        for (selector, whose) in [(Some(&victims), "selector"), (peers.as_ref(), "peer")] {
            if let Some(selector) = selector
                && self.matching(selector).is_empty()
            {
                return Err(EnvironmentError::NotFound(format!(
                    "the {whose} '{selector}' matches no instance"
                )));
            }
        }
        self.cuts.insert(id.clone(), Cut { victims, peers, direction });
        if let Err(error) = self.apply_cuts() {
            self.cuts.remove(&id);
            return Err(error);
        }
        Ok(Answer::Done)
    }

    fn heal(&mut self, id: &str) -> Result<Answer> {
        if let Some(cut) = self.cuts.remove(id)
            && let Err(error) = self.apply_cuts()
        {
            // It is still in force, so it must still be known.
            self.cuts.insert(id.to_owned(), cut);
            return Err(error);
        }
        Ok(Answer::Done)
    }

    /// All slots count, also those that do not run now: links are what is cut.
    fn matching(&self, selector: &Selector) -> Vec<usize> {
        let matches =
            |index: &usize| selector.matches(&self.slot(*index).name, &self.workload(*index).labels);
        (0..self.instances.len()).filter(matches).collect()
    }

    fn apply_cuts(&self) -> Result<()> {
        let rules = filter::rules(&self.cuts, |selector| self.matching(selector));
        self.network.set_filter(&rules).map_err(other)
    }

    fn scale(&mut self, name: &str, replicas: u32) -> Result<Answer> {
        let found = self.plan.workloads.iter().position(|workload| workload.name == name);
        let index =
            found.ok_or_else(|| EnvironmentError::NotFound(format!("there is no workload '{name}'")))?;
        let (min, max) = match self.plan.workloads[index].scalable {
            Some(bounds) => bounds,
            None if self.desired[index] == replicas => return Ok(Answer::Done),
            None => {
                let text = format!("workload '{name}' is not scalable: the stack file gives it no bounds");
                return Err(EnvironmentError::Unsupported(text));
            }
        };
        if !(min..=max).contains(&replicas) {
            let text =
                format!("workload '{name}' cannot have {replicas} instances, allowed are {min} to {max}");
            return Err(EnvironmentError::Invalid(text));
        }
        self.desired[index] = replicas;
        Ok(Answer::Done)
    }

    fn set_quota(&mut self, group: &str, quota: Quota) -> Result<Answer> {
        let Some(before) = self.quotas.get(group).copied() else {
            return Err(EnvironmentError::NotFound(format!("there is no group '{group}'")));
        };
        let path = format!("groups/{group}");
        if let Err(error) = self.cgroups.set_limits(&path, quota) {
            // Half of it may be in force.
            let _restored = self.cgroups.set_limits(&path, before);
            let text = match error.kind() {
                io::ErrorKind::InvalidInput => format!(
                    "group '{group}' cannot be bounded so: in control groups of version 1, an instance's processor \
                     limit may not be larger than its group's"
                ),
                io::ErrorKind::ResourceBusy => {
                    format!("group '{group}' cannot be bounded so: its instances use more memory than that")
                }
                _ => format!("group '{group}' cannot be bounded: {error}"),
            };
            return Err(EnvironmentError::Conflict(text));
        }
        self.quotas.insert(group.to_owned(), quota);
        self.control.tell(Fact::Quota { group: group.to_owned(), cpu: quota.cpu, memory: quota.memory });
        Ok(Answer::Done)
    }

    fn readings(&self) -> Result<Answer> {
        let mut readings = Vec::new();
        for (index, instance) in self.instances.iter().enumerate() {
            if instance.process().is_none() {
                continue;
            }
            let (slot, workload) = (self.slot(index), self.workload(index));
            readings.push(Reading {
                subject: slot.name.clone(),
                workload: Some(workload.name.clone()),
                labels: workload.labels.clone(),
                at: monotonic(),
                figures: self.cgroups.figures(&self.group(index)).map_err(other)?,
                cpu_limit: workload.cpu_limit,
                memory_limit: workload.limits.memory,
            });
        }
        for (group, quota) in self.quotas.iter().filter(|(_, quota)| **quota != Quota::default()) {
            readings.push(Reading {
                subject: format!("(group) {group}"),
                workload: None,
                labels: crate::observe::Labels::new(),
                at: monotonic(),
                figures: self.cgroups.figures(&format!("groups/{group}")).map_err(other)?,
                cpu_limit: quota.cpu,
                memory_limit: quota.memory,
            });
        }
        Ok(Answer::Readings(readings))
    }

    fn tail(&self, name: &str, lines: usize) -> Result<Answer> {
        let index = self.find(name)?;
        let path = logs::path(&self.plan.state, &self.slot(index).name);
        logs::tail(&path, lines, &self.plan.hidden).map(Answer::Text).map_err(other)
    }
}

fn not_running(name: &str) -> EnvironmentError {
    EnvironmentError::Conflict(format!("instance '{name}' does not run"))
}
