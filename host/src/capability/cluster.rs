//! The environment in portable terms: checks the grant, journals the inverse, then acts.

use std::{sync::Arc, time::Duration};

use assay_bindings::imports::{
    cluster::{self as wit, Host},
    types::{Failure, Label, Nanos},
};

use super::{
    failure::from_environment,
    grant::SelectorGrant,
    reach::{Reach, selector},
    view::With,
};
use crate::{
    environment::{Direction, Instance, InstanceState, Inverse, Manner, Node, Quota, Workload},
    observe::{Clock, Labels},
};

const EXEC: Duration = Duration::from_secs(30);
const MOST_ARGUMENTS: usize = 256;

/// What a call answers: an inner error is the plugin's, an outer one would be a trap.
type Answer<T> = wasmtime::Result<Result<T, Failure>>;

impl Host for With<'_, Arc<Reach>> {
    async fn instances(&mut self, selector: String) -> Answer<Vec<wit::Instance>> {
        Ok(self.own.granted_instances(&selector).await.map(|found| found.into_iter().map(instance).collect()))
    }

    async fn terminate(
        &mut self,
        instance: String,
        uid: String,
        how: wit::Manner,
        hold: bool,
    ) -> Answer<String> {
        Ok(self.own.end(&instance, &uid, manner(how), hold).await)
    }

    async fn release(&mut self, instance: String) -> Answer<()> {
        Ok(self.own.let_go(&instance).await)
    }

    async fn exec(&mut self, instance: String, command: Vec<String>) -> Answer<wit::ExecResult> {
        let timeout = self.sandbox.time_for(EXEC);
        Ok(self.own.execute(&instance, command, timeout).await)
    }

    async fn nodes(&mut self) -> Answer<Vec<wit::Node>> {
        Ok(self.own.all_nodes().await.map(|nodes| nodes.into_iter().map(node).collect()))
    }

    async fn cordon(&mut self, node: String) -> Answer<()> {
        Ok(self.own.set_schedulable(&node, false).await)
    }

    async fn uncordon(&mut self, node: String) -> Answer<()> {
        Ok(self.own.set_schedulable(&node, true).await)
    }

    async fn drain(&mut self, node: String, timeout: Nanos) -> Answer<()> {
        let timeout = self.sandbox.time_for(Duration::from_nanos(timeout));
        Ok(self.own.empty(&node, timeout).await)
    }

    async fn fail_node(&mut self, node: String) -> Answer<String> {
        Ok(self.own.power_off(&node).await)
    }

    async fn restore_node(&mut self, node: String) -> Answer<()> {
        Ok(self.own.power_on(&node).await)
    }

    async fn isolate(
        &mut self,
        selector: String,
        peer: Option<String>,
        direction: wit::Direction,
    ) -> Answer<String> {
        let direction = match direction {
            wit::Direction::Both => Direction::Both,
            wit::Direction::Ingress => Direction::Ingress,
            wit::Direction::Egress => Direction::Egress,
        };
        Ok(self.own.cut_off(&selector, peer.as_deref(), direction).await)
    }

    async fn heal(&mut self, id: String) -> Answer<()> {
        Ok(self.own.reconnect(&id).await)
    }

    async fn workloads(&mut self, selector: String) -> Answer<Vec<wit::Workload>> {
        Ok(self.own.granted_workloads(&selector).await.map(|found| found.into_iter().map(workload).collect()))
    }

    async fn scale(&mut self, workload: String, replicas: u32) -> Answer<()> {
        Ok(self.own.set_replicas(&workload, replicas).await)
    }

    async fn quotas(&mut self, selector: String) -> Answer<Vec<wit::QuotaStatus>> {
        Ok(self.own.granted_quotas(&selector).await)
    }

    async fn set_quota(&mut self, selector: String, quota: wit::Quota) -> Answer<()> {
        Ok(self.own.bound_group(&selector, Quota { cpu: quota.cpu, memory: quota.memory }).await)
    }

    async fn usage(&mut self, selector: String) -> Answer<Vec<wit::Reading>> {
        let clock = self.sandbox.clock();
        Ok(self.own.readings(&selector, clock).await)
    }
}

impl Reach {
    fn grant(&self) -> &SelectorGrant {
        &self.cluster
    }

