//! One instance as `lab-init` knows it.

use std::{
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

use rustix::process::Pid;

use super::{
    super::{plan::WorkloadPlan, protocol::monotonic},
    probe::Probe,
};
use crate::environment::InstanceState;

/// How it stands with one slot of the plan, whose index it shares.
#[derive(Debug)]
pub(super) struct Instance {
    /// Where it is now; the plan says where it was first.
    pub(super) node: usize,
    /// Is its slot in use, as its workload is sized now?
    pub(super) enlisted: bool,
    pub(super) stage: Stage,
    /// Starts so far. Each start is a new incarnation, with a uid of its own.
    pub(super) starts: u32,
    /// Ends in a row that came soon after a start and that nobody asked for.
    pub(super) crashes: u32,
    pub(super) restarts: u32,
    /// Not to be brought back until released.
    pub(super) held: bool,
    pub(super) frozen: bool,
    pub(super) ready: bool,
    /// Since when it is ready, or not, on the machine's monotonic clock.
    pub(super) since: u64,
    /// When it came to its node and was started for the first time there; restarts do not count.
    pub(super) born: Option<u64>,
    /// Failed probes in a row.
    pub(super) failures: u32,
    pub(super) probing: Probing,
    /// On the machine's monotonic clock.
    pub(super) started: Option<u64>,
    /// Kills for want of memory that were already told.
    pub(super) oom_kills: u64,
    /// Why it is as it is, for people.
    pub(super) detail: String,
    /// Who asked for the end that is about to come.
    pub(super) asked: Option<String>,
}

#[derive(Debug)]
pub(super) enum Stage {
    /// Nothing runs and nothing is about to.
    Idle,
    /// To be started at this moment.
    Waiting(Instant),
    Running(Process),
    /// Asked to end; made to at this moment.
    Stopping(Process, Instant),
}

/// The first process of its pid namespace.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) pid: Pid,
    /// Readable once it has ended.
    pub(super) handle: OwnedFd,
    pub(super) since: Instant,
}

#[derive(Debug)]
pub(super) enum Probing {
    /// Nobody asks it: it does not run, or has no readiness check.
    Never,
    /// To be asked at this moment.
    Due(Instant),
    Asking(Probe),
    /// A command runs in it.
    Running,
}

impl Instance {
    pub(super) fn new(node: usize, enlisted: bool) -> Self {
        Self {
            node,
            enlisted,
            stage: Stage::Idle,
            starts: 0,
            crashes: 0,
            restarts: 0,
            held: false,
            frozen: false,
            ready: false,
            since: 0,
            born: None,
            failures: 0,
            probing: Probing::Never,
            started: None,
            oom_kills: 0,
            detail: String::new(),
            asked: None,
        }
    }

    pub(super) fn process(&self) -> Option<&Process> {
        match &self.stage {
            Stage::Running(process) | Stage::Stopping(process, _) => Some(process),
            Stage::Idle | Stage::Waiting(_) => None,
        }
    }

    /// A start is a restart if the one that is in the slot now was started before; whoever had the slot before it,
    /// or was elsewhere, does not count.
    pub(super) fn count_start(&mut self) {
        self.restarts += u32::from(self.born.is_some());
        self.starts += 1;
    }

    pub(super) fn set_ready(&mut self, ready: bool) {
        if self.ready != ready {
            self.since = monotonic();
        }
        self.ready = ready;
    }

    pub(super) fn state(&self) -> InstanceState {
        match (&self.stage, self.ready) {
            (Stage::Running(_), true) => InstanceState::Ready,
            (Stage::Running(_), false) => InstanceState::Running,
            (Stage::Stopping(..), _) => InstanceState::Terminating,
            (Stage::Waiting(_), _) => InstanceState::Pending,
            (Stage::Idle, _) if self.held => InstanceState::Ended,
            (Stage::Idle, _) => InstanceState::Pending,
        }
    }

    /// Tells incarnations apart.
    pub(super) fn uid(&self, name: &str) -> String {
        format!("{name}.{}", self.starts)
    }
}

/// How long a supervisor waits before it starts again what has ended: not at all the first time,
/// then longer and longer.
pub(super) fn backoff(crashes: u32) -> Duration {
    match crashes {
        0 | 1 => Duration::ZERO,
        more => Duration::from_secs(1 << (more - 2).min(4)).min(Duration::from_secs(10)),
    }
}

/// After so long, an end is not counted together with the one before.
pub(super) const STABLE: Duration = Duration::from_secs(30);

/// Where an instance goes from a node that is gone: to the usable node with the fewest of its own
/// workload, and among those with the fewest of all. `counts` has both figures for each node.
pub(super) fn place(
    workload: &WorkloadPlan,
    usable: impl Fn(usize) -> bool,
    counts: impl Fn(usize) -> (usize, usize),
) -> Option<usize> {
    workload.nodes.iter().copied().filter(|node| usable(*node)).min_by_key(|node| counts(*node))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_one_is_started_again() {
        let mut instance = Instance::new(0, true);
        instance.count_start();
        assert_eq!((instance.starts, instance.restarts), (1, 0));
        instance.born = Some(7);
        instance.count_start();
        assert_eq!((instance.starts, instance.restarts), (2, 1));
        // Its slot is used again, as scaling up does it.
        (instance.born, instance.restarts) = (None, 0);
        instance.count_start();
        assert_eq!((instance.starts, instance.restarts), (3, 0));
    }

    #[test]
    fn restarts_come_at_once_and_then_later_and_later() {
        let seconds: Vec<_> = (0..8).map(|crashes| backoff(crashes).as_secs()).collect();
        assert_eq!(seconds, [0, 0, 1, 2, 4, 8, 10, 10]);
        assert_eq!(backoff(u32::MAX).as_secs(), 10);
    }
}
