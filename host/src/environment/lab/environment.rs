//! What the lab does as an [`Environment`]: questions passed on, answers fitted to the run.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use async_trait::async_trait;
use rustix::thread::LinkNameSpaceType;
use tokio::time::Instant;

use super::{
    Lab, inside,
    protocol::{Answer, Call, InstanceView, Snapshot},
    start::on_clock,
    usage::Metered,
};
use crate::{
    environment::{
        Direction, EnterNetwork, Environment, EnvironmentError, ExecOutput, Instance, InstanceState, Manner,
        Node, Quota, QuotaStatus, Result, Selector, Workload, one_group,
    },
    observe::UsageReading,
};

/// One instance, for people.
#[derive(Debug, Clone)]
pub struct InstanceStatus {
    pub name: String,
    pub node: String,
    pub address: String,
    pub state: String,
    pub restarts: u32,
    /// Why it is in that state; empty if there is nothing to say.
    pub detail: String,
}

/// How often readiness is looked up while someone waits for it.
const LOOK: Duration = Duration::from_millis(100);

/// How many lines of a log are quoted.
const QUOTED: usize = 12;

/// Longest that an answer other than a command's or a drain's may take.
const ANSWERED_WITHIN: Duration = Duration::from_secs(30);

impl Lab {
    pub(super) async fn ask(&self, call: Call) -> Result<Answer> {
        self.ask_within(call, ANSWERED_WITHIN).await
    }

    async fn ask_within(&self, call: Call, most: Duration) -> Result<Answer> {
        let answer = tokio::time::timeout(most, self.connection.call(call)).await;
        answer.unwrap_or_else(|_| {
            Err(EnvironmentError::TimedOut(format!("the lab did not answer within {most:?}")))
        })
    }

    pub(super) async fn snapshot(&self) -> Result<Snapshot> {
        match self.ask(Call::Snapshot).await? {
            Answer::Snapshot(snapshot) => Ok(*snapshot),
            _ => Err(misunderstood()),
        }
    }

    async fn text(&self, call: Call) -> Result<String> {
        match self.ask(call).await? {
            Answer::Text(text) => Ok(text),
            _ => Err(misunderstood()),
        }
    }

    async fn done(&self, call: Call) -> Result<()> {
        self.ask(call).await.map(drop)
    }

    /// A value that the lab made up, by the name that the stack file gives it.
    pub async fn secret(&self, name: &str) -> Result<String> {
        if let Some(value) = self.secrets.get(name) {
            return Ok(value.clone());
        }
        match self.owned.lock().await.is_some() {
            true => Err(EnvironmentError::NotFound(format!("the stack has no secret '{name}'"))),
            false => self.text(Call::Secret { name: name.to_owned() }).await,
        }
    }

    /// The last lines that an instance printed, without secrets.
    pub async fn tail(&self, instance: &str, lines: usize) -> Result<String> {
        self.text(Call::Tail { instance: instance.to_owned(), lines }).await
    }

    /// All instances, in the order of the stack file.
    pub async fn status(&self) -> Result<Vec<InstanceStatus>> {
        let rows = self.snapshot().await?.instances.into_iter().map(|view| InstanceStatus {
            address: view.instance.address.map(|address| address.to_string()).unwrap_or_default(),
            name: view.instance.name,
            node: view.instance.node,
            state: state_name(view.instance.state).to_owned(),
            restarts: view.instance.restarts,
            detail: view.detail,
        });
        Ok(rows.collect())
    }

    /// Names those that are not ready, with what they printed last.
    async fn not_ready(&self, waiting: &[InstanceView], at_most: Duration) -> EnvironmentError {
        let mut text = format!("not ready after {at_most:?}:");
        for view in waiting {
            let name = &view.instance.name;
            let state = state_name(view.instance.state);
            text.push_str(&format!("\n  {name} is {state}, restarted {} times", view.instance.restarts));
            if !view.detail.is_empty() {
                text.push_str(&format!(": {}", view.detail));
            }
            for line in self.tail(name, QUOTED).await.unwrap_or_default().lines() {
                text.push_str(&format!("\n    | {line}"));
            }
        }
        EnvironmentError::TimedOut(text)
    }
}

/// What people read for a state.
pub(super) fn state_name(state: InstanceState) -> &'static str {
    match state {
        InstanceState::Pending => "pending",
        InstanceState::Running => "running",
        InstanceState::Ready => "ready",
        InstanceState::Terminating => "terminating",
        InstanceState::Ended => "ended",
    }
}

fn misunderstood() -> EnvironmentError {
    EnvironmentError::Other("the lab answered something else than what was asked".to_owned())
}