    /// Of what a selector matches, what the grant covers. Nothing of something is a denial, so that
    /// a missing grant is not taken for an empty environment.
    fn keep<T>(
        &self,
        wanted: &str,
        found: Vec<T>,
        identity: impl Fn(&T) -> (&str, &Labels),
    ) -> Result<Vec<T>, Failure> {
        let before = found.len();
        let kept: Vec<_> = found
            .into_iter()
            .filter(|one| {
                let (name, labels) = identity(one);
                self.grant().covers(name, labels)
            })
            .collect();
        match before > 0 && kept.is_empty() {
            true => Err(self.grant().denial(&format!("'{wanted}'"), wanted)),
            false => Ok(kept),
        }
    }

    async fn granted_instances(&self, wanted: &str) -> Result<Vec<Instance>, Failure> {
        let parsed = selector(wanted)?;
        if self.grant().is_empty() {
            return Err(self.grant().denial(&format!("'{wanted}'"), wanted));
        }
        let found = self.environment.instances(&parsed).await.map_err(from_environment)?;
        self.keep(wanted, found, |one| (&one.name, &one.labels))
    }

    async fn granted_workloads(&self, wanted: &str) -> Result<Vec<Workload>, Failure> {
        let parsed = selector(wanted)?;
        if self.grant().is_empty() {
            return Err(self.grant().denial(&format!("'{wanted}'"), wanted));
        }
        let found = self.environment.workloads(&parsed).await.map_err(from_environment)?;
        self.keep(wanted, found, |one| (&one.name, &one.labels))
    }

    async fn all_nodes(&self) -> Result<Vec<Node>, Failure> {
        if self.grant().is_empty() {
            return Err(self.grant().denial("nodes", ""));
        }
        self.environment.nodes().await.map_err(from_environment)
    }

    async fn end(&self, name: &str, uid: &str, manner: Manner, hold: bool) -> Result<String, Failure> {
        self.ensure_may_change("terminate")?;
        let instance = self.instance(self.grant(), name).await?;
        if instance.uid != uid {
            return Err(Failure::Conflict(format!(
                "instance '{name}' is no longer the one that was aimed at: its uid is '{}' and not '{uid}'",
                instance.uid
            )));
        }
        // A frozen instance stays so until it is released; one that ended comes back by itself,
        // unless it is held.
        if hold || manner == Manner::Freeze {
            self.journal(&Inverse::Release { instance: name.to_owned() }).await?;
        }
        self.environment.terminate(name, uid, manner, hold).await.map_err(from_environment)
    }

    async fn let_go(&self, name: &str) -> Result<(), Failure> {
        self.ensure_may_change("release")?;
        self.instance(self.grant(), name).await?;
        self.environment.release(name).await.map_err(from_environment)
    }

    /// Allowed in every export: a look inside is how a fault finds its victim and proves its effect.
    async fn execute(
        &self,
        name: &str,
        command: Vec<String>,
        timeout: Duration,
    ) -> Result<wit::ExecResult, Failure> {
        let size = command.iter().map(String::len).sum::<usize>();
        if command.is_empty() || command.len() > MOST_ARGUMENTS || size > 64 << 10 {
            let count = command.len();
            return Err(Failure::Invalid(format!(
                "a command of {count} arguments and {size} bytes; allowed are 1 to {MOST_ARGUMENTS}, and 64 KiB"
            )));
        }
        self.instance(self.grant(), name).await?;
        let output = self.environment.exec(name, &command, timeout).await.map_err(from_environment)?;
        Ok(wit::ExecResult { exit_code: output.exit_code, stdout: output.stdout, stderr: output.stderr })
    }

    /// A node as it is, if the grant covers it.
    async fn granted_node(&self, name: &str) -> Result<Node, Failure> {
        let what = format!("node '{name}'");
        let nodes = self.environment.nodes().await.map_err(from_environment)?;
        let node = nodes.into_iter().find(|node| node.name == name);
        let node = node.ok_or_else(|| Failure::NotFound(what.clone()))?;
        match self.grant().covers_node(&node.name, &node.labels) {
            true => Ok(node),
            false => Err(self.grant().denial(&what, &format!("name={name}"))),
        }
    }

    async fn set_schedulable(&self, name: &str, schedulable: bool) -> Result<(), Failure> {
        self.ensure_may_change(if schedulable { "uncordon" } else { "cordon" })?;
        let node = self.granted_node(name).await?;
        if node.schedulable == schedulable {
            return Ok(());
        }
        self.journal(&Inverse::SetSchedulable { node: name.to_owned(), schedulable: node.schedulable })
            .await?;
        self.environment.set_schedulable(name, schedulable).await.map_err(from_environment)
    }

