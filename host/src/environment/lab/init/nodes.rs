//! Nodes: what happens when one is gone, is not to be used, or is emptied.

use std::{
    io,
    time::{Duration, Instant},
};

use super::{
    super::protocol::Answer,
    center::Center,
    instance::{Stage, place},
    signals,
};
use crate::{
    environment::{EnvironmentError, Node},
    observe::InstanceEvent,
};

/// One node, as it is now.
#[derive(Debug, Default)]
pub(super) struct NodeState {
    /// Since when it is gone.
    failed: Option<Instant>,
    cordoned: bool,
}

impl NodeState {
    pub(super) fn failed(&self) -> bool {
        self.failed.is_some()
    }

    fn usable(&self) -> bool {
        !self.failed() && !self.cordoned
    }
}

/// A node that is being emptied, one instance after the other.
#[derive(Debug)]
pub(super) struct Drain {
    request: u64,
    node: usize,
    pub(super) deadline: Instant,
    timeout: Duration,
    /// The one that is on its way.
    moving: Option<usize>,
}

impl Center {
    fn node(&self, name: &str) -> Result<usize, EnvironmentError> {
        let found = self.plan.nodes.iter().position(|node| node.name == name);
        found.ok_or_else(|| EnvironmentError::NotFound(format!("there is no node '{name}'")))
    }

    pub(super) fn node_views(&self) -> Vec<Node> {
        let states = self.plan.nodes.iter().zip(&self.nodes);
        states
            .map(|(node, state)| Node {
                name: node.name.clone(),
                labels: node.labels.clone(),
                ready: !state.failed(),
                schedulable: !state.cordoned,
            })
            .collect()
    }

    fn on_node(&self, node: usize) -> Vec<usize> {
        (0..self.instances.len()).filter(|index| self.instances[*index].node == node).collect()
    }

    pub(super) fn set_schedulable(
        &mut self,
        node: &str,
        schedulable: bool,
    ) -> Result<Answer, EnvironmentError> {
        let index = self.node(node)?;
        self.nodes[index].cordoned = !schedulable;
        if schedulable {
            // What is back in use is not to be emptied, and whoever asked for that may be long dead.
            for drain in self.drains.extract_if(.., |drain| drain.node == index) {
                let text = format!("node '{node}' was taken back into use while it was drained");
                self.control.answer(drain.request, Err(EnvironmentError::Conflict(text)));
            }
        }
        Ok(Answer::Done)
    }

    /// As if its power were cut: first it goes silent, then its processes end.
    pub(super) fn fail_node(&mut self, name: &str) -> Result<Answer, EnvironmentError> {
        let node = self.node(name)?;
        if self.nodes[node].failed() {
            return Err(EnvironmentError::Conflict(format!("node '{name}' is already down")));
        }
        let on_node = self.on_node(node);
        self.network.set_links(&on_node, false).map_err(other)?;
        self.nodes[node].failed = Some(Instant::now());
        let mut ended = 0;
        for index in on_node {
            self.instances[index].asked = Some(format!("node {name} failed"));
            if let Some(process) = self.instances[index].process() {
                signals::kill(process).map_err(other)?;
                ended += 1;
            }
        }
        self.reap().map_err(other)?;
        Ok(Answer::Text(format!("links down, then SIGKILL to all processes of {ended} instances")))
    }

    pub(super) fn restore_node(&mut self, name: &str) -> Result<Answer, EnvironmentError> {
        let node = self.node(name)?;
        if self.nodes[node].failed.take().is_some() {
            self.network.set_links(&self.on_node(node), true).map_err(other)?;
        }
        Ok(Answer::Done)
    }

    /// Cordons a node and moves what can be moved, each one only after the one before is ready.
    pub(super) fn drain(
        &mut self,
        request: u64,
        name: &str,
        timeout: Duration,
    ) -> Result<(), EnvironmentError> {
        let node = self.node(name)?;
        self.nodes[node].cordoned = true;
        self.drains.push(Drain { request, node, deadline: Instant::now() + timeout, timeout, moving: None });
        Ok(())
    }

