//! Asking the autoscalers: at every sync, with what control groups and supervision know by then.

use std::{
    collections::HashMap,
    io,
    time::{Duration, Instant},
};

use super::{
    super::{
        autoscale::{Autoscaler, Pod, Presence, Resource, Situation, Usage},
        plan::Plan,
        protocol::monotonic,
    },
    center::Center,
    instance::Stage,
};
use crate::observe::{Fact, Severity};

/// The autoscalers of a lab, and what was measured for them.
pub(super) struct Autoscaling {
    scalers: Vec<Scaler>,
    /// Counters at the last sync, by instance: two readings of one start make a measurement.
    scraped: HashMap<usize, Scrape>,
    period: Duration,
    due: Instant,
}

struct Scaler {
    workload: usize,
    scaler: Autoscaler,
    /// For how many syncs in a row it could not decide.
    blind: u32,
}

#[derive(Clone, Copy)]
struct Scrape {
    start: u32,
    at: u64,
    cpu: u64,
}

impl Autoscaling {
    pub(super) fn of(plan: &Plan, now: Instant) -> Self {
        let sizes = plan.workloads.iter().enumerate();
        let sizes = sizes.filter_map(|(workload, one)| Some((workload, one.autoscale.clone()?)));
        let scaler =
            |(workload, size)| Scaler { workload, scaler: Autoscaler::new(size, plan.autoscaler), blind: 0 };
        let period = plan.autoscaler.sync_period;
        Self { scalers: sizes.map(scaler).collect(), scraped: HashMap::new(), period, due: now + period }
    }

    /// When the loop must come round for it.
    pub(super) fn due(&self) -> Option<Instant> {
        (!self.scalers.is_empty()).then_some(self.due)
    }
}

impl Center {
    /// Does what is due.
    pub(super) fn autoscale(&mut self, now: Instant) -> io::Result<()> {
        if self.autoscaling.due().is_none_or(|due| now < due) {
            return Ok(());
        }
        self.autoscaling.due = now + self.autoscaling.period;
        let mut scalers = std::mem::take(&mut self.autoscaling.scalers);
        for scaler in &mut scalers {
            self.sync(scaler)?;
        }
        self.autoscaling.scalers = scalers;
        Ok(())
    }

    fn sync(&mut self, scaler: &mut Scaler) -> io::Result<()> {
        let index = scaler.workload;
        let pods = self.measured(index)?;
        let workload = &self.plan.workloads[index];
        let request = |resource: Resource| match resource {
            // What the control groups were given, or the same use would be another share of it.
            Resource::Cpu => workload.cpu_request,
            Resource::Memory => workload.requests.memory,
        };
        let (name, current) = (workload.name.clone(), self.desired[index]);
        let situation =
            Situation { now: Duration::from_nanos(monotonic()), current, pods: &pods, request: &request };
        match scaler.scaler.decide(&situation) {
            Ok(decision) => {
                scaler.blind = 0;
                if decision.desired != current {
                    let (size, because) = (decision.desired, decision.because);
                    self.control.tell(Fact::Rescaled { autoscaler: name, size, because });
                    self.resize(index, size)?;
                }
            }
            Err(because) => {
                // After a start nothing is measured at first; a second time in a row is worth a word.
                scaler.blind += 1;
                if scaler.blind == 2 {
                    let (source, severity) = (format!("autoscaler {name}"), Severity::Note);
                    let message = format!("it cannot decide: {because}");
                    self.control.tell(Fact::Finding { source, severity, message });
                }
            }
        }
        Ok(())
    }

    /// A workload's instances as a metrics server shows them, and reads their counters for the next time.
    fn measured(&mut self, workload: usize) -> io::Result<Vec<Pod>> {
        let mut pods = Vec::new();
        for index in 0..self.instances.len() {
            let instance = &self.instances[index];
            let is_there = instance.enlisted || instance.process().is_some();
            if self.slot(index).workload != workload || !is_there {
                continue;
            }
            let usage = self.scrape(index)?;
            let instance = &self.instances[index];
            let presence = match &instance.stage {
                _ if instance.held || !instance.enlisted => Presence::Going,
                Stage::Stopping(..) => Presence::Going,
                _ if instance.born.is_none() => Presence::Pending,
                _ => Presence::Running,
            };
            pods.push(Pod {
                presence,
                started: instance.born.map(Duration::from_nanos),
                ready: instance.ready,
                since: Duration::from_nanos(instance.since),
                usage,
            });
        }
        Ok(pods)
    }

    /// What an instance used since the last time, if it ran since then.
    fn scrape(&mut self, index: usize) -> io::Result<Option<Usage>> {
        if self.instances[index].process().is_none() {
            self.autoscaling.scraped.remove(&index);
            return Ok(None);
        }
        let figures = self.cgroups.figures(&self.group(index))?;
        let now = Scrape { start: self.instances[index].starts, at: monotonic(), cpu: figures.cpu };
        let before = self.autoscaling.scraped.insert(index, now).filter(|before| before.start == now.start);
        Ok(before.and_then(|before| {
            let window = now.at.saturating_sub(before.at);
            let used = u128::from(now.cpu.saturating_sub(before.cpu)) * 1000;
            Some(Usage {
                taken: Duration::from_nanos(now.at),
                window: Duration::from_nanos(window),
                cpu: u64::try_from(used.checked_div(u128::from(window))?).ok()?,
                memory: figures.memory,
            })
        }))
    }
}
