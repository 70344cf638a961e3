//! The environment in portable terms: what runs, on which nodes, under which bounds, and how to
//! break it. The lab and Kubernetes both answer, so one fault serves both.
//!
//! Selectors are label selectors as Kubernetes has them (`app=postgres`, `tier in (app, db),!canary`);
//! `name=…` chooses by name. Every call needs a grant for its selector, and the host journals the
//! inverse of every mutating one before it acts, so a plugin never undoes these itself.
//!
//! All functions answer `denied` without a grant, `unsupported` where the environment cannot do
//! that, `invalid` for a malformed selector, `not-found` for a name that does not exist, and
//! `timed-out` at the calling export's deadline. Only what comes on top is listed with each.

use std::time::Duration;

pub use crate::bindings::imports::cluster::{
    Direction, ExecResult, Instance, InstanceState, Manner, Node, Quota, QuotaStatus, Reading, Workload,
};
pub use crate::bindings::imports::types::Label;
use crate::clock::nanos;
use crate::failure::{Failure, Result};
use crate::host;

/// What runs, by label.
///
/// # Errors
///
/// See the [module](self).
pub fn instances(selector: &str) -> Result<Vec<Instance>> {
    host::cluster::instances(selector)
}

/// Ends an instance and lets its supervisor bring it back. Answers by what means it was done.
///
/// # Errors
///
/// `conflict` if the name now belongs to an instance with another uid.
pub fn terminate(instance: &str, uid: &str, how: Manner) -> Result<String> {
    host::cluster::terminate(instance, uid, how, false)
}

/// Ends an instance and holds it: it does not come back before the fault is reverted (or
/// [`release`]), so that the platform must notice. Answers by what means it was done.
///
/// # Errors
///
/// `conflict` if the name now belongs to an instance with another uid.
pub fn terminate_and_hold(instance: &str, uid: &str, how: Manner) -> Result<String> {
    host::cluster::terminate(instance, uid, how, true)
}

/// Lets a held instance come back, or a frozen one go on. Without effect if it is neither.
///
/// # Errors
///
/// See the [module](self).
pub fn release(instance: &str) -> Result<()> {
    host::cluster::release(instance)
}

/// Runs a command inside an instance, without a shell, at most 30 s. What it changes, `revert` must
/// undo.
///
/// # Errors
///
/// See the [module](self). A command that ran and failed is no error: look at its exit code.
pub fn exec(instance: &str, command: &[&str]) -> Result<ExecResult> {
    let command: Vec<String> = command.iter().map(|each| (*each).to_owned()).collect();
    host::cluster::exec(instance, &command)
}

/// All nodes.
///
/// # Errors
///
/// See the [module](self).
pub fn nodes() -> Result<Vec<Node>> {
    host::cluster::nodes()
}

/// The ready nodes that carry selected instances which are ready, with those, both sorted by name: what
/// a fault of nodes can choose its victim from. With a name, that node alone. Never empty.
///
/// # Errors
///
/// `not-found` if there is no such node.
pub fn carriers(selector: &str, name: Option<&str>) -> Result<Vec<(Node, Vec<Instance>)>> {
    let mut carried = instances(selector)?;
    carried.retain(|instance| instance.state == InstanceState::Ready);
    carried.sort_by(|one, other| one.name.cmp(&other.name));
    let mut carriers: Vec<_> = nodes()?
        .into_iter()
        .filter(|node| node.ready && name.is_none_or(|name| node.name == name))
        .map(|node| {
            let here = carried.iter().filter(|instance| instance.node == node.name).cloned().collect();
            (node, here)
        })
        .filter(|(_, here): &(Node, Vec<Instance>)| !here.is_empty())
        .collect();
    carriers.sort_by(|(one, _), (other, _)| one.name.cmp(&other.name));
    if carriers.is_empty() {
        let which = name.map_or("no node".to_owned(), |name| format!("no node {name}"));
        return Err(Failure::NotFound(format!("{which} is ready and carries a ready {selector}")));
    }
    Ok(carriers)
}

/// Keeps new instances off a node.
///
/// # Errors
///
/// See the [module](self).
pub fn cordon(node: &str) -> Result<()> {
    host::cluster::cordon(node)
}

/// Lets new instances onto a node again.
///
/// # Errors
///
/// See the [module](self).
pub fn uncordon(node: &str) -> Result<()> {
    host::cluster::uncordon(node)
}

/// Cordons a node and evicts what can be moved, within disruption budgets.
///
/// # Errors
///
/// `conflict` if a disruption budget forbids it, `timed-out` if it takes longer than `timeout`.
pub fn drain(node: &str, timeout: Duration) -> Result<()> {
    host::cluster::drain(node, nanos(timeout))
}

/// Turns a node's power off. Answers by what means it was done.
///
/// # Errors
///
/// See the [module](self).
pub fn fail_node(node: &str) -> Result<String> {
    host::cluster::fail_node(node)
}

/// Turns a node's power on again.
///
/// # Errors
///
/// See the [module](self).
pub fn restore_node(node: &str) -> Result<()> {
    host::cluster::restore_node(node)
}

/// Cuts the traffic between two groups of instances; without a peer, between one and everything.
/// Answers an id for [`heal`].
///
/// # Errors
///
/// See the [module](self).
pub fn isolate(selector: &str, peer: Option<&str>, direction: Direction) -> Result<String> {
    host::cluster::isolate(selector, peer, direction)
}

/// Joins what [`isolate`] cut.
///
/// # Errors
///
/// See the [module](self).
pub fn heal(id: &str) -> Result<()> {
    host::cluster::heal(id)
}

/// Groups of like instances, by label.
///
/// # Errors
///
/// See the [module](self).
pub fn workloads(selector: &str) -> Result<Vec<Workload>> {
    host::cluster::workloads(selector)
}

/// Changes how many instances of a workload there should be.
///
/// # Errors
///
/// See the [module](self).
pub fn scale(workload: &str, replicas: u32) -> Result<()> {
    host::cluster::scale(workload, replicas)
}

/// The bounds on the groups that hold the selected workloads, and what there is to bound.
///
/// # Errors
///
/// See the [module](self).
pub fn quotas(selector: &str) -> Result<Vec<QuotaStatus>> {
    host::cluster::quotas(selector)
}

/// Bounds the one group that exactly the selected workloads make up.
///
/// # Errors
///
/// `conflict` if they are not exactly one group, or a workload's limit is above the bound where the
/// system forbids that.
pub fn set_quota(selector: &str, quota: Quota) -> Result<()> {
    host::cluster::set_quota(selector, quota)
}

/// What each instance uses now.
///
/// # Errors
///
/// See the [module](self).
pub fn usage(selector: &str) -> Result<Vec<Reading>> {
    host::cluster::usage(selector)
}

impl Instance {
    /// The value of a label.
    pub fn label(&self, key: &str) -> Option<&str> {
        find_label(&self.labels, key)
    }
}

impl Workload {
    /// The value of a label.
    pub fn label(&self, key: &str) -> Option<&str> {
        find_label(&self.labels, key)
    }
}

impl Node {
    /// The value of a label.
    pub fn label(&self, key: &str) -> Option<&str> {
        find_label(&self.labels, key)
    }
}

fn find_label<'a>(labels: &'a [Label], key: &str) -> Option<&'a str> {
    labels.iter().find(|label| label.key == key).map(|label| label.value.as_str())
}
