//! The loop: everything that `lab-init` knows, and the one place where it waits.

use std::{
    collections::BTreeMap,
    fs::File,
    io,
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, WaitOptions, WaitStatus, wait},
};

use super::{
    super::{
        cgroup::{self, Cgroups},
        plan::{InstancePlan, Plan, WorkloadPlan},
        protocol::{Answer, Call},
    },
    autoscale::Autoscaling,
    control::Control,
    exec::Exec,
    filter::Cut,
    instance::{Instance, Probing, Stage},
    network::Network,
    nodes::{Drain, NodeState, other},
};
use crate::{environment::Quota, observe::Fact};

/// How often things are looked after that nothing wakes the loop for.
const TIDY: Duration = Duration::from_secs(1);

/// Everything there is.
pub(super) struct Center {
    pub(super) plan: Plan,
    pub(super) control: Control,
    pub(super) cgroups: Box<dyn Cgroups>,
    pub(super) network: Network,
    /// This process' own pid namespace.
    pub(super) home: OwnedFd,
    /// By the plan's order, as are the next two.
    pub(super) instances: Vec<Instance>,
    pub(super) nodes: Vec<NodeState>,
    /// How many instances of each workload should run.
    pub(super) desired: Vec<u32>,
    pub(super) execs: Vec<Exec>,
    pub(super) drains: Vec<Drain>,
    pub(super) cuts: BTreeMap<String, Cut>,
    pub(super) quotas: BTreeMap<String, Quota>,
    /// Counts of each workload as last told.
    pub(super) told: Vec<Option<(u32, u32, u32)>>,
    pub(super) autoscaling: Autoscaling,
    tidied: Instant,
}

/// Waits for the plan, makes the lab, and serves it until the host is gone.
pub(super) fn serve(mut control: Control) -> io::Result<()> {
    let (id, plan) = loop {
        control.flush()?;
        wait_for(&[PollFd::from_borrowed_fd(control.as_fd(), PollFlags::IN)], None)?;
        let Some(requests) = control.requests()? else { return Ok(()) };
        if let Some(first) = requests.into_iter().next() {
            match first.call {
                Call::Begin(plan) => break (first.id, *plan),
                _ => return Err(io::Error::other("the first request was not the plan")),
            }
        }
    };
    match Grounds::make(&plan) {
        Ok(grounds) => {
            control.answer(id, Ok(Answer::Done));
            Center::new(plan, control, grounds).run()
        }
        Err(error) => {
            control.answer(id, Err(other(error)));
            control.flush()
        }
    }
}

/// What instances need before there are any.
struct Grounds {
    cgroups: Box<dyn Cgroups>,
    network: Network,
    home: OwnedFd,
}

impl Grounds {
    fn make(plan: &Plan) -> io::Result<Self> {
        // Programs of the root file system that the lab itself runs see the lab's own processes.
        rustix::mount::mount_bind("/proc", plan.rootfs.join("proc"))?;
        let network = Network::make(plan)?;
        let cgroups = cgroup::of_lab(&plan.id)?;
        cgroups.create("")?;
        // Groups first, and without limits: a quota is set on what is already there.
        for group in plan.workloads.iter().filter_map(|workload| workload.group.as_ref()) {
            cgroups.create(&format!("groups/{group}"))?;
        }
        for slot in &plan.instances {
            let workload = &plan.workloads[slot.workload];
            let group = group_of(workload, &slot.name);
            cgroups.create(&group)?;
            cgroups.set_limits(&group, Quota { cpu: workload.cpu_limit, memory: workload.limits.memory })?;
            if let Some(cpu) = workload.cpu_request {
                cgroups.set_request(&group, cpu)?;
            }
        }
        Ok(Self { cgroups, network, home: File::open("/proc/self/ns/pid")?.into() })
    }
}

/// The control group of an instance.
pub(super) fn group_of(workload: &WorkloadPlan, instance: &str) -> String {
    match &workload.group {
        Some(group) => format!("groups/{group}/{instance}"),
        None => format!("single/{instance}"),
    }
}