    /// Moves what a node that stays away has left, and goes on with drains.
    pub(super) fn advance_nodes(&mut self, now: Instant) -> io::Result<()> {
        for node in 0..self.nodes.len() {
            let gone = self.nodes[node].failed.is_some_and(|since| now >= since + self.plan.reschedule_after);
            if gone {
                for index in self.movable_on(node) {
                    if let Some(target) = self.other_place(index) {
                        self.put(index, target)?;
                        self.tell(
                            index,
                            InstanceEvent::Rescheduled,
                            format!("from {}", self.plan.nodes[node].name),
                        );
                    }
                }
            }
        }
        for mut drain in std::mem::take(&mut self.drains) {
            match self.step_drain(&mut drain, now)? {
                Some(result) => self.control.answer(drain.request, result),
                None => self.drains.push(drain),
            }
        }
        Ok(())
    }

    fn movable_on(&self, node: usize) -> Vec<usize> {
        let mut found = self.on_node(node);
        found.retain(|index| self.workload(*index).movable && self.instances[*index].enlisted);
        found
    }

    /// The node where there are fewest, of those where it may run.
    pub(super) fn other_place(&self, index: usize) -> Option<usize> {
        let own = self.slot(index).workload;
        let counts = |node: usize| {
            let there: Vec<_> =
                self.on_node(node).into_iter().filter(|other| self.instances[*other].enlisted).collect();
            let like = there.iter().filter(|other| self.slot(**other).workload == own).count();
            (like, there.len())
        };
        place(self.workload(index), |node| self.nodes[node].usable(), counts)
    }

    /// Gives an instance that does not run another node.
    pub(super) fn put(&mut self, index: usize, node: usize) -> io::Result<()> {
        self.forget_volumes(index)?;
        self.network.set_links(&[index], true)?;
        self.instances[index].node = node;
        self.instances[index].stage = Stage::Idle;
        self.instances[index].asked = None;
        self.instances[index].born = None;
        Ok(())
    }

    fn step_drain(
        &mut self,
        drain: &mut Drain,
        now: Instant,
    ) -> io::Result<Option<Result<Answer, EnvironmentError>>> {
        let node = self.plan.nodes[drain.node].name.clone();
        // Who was taken out of use on the way ends, and is nobody's business here any more.
        drain.moving.take_if(|index| !self.instances[*index].enlisted);
        if let Some(index) = drain.moving {
            if self.instances[index].node != drain.node {
                // It counts as moved once it serves again.
                if self.instances[index].ready {
                    drain.moving = None;
                }
            } else if self.instances[index].process().is_none() {
                match self.other_place(index) {
                    Some(target) => {
                        self.put(index, target)?;
                        self.tell(index, InstanceEvent::Evicted, format!("from {node}"));
                    }
                    None => {
                        let name = &self.slot(index).name;
                        let text = format!("there is no other node that '{name}' may run on");
                        return Ok(Some(Err(EnvironmentError::Conflict(text))));
                    }
                }
            }
        }
        if drain.moving.is_none() {
            match self.movable_on(drain.node).first().copied() {
                None => return Ok(Some(Ok(Answer::Done))),
                Some(index) if self.other_place(index).is_none() => {
                    let name = &self.slot(index).name;
                    let text = format!("there is no other node that '{name}' may run on");
                    return Ok(Some(Err(EnvironmentError::Conflict(text))));
                }
                Some(index) => {
                    drain.moving = Some(index);
                    self.instances[index].asked = Some(format!("node {node} is drained"));
                    self.stop(index, now)?;
                }
            }
        }
        if now >= drain.deadline {
            let text = format!("node '{node}' is not empty after {:?}", drain.timeout);
            return Ok(Some(Err(EnvironmentError::TimedOut(text))));
        }
        Ok(None)
    }
}

pub(super) fn other(error: io::Error) -> EnvironmentError {
    EnvironmentError::Other(error.to_string())
}
