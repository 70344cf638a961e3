//! The fake's cluster: instances, nodes and workloads that a test puts there, and that change as a
//! real environment's would.

use super::selector::{labels, matches};
use super::{FakeHost, record, with};
use crate::bindings::imports::cluster::{
    Direction, ExecResult, Instance, InstanceState, Manner, Node, Quota, QuotaStatus, Reading, Workload,
};
use crate::clock::Nanos;
use crate::failure::{Failure, Result};

#[derive(Default)]
pub(super) struct World {
    instances: Vec<Instance>,
    nodes: Vec<Node>,
    workloads: Vec<Workload>,
    quotas: Vec<QuotaStatus>,
    readings: Vec<Reading>,
    execs: super::script::Script<Result<ExecResult>>,
    /// The next mutating call answers this instead of acting.
    refusal: Option<Failure>,
    isolations: u32,
}

/// A ready instance on node `node-0` at 10.0.0.1, with labels written as `key=value,key=value`. Its workload is
/// its name without what follows the last `-`. Change what must be otherwise.
pub fn instance(name: &str, with_labels: &str) -> Instance {
    Instance {
        name: name.to_owned(),
        uid: format!("{name}-uid"),
        workload: name.rsplit_once('-').map_or(name, |(workload, _)| workload).to_owned(),
        node: "node-0".to_owned(),
        address: Some("10.0.0.1".to_owned()),
        labels: labels(with_labels),
        state: InstanceState::Ready,
        restarts: 0,
        started: None,
    }
}

/// A workload with all of its instances ready, in the group `app`, without requests or limits.
pub fn workload(name: &str, with_labels: &str, replicas: u32) -> Workload {
    Workload {
        name: name.to_owned(),
        labels: labels(with_labels),
        desired: replicas,
        running: replicas,
        ready: replicas,
        declared_only: false,
        cpu_request: None,
        cpu_limit: None,
        memory_request: None,
        memory_limit: None,
        group: Some("app".to_owned()),
    }
}

impl FakeHost {
    /// Puts an instance there, in place of one of the same name.
    pub fn instance(&self, instance: Instance) {
        with(|world| {
            world.cluster.instances.retain(|each| each.name != instance.name);
            world.cluster.instances.push(instance);
        });
    }

    /// Puts a node there.
    pub fn node(&self, name: &str, with_labels: &str) {
        let node =
            Node { name: name.to_owned(), labels: labels(with_labels), ready: true, schedulable: true };
        with(|world| world.cluster.nodes.push(node));
    }

    /// Puts a workload there.
    pub fn workload(&self, workload: Workload) {
        with(|world| world.cluster.workloads.push(workload));
    }

    /// Puts a group there, without bounds, on a machine of so much.
    pub fn group(&self, name: &str, capacity: Quota) {
        let quota = Quota { cpu: None, memory: None };
        with(|world| world.cluster.quotas.push(QuotaStatus { group: name.to_owned(), quota, capacity }));
    }

    /// Adds a reading.
    pub fn reading(&self, reading: Reading) {
        with(|world| world.cluster.readings.push(reading));
    }

    /// Adds what a command answers inside an instance; it is written with spaces between its words.
    pub fn exec(&self, instance: &str, command: &str, answer: Result<ExecResult>) {
        with(|world| world.cluster.execs.add(format!("{instance} {command}"), answer));
    }

    /// Makes the next mutating call of `cluster` fail.
    pub fn refuse_next(&self, failure: Failure) {
        with(|world| world.cluster.refusal = Some(failure));
    }
}

/// Records a mutating call, and answers the refusal that was asked for.
fn act(call: String) -> Result<()> {
    record(call);
    with(|world| world.cluster.refusal.take()).map_or(Ok(()), Err)
}

fn unknown(kind: &str, name: &str) -> Failure {
    Failure::NotFound(format!("there is no {kind} {name}"))
}

/// All of a kind that the selector chooses.
fn chosen<T: Clone>(
    all: &[T],
    selector: &str,
    of: impl Fn(&T) -> (&str, &[crate::cluster::Label]),
) -> Result<Vec<T>> {
    let mut found = Vec::new();
    for each in all {
        let (name, labels) = of(each);
        if matches(selector, name, labels)? {
            found.push(each.clone());
        }
    }
    Ok(found)
}

pub(crate) fn instances(selector: &str) -> Result<Vec<Instance>> {
    record(format!("cluster.instances {selector}"));
    with(|world| chosen(&world.cluster.instances, selector, |each| (&each.name, &each.labels)))
}

pub(crate) fn terminate(name: &str, uid: &str, how: Manner, hold: bool) -> Result<String> {
    let manner = how.name();
    act(format!("cluster.terminate {name} {manner}{}", if hold { " hold" } else { "" }))?;
    with(|world| {
        let mut all = world.cluster.instances.iter_mut();
        let instance = all.find(|each| each.name == name).ok_or_else(|| unknown("instance", name))?;
        if instance.uid != uid {
            return Err(Failure::Conflict(format!("{name} is now {}", instance.uid)));
        }
        instance.state = if hold { InstanceState::Ended } else { InstanceState::Pending };
        Ok(format!("{manner} by the fake host"))
    })
}

