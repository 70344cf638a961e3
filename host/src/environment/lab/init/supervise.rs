//! Starting, watching and restarting instances, as a kubelet does.

use std::{
    io::{self, Write},
    os::unix::fs::{PermissionsExt, chown},
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, PidfdFlags, WaitStatus, pidfd_open};

use super::{
    super::{
        inside::{Entry, InstanceSpec},
        plan::{Check, InstancePlan, WorkloadPlan},
        protocol::{Answer, Door, monotonic},
    },
    center::{Center, group_of},
    exec::{Asker, Exec},
    instance::{Probing, Process, STABLE, Stage, backoff},
    logs,
    network::in_new_pid_namespace,
    probe::{Expected, Probe},
    signals,
};
use crate::{
    environment::EnvironmentError,
    observe::{Fact, InstanceChange, InstanceEvent},
};

/// How often an instance is asked that has not been ready yet: starts should not wait for probes.
const EAGER: Duration = Duration::from_millis(100);

impl Center {
    pub(super) fn workload(&self, instance: usize) -> &WorkloadPlan {
        &self.plan.workloads[self.plan.instances[instance].workload]
    }

    pub(super) fn slot(&self, instance: usize) -> &InstancePlan {
        &self.plan.instances[instance]
    }

    /// The control group of an instance.
    pub(super) fn group(&self, instance: usize) -> String {
        group_of(self.workload(instance), &self.slot(instance).name)
    }

    /// Should it run, as things are?
    pub(super) fn wanted(&self, index: usize) -> bool {
        let instance = &self.instances[index];
        instance.enlisted && !instance.held && !self.nodes[instance.node].failed()
    }

    /// Desired, running, ready.
    pub(super) fn counts(&self, workload: usize) -> (u32, u32, u32) {
        let mut counts = (self.desired[workload], 0, 0);
        for (slot, instance) in self.plan.instances.iter().zip(&self.instances) {
            if slot.workload == workload && instance.process().is_some() {
                counts.1 += 1;
                counts.2 += u32::from(instance.ready);
            }
        }
        counts
    }

    pub(super) fn tell(&mut self, index: usize, change: InstanceEvent, detail: impl Into<String>) {
        let slot = self.slot(index);
        let change = InstanceChange {
            instance: slot.name.clone(),
            workload: self.workload(index).name.clone(),
            node: self.plan.nodes[self.instances[index].node].name.clone(),
            change,
            detail: detail.into(),
        };
        self.control.tell(Fact::Instance(change));
    }

    /// Does what is due.
    pub(super) fn advance(&mut self, now: Instant) -> io::Result<()> {
        self.advance_nodes(now)?;
        for index in 0..self.instances.len() {
            let wanted = self.wanted(index);
            match &self.instances[index].stage {
                Stage::Idle if wanted && self.may_start(index) => self.start(index, now)?,
                Stage::Waiting(_) if !wanted => self.instances[index].stage = Stage::Idle,
                Stage::Waiting(at) if *at <= now => self.start(index, now)?,
                Stage::Running(_) if !wanted && !self.instances[index].held => {
                    self.instances[index].asked = Some("scaled down".to_owned());
                    self.stop(index, now)?;
                }
                Stage::Stopping(process, at) if *at <= now => signals::kill(process)?,
                Stage::Running(_) => self.probe(index, now),
                _ => {}
            }
        }
        for exec in self.execs.iter().filter(|exec| exec.deadline <= now) {
            exec.kill();
        }
        Ok(())
    }

    /// The order of the first start; a restart does not wait for others.
    fn may_start(&self, index: usize) -> bool {
        self.instances[index].starts > 0
            || self.workload(index).after.iter().all(|before| {
                let (desired, _, ready) = self.counts(*before);
                ready >= desired
            })
    }

    fn start(&mut self, index: usize, now: Instant) -> io::Result<()> {
        let instance = &mut self.instances[index];
        instance.count_start();
        match self.spawn(index, now) {
            Ok(process) => {
                let instance = &mut self.instances[index];
                instance.stage = Stage::Running(process);
                instance.started = Some(monotonic());
                if instance.born.is_none() {
                    (instance.born, instance.since) = (instance.started, monotonic());
                }
                instance.failures = 0;
                instance.asked = None;
                let detail = format!("start {}", instance.starts);
                self.tell(index, InstanceEvent::Started, detail);
                let checked = self.workload(index).ready.is_some();
                let instance = &mut self.instances[index];
                if checked {
                    instance.probing = Probing::Due(now + EAGER);
                } else {
                    instance.set_ready(true);
                    instance.detail.clear();
                    self.tell(index, InstanceEvent::Ready, "it runs");
                }
                Ok(())
            }
            // Namespaces that cannot be gone back to make every further step wrong.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(error),
            Err(error) => {
                let instance = &mut self.instances[index];
                instance.crashes += 1;
                instance.stage = Stage::Waiting(now + backoff(instance.crashes).max(EAGER));
                instance.detail = format!("it could not be started: {error}");
                let detail = instance.detail.clone();
                self.tell(index, InstanceEvent::Exited, detail);
                Ok(())
            }
        }
    }