    async fn empty(&self, name: &str, timeout: Duration) -> Result<(), Failure> {
        self.ensure_may_change("drain")?;
        let node = self.granted_node(name).await?;
        if node.schedulable {
            self.journal(&Inverse::SetSchedulable { node: name.to_owned(), schedulable: true }).await?;
        }
        self.environment.drain(name, timeout).await.map_err(from_environment)
    }

    async fn power_off(&self, name: &str) -> Result<String, Failure> {
        self.ensure_may_change("fail-node")?;
        self.granted_node(name).await?;
        self.journal(&Inverse::RestoreNode { node: name.to_owned() }).await?;
        self.environment.fail_node(name).await.map_err(from_environment)
    }

    async fn power_on(&self, name: &str) -> Result<(), Failure> {
        self.ensure_may_change("restore-node")?;
        self.granted_node(name).await?;
        self.environment.restore_node(name).await.map_err(from_environment)
    }

    /// The grant must cover all that is cut off. The peer is only named: whoever may cut an instance
    /// off from everything may cut it off from something.
    async fn cut_off(
        &self,
        subject: &str,
        peer: Option<&str>,
        direction: Direction,
    ) -> Result<String, Failure> {
        self.ensure_may_change("isolate")?;
        let parsed = selector(subject)?;
        let peer = peer.map(selector).transpose()?;
        let found = self.environment.instances(&parsed).await.map_err(from_environment)?;
        if found.is_empty() {
            return Err(Failure::NotFound(format!("no instance is '{subject}'")));
        }
        if let Some(other) = found.iter().find(|one| !self.grant().covers(&one.name, &one.labels)) {
            return Err(self.grant().denial(&format!("instance '{}'", other.name), subject));
        }
        let id = format!("{}-{:08x}", self.fault, rand::random::<u32>());
        self.journal(&Inverse::Heal { id: id.clone() }).await?;
        let cut = self.environment.isolate(&id, &parsed, peer.as_ref(), direction).await;
        cut.map(|()| id).map_err(from_environment)
    }

    async fn reconnect(&self, id: &str) -> Result<(), Failure> {
        self.ensure_may_change("heal")?;
        let own = id.strip_prefix(&self.fault).is_some_and(|rest| rest.starts_with('-'));
        match own {
            true => self.environment.heal(id).await.map_err(from_environment),
            false => Err(Failure::Invalid(format!("'{id}' is no isolation of fault '{}'", self.fault))),
        }
    }

    async fn set_replicas(&self, name: &str, replicas: u32) -> Result<(), Failure> {
        self.ensure_may_change("scale")?;
        let wanted = format!("name={name}");
        let found = self.granted_workloads(&wanted).await?;
        let before = found.into_iter().find(|workload| workload.name == name);
        let before = before.ok_or_else(|| Failure::NotFound(format!("workload '{name}'")))?;
        if before.declared_only {
            return Err(Failure::Conflict(format!("workload '{name}' is declared, and does not run here")));
        }
        if before.desired == replicas {
            return Ok(());
        }
        self.journal(&Inverse::Scale { workload: name.to_owned(), replicas: before.desired }).await?;
        self.environment.scale(name, replicas).await.map_err(from_environment)
    }

    async fn granted_quotas(&self, wanted: &str) -> Result<Vec<wit::QuotaStatus>, Failure> {
        self.granted_workloads(wanted).await?;
        let quotas = self.environment.quotas(&selector(wanted)?).await.map_err(from_environment)?;
        let quota = |quota: Quota| wit::Quota { cpu: quota.cpu, memory: quota.memory };
        Ok(quotas
            .into_iter()
            .map(|status| wit::QuotaStatus {
                group: status.group,
                quota: quota(status.quota),
                capacity: quota(status.capacity),
            })
            .collect())
    }

