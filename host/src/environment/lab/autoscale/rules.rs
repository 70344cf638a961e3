//! What is wanted of a workload's size, in the terms of the HorizontalPodAutoscaler.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Bounds, targets and behavior of one workload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in super::super) struct Size {
    pub(in super::super) min: u32,
    pub(in super::super) max: u32,
    /// At least one.
    pub(in super::super) targets: Vec<Target>,
    pub(in super::super) up: Rules,
    pub(in super::super) down: Rules,
}

/// What is measured of each instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in super::super) enum Resource {
    Cpu,
    Memory,
}

impl Resource {
    /// As Kubernetes calls the metric.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu resource utilization (percentage of request)",
            Self::Memory => "memory resource utilization (percentage of request)",
        }
    }
}

/// Mean use that is aimed at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct Target {
    pub(in super::super) resource: Resource,
    /// In percent of the request.
    pub(in super::super) utilization: u32,
}

/// How fast the count may change in one direction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct Rules {
    /// For so long the most cautious recommendation counts.
    pub(in super::super) stabilization_window: Duration,
    pub(in super::super) select: Select,
    pub(in super::super) policies: Vec<Policy>,
}

/// Which policy counts if there are several.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in super::super) enum Select {
    /// The one that allows the largest change.
    #[default]
    Max,
    /// The one that allows the smallest change.
    Min,
    /// None: the count does not change in this direction.
    Disabled,
}

/// At most so much in so long a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct Policy {
    pub(in super::super) change: Change,
    pub(in super::super) period: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) enum Change {
    /// So many instances.
    Pods(u32),
    /// So many percent of those that there were when the period began.
    Percent(u32),
}

/// Which way a count goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Direction {
    Up,
    Down,
}

impl Direction {
    /// From one count to another; none if they are the same.
    pub(super) fn between(from: u32, to: u32) -> Option<Self> {
        match from.cmp(&to) {
            std::cmp::Ordering::Less => Some(Self::Up),
            std::cmp::Ordering::Greater => Some(Self::Down),
            std::cmp::Ordering::Equal => None,
        }
    }
}

/// What holds for all workloads: flags of Kubernetes' controller manager, with its defaults.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(in super::super) struct Settings {
    pub(in super::super) sync_period: Duration,
    /// Up to this share off its target, a metric asks for no change.
    pub(in super::super) tolerance: f64,
    /// Within this of its start, an instance that is not ready counts as never ready so far.
    pub(in super::super) initial_readiness_delay: Duration,
    /// Within this of its start, an instance's processor use counts only if it was measured while ready.
    pub(in super::super) cpu_initialization_period: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            sync_period: Duration::from_secs(15),
            tolerance: 0.1,
            initial_readiness_delay: Duration::from_secs(30),
            cpu_initialization_period: Duration::from_secs(300),
        }
    }
}

impl Rules {
    /// Unless a stack file says otherwise: at once, and per quarter of a minute either as many as there are
    /// or four, whichever is more.
    pub(in super::super) fn default_up() -> Self {
        let period = Duration::from_secs(15);
        Self {
            stabilization_window: Duration::ZERO,
            select: Select::Max,
            policies: vec![
                Policy { change: Change::Pods(4), period },
                Policy { change: Change::Percent(100), period },
            ],
        }
    }

    /// Unless a stack file says otherwise: after five calm minutes, all that are too many.
    pub(in super::super) fn default_down() -> Self {
        let period = Duration::from_secs(15);
        Self {
            stabilization_window: Duration::from_secs(300),
            select: Select::Max,
            policies: vec![Policy { change: Change::Percent(100), period }],
        }
    }

    /// How long a change must be remembered.
    pub(super) fn longest_period(&self) -> Duration {
        self.policies.iter().map(|policy| policy.period).max().unwrap_or_default()
    }
}