    fn spawn(&mut self, index: usize, now: Instant) -> io::Result<Process> {
        let spec = self.prepare(index)?;
        let log = logs::open(&self.plan.state, &spec.name)?;
        let spawned = self.network.within(index, |_| {
            in_new_pid_namespace(&self.home, || {
                Command::new("/proc/self/exe")
                    .arg(super::super::INSTANCE)
                    .stdin(Stdio::piped())
                    .stdout(Stdio::from(log.try_clone()?))
                    .stderr(Stdio::from(log))
                    .spawn()
            })
        });
        let mut child = spawned???;
        let pid = Pid::from_child(&child);
        if let Some(mut stdin) = child.stdin.take() {
            // If it has ended already, its exit tells why.
            let _written = stdin.write_all(&serde_json::to_vec(&spec)?);
        }
        Ok(Process { pid, handle: pidfd_open(pid, PidfdFlags::empty())?, since: now })
    }

    /// Puts on disk what the instance will find.
    fn prepare(&self, index: usize) -> io::Result<InstanceSpec> {
        let (slot, workload, instance) = (self.slot(index), self.workload(index), &self.instances[index]);
        let user = &workload.user;
        let own = |path: &PathBuf, mode: u32| {
            chown(path, Some(user.uid), Some(user.gid))?;
            fs_err::set_permissions(path, std::fs::Permissions::from_mode(mode))
        };
        let folder = self.folder(index);
        // A layer of the start before may still be in use by the kernel, so every start has its own.
        let layers = folder.join("layers");
        remove_folder(&layers.join((instance.starts.saturating_sub(1)).to_string()))?;
        let config = folder.join("config");
        remove_folder(&config)?;
        fs_err::create_dir_all(&config)?;
        for (name, text) in &slot.files {
            let path = config.join(name);
            fs_err::write(&path, text)?;
            own(&path, 0o400)?;
        }
        own(&config, 0o500)?;
        let mut volumes = Vec::new();
        for (number, target) in workload.volumes.iter().enumerate() {
            let path = folder.join("volumes").join(number.to_string());
            fs_err::create_dir_all(&path)?;
            own(&path, 0o700)?;
            volumes.push((path, target.clone()));
        }
        Ok(InstanceSpec {
            name: slot.name.clone(),
            rootfs: self.plan.rootfs.clone(),
            layer: layers.join(instance.starts.to_string()),
            config,
            volumes,
            scratch: workload.scratch.clone(),
            programs: self.plan.programs.clone(),
            hosts: self.plan.hosts.clone(),
            entrances: self.cgroups.entrances(&self.group(index)),
            user: user.clone(),
            command: slot.command.clone(),
            env: slot.env.clone(),
        })
    }

    fn folder(&self, index: usize) -> PathBuf {
        self.plan.state.join("instances").join(&self.slot(index).name)
    }

    /// What an instance kept stays behind when it moves to another node.
    pub(super) fn forget_volumes(&self, index: usize) -> io::Result<()> {
        remove_folder(&self.folder(index).join("volumes"))
    }

    /// Asks an instance to end within its grace period.
    pub(super) fn stop(&mut self, index: usize, now: Instant) -> io::Result<()> {
        let grace = self.workload(index).grace;
        let instance = &mut self.instances[index];
        match std::mem::replace(&mut instance.stage, Stage::Idle) {
            Stage::Running(process) => {
                let asked = signals::ask_to_end(&process);
                instance.stage = Stage::Stopping(process, now + grace);
                asked
            }
            other => {
                instance.stage = other;
                Ok(())
            }
        }
    }

    pub(super) fn instance_ended(&mut self, index: usize, status: WaitStatus) -> io::Result<()> {
        let group = self.group(index);
        let oom_kills = self.cgroups.figures(&group).map_or(0, |figures| figures.oom_kills);
        let instance = &mut self.instances[index];
        let lived = instance.process().map_or(Duration::ZERO, |process| process.since.elapsed());
        let asked = instance.asked.take();
        instance.detail = match &asked {
            Some(asked) => format!("{asked}; {}", how_it_ended(status)),
            None => how_it_ended(status),
        };
        let event = match oom_kills > instance.oom_kills {
            true => InstanceEvent::OomKilled,
            false => InstanceEvent::Exited,
        };
        instance.oom_kills = oom_kills;
        instance.set_ready(false);
        instance.frozen = false;
        instance.probing = Probing::Never;
        // An end that was asked for says nothing about the program.
        instance.crashes = match (asked.is_some(), lived > STABLE) {
            (true, _) => 0,
            (false, true) => 1,
            (false, false) => instance.crashes + 1,
        };
        instance.stage = Stage::Waiting(Instant::now() + backoff(instance.crashes));
        if !self.wanted(index) {
            self.instances[index].stage = Stage::Idle;
        }
        let detail = self.instances[index].detail.clone();
        self.tell(index, event, detail);
        Ok(())
    }