    /// A quota bounds a whole group: the selector must pick all of exactly one, or somebody would be
    /// bounded who was not meant.
    async fn bound_group(&self, wanted: &str, quota: Quota) -> Result<(), Failure> {
        self.ensure_may_change("set-quota")?;
        let parsed = selector(wanted)?;
        let selected = self.environment.workloads(&parsed).await.map_err(from_environment)?;
        if let Some(other) = selected.iter().find(|one| !self.grant().covers(&one.name, &one.labels)) {
            return Err(self.grant().denial(&format!("workload '{}'", other.name), wanted));
        }
        let group = the_group(wanted, &selected)?;
        let all = self.environment.workloads(&selector("")?).await.map_err(from_environment)?;
        let missing = all.iter().find(|one| {
            one.group.as_deref() == Some(group) && !selected.iter().any(|selected| selected.name == one.name)
        });
        if let Some(missing) = missing {
            return Err(Failure::Invalid(format!(
                "'{wanted}' leaves out workload '{}' of group '{group}', which a quota would bound, too",
                missing.name
            )));
        }
        let quotas = self.environment.quotas(&parsed).await.map_err(from_environment)?;
        let before = quotas.iter().find(|status| status.group == group);
        let before = before.ok_or_else(|| Failure::NotFound(format!("a quota of group '{group}'")))?.quota;
        self.journal(&Inverse::SetQuota { group: group.to_owned(), quota: before }).await?;
        self.environment.set_quota(group, quota).await.map_err(from_environment)
    }

    async fn readings(&self, wanted: &str, clock: Clock) -> Result<Vec<wit::Reading>, Failure> {
        let granted = self.granted_instances(wanted).await?;
        let readings = self.environment.usage(&selector(wanted)?).await.map_err(from_environment)?;
        let at = clock.now();
        Ok(readings
            .into_iter()
            .filter(|reading| granted.iter().any(|instance| instance.name == reading.subject))
            .map(|reading| wit::Reading {
                instance: reading.subject,
                at,
                cpu: reading.cpu,
                memory: reading.memory,
                throttled: reading.throttled,
            })
            .collect())
    }
}

/// The one group that all selected workloads are in.
fn the_group<'a>(wanted: &str, selected: &'a [Workload]) -> Result<&'a str, Failure> {
    let mut groups: Vec<_> = selected.iter().map(|workload| workload.group.as_deref()).collect();
    groups.sort_unstable();
    groups.dedup();
    match groups.as_slice() {
        [] => Err(Failure::NotFound(format!("no workload is '{wanted}'"))),
        [Some(group)] => Ok(group),
        [None] => Err(Failure::Invalid(format!("the workloads that are '{wanted}' are in no group"))),
        several => {
            let names: Vec<_> = several.iter().map(|group| group.unwrap_or("(none)")).collect();
            let names = names.join(", ");
            Err(Failure::Invalid(format!("'{wanted}' must be exactly one group; it touches {names}")))
        }
    }
}

fn manner(how: wit::Manner) -> Manner {
    match how {
        wit::Manner::Graceful => Manner::Graceful,
        wit::Manner::Crash => Manner::Crash,
        wit::Manner::Freeze => Manner::Freeze,
    }
}

fn labels(labels: Labels) -> Vec<Label> {
    labels.into_iter().map(|(key, value)| Label { key, value }).collect()
}

fn instance(instance: Instance) -> wit::Instance {
    wit::Instance {
        name: instance.name,
        uid: instance.uid,
        workload: instance.workload,
        node: instance.node,
        address: instance.address.map(|address| address.to_string()),
        labels: labels(instance.labels),
        state: match instance.state {
            InstanceState::Pending => wit::InstanceState::Pending,
            InstanceState::Running => wit::InstanceState::Running,
            InstanceState::Ready => wit::InstanceState::Ready,
            InstanceState::Terminating => wit::InstanceState::Terminating,
            InstanceState::Ended => wit::InstanceState::Ended,
        },
        restarts: instance.restarts,
        started: instance.started,
    }
}

fn node(node: Node) -> wit::Node {
    wit::Node {
        name: node.name,
        labels: labels(node.labels),
        ready: node.ready,
        schedulable: node.schedulable,
    }
}

fn workload(workload: Workload) -> wit::Workload {
    wit::Workload {
        name: workload.name,
        labels: labels(workload.labels),
        desired: workload.desired,
        running: workload.running,
        ready: workload.ready,
        declared_only: workload.declared_only,
        cpu_request: workload.cpu_request,
        cpu_limit: workload.cpu_limit,
        memory_request: workload.memory_request,
        memory_limit: workload.memory_limit,
        group: workload.group,
    }
}