pub(crate) fn release(name: &str) -> Result<()> {
    act(format!("cluster.release {name}"))?;
    with(|world| {
        let mut all = world.cluster.instances.iter_mut();
        let instance = all.find(|each| each.name == name).ok_or_else(|| unknown("instance", name))?;
        instance.state = InstanceState::Ready;
        Ok(())
    })
}

pub(crate) fn exec(name: &str, command: &[String]) -> Result<ExecResult> {
    let question = format!("{name} {}", command.join(" "));
    act(format!("cluster.exec {question}"))?;
    let missing = || Err(Failure::NotFound(format!("nothing is scripted for {question}")));
    with(|world| world.cluster.execs.answer(&question)).unwrap_or_else(missing)
}

pub(crate) fn nodes() -> Result<Vec<Node>> {
    record("cluster.nodes");
    Ok(with(|world| world.cluster.nodes.clone()))
}

fn change_node(call: &str, name: &str, change: impl FnOnce(&mut Node)) -> Result<()> {
    act(format!("cluster.{call} {name}"))?;
    with(|world| {
        let mut all = world.cluster.nodes.iter_mut();
        change(all.find(|each| each.name == name).ok_or_else(|| unknown("node", name))?);
        Ok(())
    })
}

pub(crate) fn cordon(node: &str) -> Result<()> {
    change_node("cordon", node, |node| node.schedulable = false)
}

pub(crate) fn uncordon(node: &str) -> Result<()> {
    change_node("uncordon", node, |node| node.schedulable = true)
}

pub(crate) fn drain(node: &str, _timeout: Nanos) -> Result<()> {
    change_node("drain", node, |node| node.schedulable = false)
}

pub(crate) fn fail_node(node: &str) -> Result<String> {
    change_node("fail-node", node, |node| node.ready = false)?;
    Ok("power off by the fake host".to_owned())
}

pub(crate) fn restore_node(node: &str) -> Result<()> {
    change_node("restore-node", node, |node| node.ready = true)
}

pub(crate) fn isolate(selector: &str, peer: Option<&str>, direction: Direction) -> Result<String> {
    let direction = match direction {
        Direction::Both => "both",
        Direction::Ingress => "ingress",
        Direction::Egress => "egress",
    };
    act(format!("cluster.isolate {selector} from {} {direction}", peer.unwrap_or("everything")))?;
    with(|world| {
        world.cluster.isolations += 1;
        Ok(format!("isolation-{}", world.cluster.isolations))
    })
}

pub(crate) fn heal(id: &str) -> Result<()> {
    act(format!("cluster.heal {id}"))
}

pub(crate) fn workloads(selector: &str) -> Result<Vec<Workload>> {
    record(format!("cluster.workloads {selector}"));
    with(|world| chosen(&world.cluster.workloads, selector, |each| (&each.name, &each.labels)))
}

pub(crate) fn scale(name: &str, replicas: u32) -> Result<()> {
    act(format!("cluster.scale {name} {replicas}"))?;
    with(|world| {
        let mut all = world.cluster.workloads.iter_mut();
        let workload = all.find(|each| each.name == name).ok_or_else(|| unknown("workload", name))?;
        (workload.desired, workload.running, workload.ready) = (replicas, replicas, replicas);
        Ok(())
    })
}

/// The groups of the selected workloads.
fn groups(selector: &str) -> Result<Vec<String>> {
    let workloads =
        with(|world| chosen(&world.cluster.workloads, selector, |each| (&each.name, &each.labels)))?;
    let mut groups: Vec<String> = workloads.into_iter().filter_map(|each| each.group).collect();
    groups.sort();
    groups.dedup();
    Ok(groups)
}

pub(crate) fn quotas(selector: &str) -> Result<Vec<QuotaStatus>> {
    record(format!("cluster.quotas {selector}"));
    let groups = groups(selector)?;
    with(|world| {
        let all = world.cluster.quotas.iter();
        Ok(all.filter(|each| groups.contains(&each.group)).cloned().collect())
    })
}

pub(crate) fn set_quota(selector: &str, quota: Quota) -> Result<()> {
    let shown = |bound: Option<u64>| bound.map_or("-".to_owned(), |bound| bound.to_string());
    act(format!("cluster.set-quota {selector} cpu={} memory={}", shown(quota.cpu), shown(quota.memory)))?;
    let groups = groups(selector)?;
    let [group] = groups.as_slice() else {
        return Err(Failure::Conflict(format!("{selector} is not exactly one group but {}", groups.len())));
    };
    with(|world| {
        let mut all = world.cluster.quotas.iter_mut();
        let status = all.find(|each| each.group == *group).ok_or_else(|| unknown("group", group))?;
        status.quota = quota;
        Ok(())
    })
}

/// All readings of selected instances.
pub(crate) fn usage(selector: &str) -> Result<Vec<Reading>> {
    record(format!("cluster.usage {selector}"));
    with(|world| {
        let instances = chosen(&world.cluster.instances, selector, |each| (&each.name, &each.labels))?;
        let readings = world.cluster.readings.iter();
        let selected = |reading: &&Reading| instances.iter().any(|each| each.name == reading.instance);
        Ok(readings.filter(selected).cloned().collect())
    })
}
