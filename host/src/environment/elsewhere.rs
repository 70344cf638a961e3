//! An environment that cannot be touched: something that already runs and only takes load, or a lab
//! that is not up and is known from its stack file alone.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use async_trait::async_trait;

use super::{
    Direction, EnterNetwork, Environment, EnvironmentError, ExecOutput, Instance, Manner, Node, Quota,
    QuotaStatus, Result, Selector, Workload, one_group,
};
use crate::observe::UsageReading;

/// What is known of an environment without reaching it. Every call for more is `unsupported`.
#[derive(Debug, Clone)]
pub struct Elsewhere {
    kind: &'static str,
    base_url: String,
    workloads: Option<Vec<Workload>>,
    capacity: Quota,
    /// Why there is no more to know.
    because: String,
}

impl Elsewhere {
    /// What runs behind a URL: scheme, host and port, without a trailing slash.
    pub fn at(base_url: impl Into<String>) -> Self {
        let base_url = base_url.into();
        let because = format!("{base_url} is only known by its URL: it has no instances, nodes or workloads");
        Self { kind: "url", base_url, workloads: None, capacity: Quota::default(), because }
    }

    /// Workloads that are planned, on a machine of that capacity.
    pub fn planned(kind: &'static str, workloads: Vec<Workload>, capacity: Quota) -> Self {
        let because = format!("the {kind} is not up");
        Self { kind, base_url: String::new(), workloads: Some(workloads), capacity, because }
    }

    fn unsupported<T>(&self) -> Result<T> {
        Err(EnvironmentError::Unsupported(self.because.clone()))
    }
}

#[async_trait]
impl Environment for Elsewhere {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn base_url(&self) -> String {
        self.base_url.clone()
    }

    fn enter_network(&self) -> EnterNetwork {
        Arc::new(|| Ok(()))
    }

    async fn endpoint(&self, _: &str, _: u16) -> Result<SocketAddr> {
        self.unsupported()
    }

    async fn instances(&self, _: &Selector) -> Result<Vec<Instance>> {
        self.unsupported()
    }

    async fn terminate(&self, _: &str, _: &str, _: Manner, _: bool) -> Result<String> {
        self.unsupported()
    }

    async fn release(&self, _: &str) -> Result<()> {
        self.unsupported()
    }

    async fn exec(&self, _: &str, _: &[String], _: Duration) -> Result<ExecOutput> {
        self.unsupported()
    }

    async fn nodes(&self) -> Result<Vec<Node>> {
        self.unsupported()
    }

    async fn set_schedulable(&self, _: &str, _: bool) -> Result<()> {
        self.unsupported()
    }

    async fn drain(&self, _: &str, _: Duration) -> Result<()> {
        self.unsupported()
    }

    async fn fail_node(&self, _: &str) -> Result<String> {
        self.unsupported()
    }

    async fn restore_node(&self, _: &str) -> Result<()> {
        self.unsupported()
    }

    async fn isolate(&self, _: &str, _: &Selector, _: Option<&Selector>, _: Direction) -> Result<()> {
        self.unsupported()
    }

    async fn heal(&self, _: &str) -> Result<()> {
        self.unsupported()
    }

    async fn workloads(&self, selector: &Selector) -> Result<Vec<Workload>> {
        let Some(workloads) = &self.workloads else { return self.unsupported() };
        Ok(workloads.iter().filter(|one| selector.matches(&one.name, &one.labels)).cloned().collect())
    }

    async fn scale(&self, _: &str, _: u32) -> Result<()> {
        self.unsupported()
    }

    async fn quotas(&self, selector: &Selector) -> Result<Vec<QuotaStatus>> {
        let Some(workloads) = &self.workloads else { return self.unsupported() };
        let group = one_group(selector, workloads)?;
        Ok(vec![QuotaStatus { group, quota: Quota::default(), capacity: self.capacity }])
    }

    async fn set_quota(&self, _: &str, _: Quota) -> Result<()> {
        self.unsupported()
    }

    async fn usage(&self, _: &Selector) -> Result<Vec<UsageReading>> {
        // Nothing to read is not an error: usage is asked for once a second, whatever runs where.
        Ok(Vec::new())
    }

    async fn wait_ready(&self, _: Duration) -> Result<()> {
        Ok(())
    }

    async fn close(&self) -> Result<()> {
        Ok(())
    }
}
