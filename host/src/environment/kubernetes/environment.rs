//! What a cluster does as an [`Environment`].

use std::{net::SocketAddr, sync::Arc, time::Duration};

use async_trait::async_trait;
use k8s_openapi::api::core::v1::Pod;

use super::{Kubernetes, error::ask, exec::Ran, view};
use crate::{
    environment::{
        Calls, Direction, EnterNetwork, Environment, EnvironmentError, ExecOutput, Instance, Manner, Node,
        Objects, Quota, QuotaStatus, Result, Selector, Workload,
    },
    observe::UsageReading,
};

#[async_trait]
impl Environment for Kubernetes {
    fn kind(&self) -> &'static str {
        "kubernetes"
    }

    fn base_url(&self) -> String {
        self.base_url.clone()
    }

    fn enter_network(&self) -> EnterNetwork {
        // The load goes over the machine's own network, as anybody's would.
        Arc::new(|| Ok(()))
    }

    fn objects(&self) -> Option<&dyn Objects> {
        Some(self)
    }

    async fn ensure_permitted(&self, calls: &Calls) -> Result<()> {
        self.ensure_rights(calls).await
    }

    async fn keep_journal(&self, pending: &(dyn Fn() -> String + Sync)) -> Result<()> {
        self.keep(pending).await
    }

    async fn endpoint(&self, instance: &str, port: u16) -> Result<SocketAddr> {
        self.way_to(instance, port).await
    }

    async fn instances(&self, selector: &Selector) -> Result<Vec<Instance>> {
        let found = ask("the instances", self.api::<Pod>().list(&Self::instance_pods())).await?;
        let clock = self.stream.clock();
        let mut all: Vec<_> = found.items.iter().map(|pod| view::instance(pod, &clock)).collect();
        all.retain(|one| selector.matches(&one.name, &one.labels));
        Ok(all)
    }

    async fn terminate(&self, instance: &str, uid: &str, manner: Manner, hold: bool) -> Result<String> {
        self.end(instance, uid, manner, hold).await
    }

    async fn release(&self, instance: &str) -> Result<()> {
        self.let_go(instance).await
    }

    async fn exec(&self, instance: &str, command: &[String], timeout: Duration) -> Result<ExecOutput> {
        match self.run_in(&self.instance_pod(instance).await?, command, timeout).await? {
            Ran::Ended(output) => Ok(output),
            Ran::CutOff => Err(EnvironmentError::Unreachable(format!(
                "the connection to '{instance}' ended before the command did"
            ))),
        }
    }

    async fn nodes(&self) -> Result<Vec<Node>> {
        self.all_nodes().await
    }

    async fn set_schedulable(&self, node: &str, schedulable: bool) -> Result<()> {
        self.set_node_schedulable(node, schedulable).await
    }

    async fn drain(&self, node: &str, timeout: Duration) -> Result<()> {
        self.empty(node, timeout).await
    }

    async fn fail_node(&self, node: &str) -> Result<String> {
        self.power_off(node).await
    }

    async fn restore_node(&self, node: &str) -> Result<()> {
        self.power_on(node).await
    }

    async fn isolate(
        &self,
        id: &str,
        selector: &Selector,
        peer: Option<&Selector>,
        direction: Direction,
    ) -> Result<()> {
        self.cut_off(id, selector, peer, direction).await
    }

    async fn heal(&self, id: &str) -> Result<()> {
        self.reconnect(id).await
    }

    async fn workloads(&self, selector: &Selector) -> Result<Vec<Workload>> {
        let mut all = self.all_workloads().await?;
        all.retain(|one| selector.matches(&one.name, &one.labels));
        Ok(all)
    }

    async fn scale(&self, workload: &str, replicas: u32) -> Result<()> {
        self.set_replicas(workload, replicas).await
    }

    async fn quotas(&self, selector: &Selector) -> Result<Vec<QuotaStatus>> {
        self.bounds(selector).await
    }

    async fn set_quota(&self, group: &str, quota: Quota) -> Result<()> {
        self.bound(group, quota).await
    }

    async fn usage(&self, selector: &Selector) -> Result<Vec<UsageReading>> {
        self.readings(selector).await
    }

    async fn wait_ready(&self, at_most: Duration) -> Result<()> {
        self.all_ready(at_most).await
    }

    async fn close(&self) -> Result<()> {
        self.give_up().await
    }
}