#[async_trait]
impl Environment for Lab {
    fn kind(&self) -> &'static str {
        "lab"
    }

    fn base_url(&self) -> String {
        format!("http://{}:{}", self.hello.target.0, self.hello.target.1)
    }

    async fn ended(&self) -> EnvironmentError {
        Self::ended(self).await
    }

    fn enter_network(&self) -> EnterNetwork {
        let network = self.network.clone();
        std::sync::Arc::new(move || inside::set_namespace(&*network, LinkNameSpaceType::Network))
    }

    async fn endpoint(&self, instance: &str, port: u16) -> Result<SocketAddr> {
        let found = self.snapshot().await?.instances.into_iter().find(|view| view.instance.name == instance);
        let address: Option<IpAddr> = found.and_then(|view| view.instance.address);
        address
            .map(|address| SocketAddr::new(address, port))
            .ok_or_else(|| EnvironmentError::NotFound(format!("there is no instance '{instance}'")))
    }

    async fn instances(&self, selector: &Selector) -> Result<Vec<Instance>> {
        let all = self.snapshot().await?.instances.into_iter().map(|view| view.instance);
        Ok(all
            .filter(|one| selector.matches(&one.name, &one.labels))
            .map(|mut one| {
                one.started = one.started.map(|at| on_clock(&self.stream, at)).filter(|at| *at > 0);
                one
            })
            .collect())
    }

    async fn terminate(&self, instance: &str, uid: &str, manner: Manner, hold: bool) -> Result<String> {
        let (instance, uid) = (instance.to_owned(), uid.to_owned());
        self.text(Call::Terminate { instance, uid, manner, hold }).await
    }

    async fn release(&self, instance: &str) -> Result<()> {
        self.done(Call::Release { instance: instance.to_owned() }).await
    }

    async fn exec(&self, instance: &str, command: &[String], timeout: Duration) -> Result<ExecOutput> {
        let call = Call::Exec { instance: instance.to_owned(), command: command.to_vec(), timeout };
        match self.ask_within(call, timeout + ANSWERED_WITHIN).await? {
            Answer::Exec(output) => Ok(output),
            _ => Err(misunderstood()),
        }
    }

    async fn nodes(&self) -> Result<Vec<Node>> {
        Ok(self.snapshot().await?.nodes)
    }

    async fn set_schedulable(&self, node: &str, schedulable: bool) -> Result<()> {
        self.done(Call::SetSchedulable { node: node.to_owned(), schedulable }).await
    }

    async fn drain(&self, node: &str, timeout: Duration) -> Result<()> {
        self.ask_within(Call::Drain { node: node.to_owned(), timeout }, timeout + ANSWERED_WITHIN)
            .await
            .map(drop)
    }

    async fn fail_node(&self, node: &str) -> Result<String> {
        self.text(Call::FailNode { node: node.to_owned() }).await
    }

    async fn restore_node(&self, node: &str) -> Result<()> {
        self.done(Call::RestoreNode { node: node.to_owned() }).await
    }

    async fn isolate(
        &self,
        id: &str,
        selector: &Selector,
        peer: Option<&Selector>,
        direction: Direction,
    ) -> Result<()> {
        let (selector, peer) = (selector.to_string(), peer.map(Selector::to_string));
        self.done(Call::Isolate { id: id.to_owned(), selector, peer, direction }).await
    }

    async fn heal(&self, id: &str) -> Result<()> {
        self.done(Call::Heal { id: id.to_owned() }).await
    }

    async fn workloads(&self, selector: &Selector) -> Result<Vec<Workload>> {
        let mut all = self.snapshot().await?.workloads;
        all.retain(|one| selector.matches(&one.name, &one.labels));
        Ok(all)
    }

    async fn scale(&self, workload: &str, replicas: u32) -> Result<()> {
        self.done(Call::Scale { workload: workload.to_owned(), replicas }).await
    }

    async fn quotas(&self, selector: &Selector) -> Result<Vec<QuotaStatus>> {
        let snapshot = self.snapshot().await?;
        let name = one_group(selector, &snapshot.workloads)?;
        let capacity = snapshot.capacity;
        let groups = snapshot.groups.into_iter().filter(|group| group.name == name);
        Ok(groups.map(|group| QuotaStatus { group: group.name, quota: group.quota, capacity }).collect())
    }

    async fn set_quota(&self, group: &str, quota: Quota) -> Result<()> {
        self.done(Call::SetQuota { group: group.to_owned(), quota }).await
    }

    async fn usage(&self, selector: &Selector) -> Result<Vec<UsageReading>> {
        // Held while the lab is asked: who comes meanwhile gets the same reading.
        let mut meter = self.usage.lock().await;
        let now = Instant::now();
        let all = match meter.latest(now) {
            Some(latest) => latest,
            None => {
                let Answer::Readings(readings) = self.ask(Call::Readings).await? else {
                    return Err(misunderstood());
                };
                meter.take(now, readings)
            }
        };
        // Groups have no labels and are always of interest: somebody has bounded them.
        let wanted = |one: &&Metered| {
            let subject = &one.usage.subject;
            subject.starts_with('(') || selector.matches(subject, &one.labels)
        };
        Ok(all.iter().filter(wanted).map(|one| one.usage.clone()).collect())
    }

    async fn wait_ready(&self, at_most: Duration) -> Result<()> {
        let deadline = Instant::now() + at_most;
        loop {
            let mut waiting = self.snapshot().await?.instances;
            waiting.retain(|view| view.wanted && view.instance.state != InstanceState::Ready);
            if waiting.is_empty() {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(self.not_ready(&waiting, at_most).await);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn close(&self) -> Result<()> {
        let owned = self.owned.lock().await.take();
        self.connection.close();
        match owned {
            Some(mut owned) => owned.end().await,
            None => Ok(()),
        }
    }
}
