//! Something that already runs and that only takes load: no instances are known, nothing in it can
//! be changed.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use async_trait::async_trait;

use super::{
    Direction, EnterNetwork, Environment, EnvironmentError, ExecOutput, Instance, Manner, Node, Quota,
    QuotaStatus, Result, Selector, Workload,
};
use crate::observe::UsageReading;

/// An environment that is no more than a URL.
#[derive(Debug, Clone)]
pub struct Elsewhere {
    base_url: String,
}

impl Elsewhere {
    /// `base_url` has scheme, host and port, and no trailing slash.
    pub fn new(base_url: impl Into<String>) -> Self {
        Self { base_url: base_url.into() }
    }

    fn unsupported<T>(&self) -> Result<T> {
        let because =
            format!("{} is only known by its URL: it has no instances, nodes or workloads", self.base_url);
        Err(EnvironmentError::Unsupported(because))
    }
}

#[async_trait]
impl Environment for Elsewhere {
    fn kind(&self) -> &'static str {
        "url"
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

    async fn workloads(&self, _: &Selector) -> Result<Vec<Workload>> {
        self.unsupported()
    }

    async fn scale(&self, _: &str, _: u32) -> Result<()> {
        self.unsupported()
    }

    async fn quotas(&self, _: &Selector) -> Result<Vec<QuotaStatus>> {
        self.unsupported()
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