/// Waits until something happens or time is up.
fn wait_for(fds: &[PollFd<'_>], most: Option<Duration>) -> io::Result<()> {
    let most = most.map(|most| Timespec {
        tv_sec: most.as_secs().cast_signed(),
        tv_nsec: i64::from(most.subsec_nanos()),
    });
    match poll(&mut fds.to_vec(), most.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

impl Center {
    fn new(plan: Plan, control: Control, grounds: Grounds) -> Self {
        let now = Instant::now();
        let of_slot = |slot: &InstancePlan| {
            Instance::new(slot.node, slot.ordinal < plan.workloads[slot.workload].count)
        };
        let groups = plan.workloads.iter().filter_map(|workload| workload.group.clone());
        Self {
            instances: plan.instances.iter().map(of_slot).collect(),
            nodes: plan.nodes.iter().map(|_| NodeState::default()).collect(),
            desired: plan.workloads.iter().map(|workload| workload.count).collect(),
            told: vec![None; plan.workloads.len()],
            autoscaling: Autoscaling::of(&plan, now),
            quotas: groups.map(|group| (group, Quota::default())).collect(),
            control,
            cgroups: grounds.cgroups,
            network: grounds.network,
            home: grounds.home,
            execs: Vec::new(),
            drains: Vec::new(),
            cuts: BTreeMap::new(),
            tidied: now,
            plan,
        }
    }

    fn run(mut self) -> io::Result<()> {
        loop {
            self.autoscale(Instant::now())?;
            self.advance(Instant::now())?;
            self.tell_replicas();
            self.control.flush()?;
            self.wait()?;
            self.reap()?;
            self.progress(Instant::now());
            let Some(requests) = self.control.requests()? else { return Ok(()) };
            for request in requests {
                if let Some(result) = self.handle(request.id, request.call) {
                    self.control.answer(request.id, result);
                }
            }
            if self.tidied.elapsed() >= TIDY {
                self.tidied = Instant::now();
                self.tidy()?;
            }
        }
    }

    fn wait(&self) -> io::Result<()> {
        let sending = match self.control.has_more_to_send() {
            true => PollFlags::IN | PollFlags::OUT,
            false => PollFlags::IN,
        };
        let mut fds = vec![PollFd::from_borrowed_fd(self.control.as_fd(), sending)];
        for instance in &self.instances {
            fds.extend(instance.process().map(|process| PollFd::new(&process.handle, PollFlags::IN)));
            if let Probing::Asking(probe) = &instance.probing {
                fds.push(PollFd::from_borrowed_fd(probe.as_fd(), probe.waits_for()));
            }
        }
        for exec in &self.execs {
            fds.push(PollFd::new(&exec.handle, PollFlags::IN));
            fds.extend(exec.pipes().map(|pipe| PollFd::from_borrowed_fd(pipe, PollFlags::IN)));
        }
        wait_for(&fds, Some(self.next_moment().saturating_duration_since(Instant::now())))
    }

    /// When the loop has to go round even if nothing happens.
    fn next_moment(&self) -> Instant {
        let instances =
            self.instances.iter().filter_map(|instance| match (&instance.stage, &instance.probing) {
                (Stage::Waiting(at) | Stage::Stopping(_, at), _) => Some(*at),
                (Stage::Running(_), Probing::Due(at)) => Some(*at),
                (Stage::Running(_), Probing::Asking(probe)) => Some(probe.deadline()),
                _ => None,
            });
        let execs = self.execs.iter().map(|exec| exec.deadline);
        let drains = self.drains.iter().map(|drain| drain.deadline);
        let syncs = self.autoscaling.due();
        let others = execs.chain(drains).chain(syncs).chain([self.tidied + TIDY]);
        instances.chain(others).min().unwrap_or_else(Instant::now)
    }

    /// Buries every process that has ended. Also called right after a kill, so that its consequences
    /// are told before its answer.
    pub(super) fn reap(&mut self) -> io::Result<()> {
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) => self.ended(pid, status)?,
                Ok(None) | Err(rustix::io::Errno::CHILD) => return Ok(()),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn ended(&mut self, pid: Pid, status: WaitStatus) -> io::Result<()> {
        let of = |instance: &Instance| instance.process().is_some_and(|process| process.pid == pid);
        if let Some(index) = self.instances.iter().position(of) {
            return self.instance_ended(index, status);
        }
        if let Some(index) = self.execs.iter().position(|exec| exec.pid == pid) {
            let exec = self.execs.swap_remove(index);
            self.exec_ended(exec, status);
        }
        Ok(())
    }

    fn tidy(&mut self) -> io::Result<()> {
        for instance in &self.plan.instances {
            super::logs::bound(&super::logs::path(&self.plan.state, &instance.name))?;
        }
        Ok(())
    }

    fn tell_replicas(&mut self) {
        for index in 0..self.plan.workloads.len() {
            let counts = self.counts(index);
            if self.told[index] != Some(counts) && !self.plan.workloads[index].declared {
                self.told[index] = Some(counts);
                let workload = self.plan.workloads[index].name.clone();
                let (desired, running, ready) = counts;
                self.control.tell(Fact::Replicas { workload, desired, running, ready });
            }
        }
    }
}