    fn probe(&mut self, index: usize, now: Instant) {
        let Probing::Due(at) = self.instances[index].probing else { return };
        let Some(readiness) = self.workload(index).ready.clone() else { return };
        if at > now {
            return;
        }
        let begin = |port, expected| {
            Probe::begin(self.slot(index).address, port, expected, readiness.timeout, now)
                .map(Probing::Asking)
        };
        let begun = match readiness.check {
            Check::Tcp { port } => begin(port, None),
            Check::Http { port, path, status, contains } => {
                begin(port, Some(Expected { path, status, contains }))
            }
            Check::Exec { command } => {
                let asker = Asker::Readiness(index, self.instances[index].starts);
                self.exec(index, command, asker, readiness.timeout, now).map(|()| Probing::Running)
            }
        };
        match begun {
            Ok(probing) => self.instances[index].probing = probing,
            Err(error) => self.judged(index, Err(error.to_string())),
        }
    }

    /// Starts a command in a running instance.
    pub(super) fn exec(
        &mut self,
        index: usize,
        command: Vec<String>,
        asker: Asker,
        timeout: Duration,
        now: Instant,
    ) -> io::Result<()> {
        let Some(door) = self.door(index) else {
            return Err(io::Error::other(format!("{} does not run", self.slot(index).name)));
        };
        let entry = Entry { proc: "/proc".into(), door, command };
        self.execs.push(Exec::begin(&entry, asker, timeout, now)?);
        Ok(())
    }

    pub(super) fn door(&self, index: usize) -> Option<Door> {
        let process = self.instances[index].process()?;
        Some(Door {
            pid: process.pid.as_raw_nonzero().get(),
            user: self.workload(index).user.clone(),
            env: self.slot(index).env.clone(),
            entrances: self.cgroups.entrances(&self.group(index)),
        })
    }

    pub(super) fn exec_ended(&mut self, exec: Exec, status: WaitStatus) {
        let late = exec.deadline <= Instant::now() && status.terminating_signal().is_some();
        let code =
            status.exit_status().or(status.terminating_signal().map(|signal| 128 + signal)).unwrap_or(1);
        let (asker, timeout) = (exec.asker, exec.timeout);
        let mut output = exec.output(code);
        match asker {
            Asker::Request(id) => {
                output.stdout = logs::hide(&output.stdout, &self.plan.hidden);
                output.stderr = logs::hide(&output.stderr, &self.plan.hidden);
                let result = match late {
                    true => {
                        Err(EnvironmentError::TimedOut(format!("the command ran longer than {timeout:?}")))
                    }
                    false => Ok(Answer::Exec(output)),
                };
                self.control.answer(id, result);
            }
            Asker::Readiness(index, start) if self.instances[index].starts == start => {
                let verdict = match (late, code) {
                    (true, _) => Err(format!("the readiness command ran longer than {timeout:?}")),
                    (false, 0) => Ok(()),
                    (false, code) => {
                        Err(format!("the readiness command ended with {code}: {}", output.stderr.trim()))
                    }
                };
                self.judged(index, verdict);
            }
            Asker::Readiness(..) => {}
        }
    }

    /// Goes on with what was begun.
    pub(super) fn progress(&mut self, now: Instant) {
        for index in 0..self.instances.len() {
            if let Probing::Asking(probe) = &mut self.instances[index].probing
                && let Some(verdict) = probe.advance(now)
            {
                self.judged(index, verdict);
            }
        }
        self.execs.iter_mut().for_each(Exec::read);
    }

    /// Takes the outcome of one readiness check.
    fn judged(&mut self, index: usize, verdict: Result<(), String>) {
        let Some(readiness) = self.workload(index).ready.as_ref() else { return };
        let (interval, most) = (readiness.interval, readiness.failures);
        let instance = &mut self.instances[index];
        let running = matches!(instance.stage, Stage::Running(_));
        let (was, mut told) = (instance.ready, None);
        match verdict {
            Ok(()) => {
                instance.failures = 0;
                instance.set_ready(running);
                if running && !was {
                    instance.detail.clear();
                    told = Some((InstanceEvent::Ready, String::new()));
                }
            }
            Err(because) => {
                instance.failures += 1;
                if !was {
                    instance.detail = because;
                } else if instance.failures >= most {
                    instance.set_ready(false);
                    instance.detail.clone_from(&because);
                    told = Some((InstanceEvent::NotReady, because));
                }
            }
        }
        let pause = if instance.ready { interval } else { interval.min(EAGER) };
        instance.probing = Probing::Due(Instant::now() + pause);
        if let Some((event, detail)) = told {
            self.tell(index, event, detail);
        }
    }
}

fn how_it_ended(status: WaitStatus) -> String {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code @ 129..=192), _) => format!("ended by signal {}", code - 128),
        (Some(code), _) => format!("ended with status {code}"),
        (None, Some(signal)) => format!("ended by signal {signal}, all processes at once"),
        (None, None) => "ended".to_owned(),
    }
}

fn remove_folder(path: &std::path::Path) -> io::Result<()> {
    match fs_err::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
