//! What happens to what runs, and what it uses.

use std::fmt;

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct InstanceChange {
    pub instance: String,
    pub workload: String,
    pub node: String,
    pub change: InstanceEvent,
    /// Exit status, reason, who did it.
    pub detail: String,
}

/// In one line, for people.
impl fmt::Display for InstanceChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let change = match self.change {
            InstanceEvent::Started => "started",
            InstanceEvent::Ready => "ready",
            InstanceEvent::NotReady => "not ready",
            InstanceEvent::Exited => "ended",
            InstanceEvent::OomKilled => "killed for want of memory",
            InstanceEvent::Held => "held",
            InstanceEvent::Released => "released",
            InstanceEvent::Frozen => "frozen",
            InstanceEvent::Resumed => "goes on",
            InstanceEvent::Rescheduled => "rescheduled",
            InstanceEvent::Evicted => "evicted",
            InstanceEvent::Relabelled => "relabelled",
        };
        write!(f, "{} on {}: {change}", self.instance, self.node)?;
        if self.detail.is_empty() { Ok(()) } else { write!(f, ", {}", self.detail) }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InstanceEvent {
    Started,
    Ready,
    NotReady,
    Exited,
    OomKilled,
    Held,
    Released,
    Frozen,
    Resumed,
    Rescheduled,
    Evicted,
    /// Its labels changed.
    Relabelled,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct UsageReading {
    /// An instance's name, or a bounded group's as `(group) NAME`.
    pub subject: String,
    /// Thousandths of a processor, mean since the reading before.
    pub cpu: u64,
    /// Working set in bytes.
    pub memory: u64,
    pub cpu_limit: Option<u64>,
    pub memory_limit: Option<u64>,
    /// Share of scheduling periods held back since the reading before.
    pub throttled: Option<f64>,
    /// Kills for want of memory since the start.
    pub oom_kills: u32,
}
