//! Autoscaling as a stack file writes it: the HorizontalPodAutoscaler's own terms and defaults.

use std::time::Duration;

use serde::Deserialize;

use super::quantity::Span;
use crate::environment::lab::autoscale::{Change, Policy, Resource, Rules, Select, Settings, Size, Target};

/// `autoscale` of a workload.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(in super::super) struct AutoscaleFile {
    min: u32,
    max: u32,
    target_utilization: UtilizationFile,
    #[serde(default)]
    scale_up: RulesFile,
    #[serde(default)]
    scale_down: RulesFile,
}

/// Mean use that is aimed at, in percent of the request.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct UtilizationFile {
    cpu: Option<u32>,
    memory: Option<u32>,
}

/// What is absent is as Kubernetes has it by default.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RulesFile {
    stabilization_window: Option<Span>,
    #[serde(default)]
    select_policy: Select,
    policies: Option<Vec<PolicyFile>>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyFile {
    #[serde(rename = "type")]
    kind: PolicyKind,
    value: u32,
    period: Span,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum PolicyKind {
    Pods,
    Percent,
}

/// `[autoscaler]` of a stack: what holds for all of its workloads.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct AutoscalerFile {
    sync_period: Option<Span>,
    tolerance: Option<f64>,
    initial_readiness_delay: Option<Span>,
    cpu_initialization_period: Option<Span>,
}

/// The longest window and the longest period that Kubernetes accepts.
const LONGEST_WINDOW: Duration = Duration::from_secs(3_600);
const LONGEST_PERIOD: Duration = Duration::from_secs(1_800);

impl AutoscaleFile {
    /// How far the workload can grow.
    pub(super) fn max(&self) -> u32 {
        self.max
    }

    /// What is wanted, or the first thing that is wrong with it.
    pub(in super::super) fn size(&self) -> Result<Size, String> {
        if self.min == 0 || self.min > self.max {
            let (min, max) = (self.min, self.max);
            return Err(format!("min = {min} and max = {max}: min must be at least 1 and at most max"));
        }
        let UtilizationFile { cpu, memory } = self.target_utilization;
        let targets: Vec<Target> = [(Resource::Cpu, cpu), (Resource::Memory, memory)]
            .into_iter()
            .filter_map(|(resource, target)| Some(Target { resource, utilization: target? }))
            .collect();
        match targets.iter().find(|target| target.utilization == 0) {
            _ if targets.is_empty() => Err("target-utilization: it needs cpu, memory or both".to_owned()),
            Some(_) => Err("target-utilization: 0 is not a percentage above 0".to_owned()),
            None => Ok(Size {
                min: self.min,
                max: self.max,
                targets,
                up: self.scale_up.over(Rules::default_up()).map_err(|wrong| format!("scale-up: {wrong}"))?,
                down: self
                    .scale_down
                    .over(Rules::default_down())
                    .map_err(|wrong| format!("scale-down: {wrong}"))?,
            }),
        }
    }
}

impl RulesFile {
    fn over(&self, default: Rules) -> Result<Rules, String> {
        let window = self.stabilization_window.map_or(default.stabilization_window, |window| window.0);
        if window > LONGEST_WINDOW {
            return Err(format!("stabilization-window: {window:?} is longer than {LONGEST_WINDOW:?}"));
        }
        let policies = match &self.policies {
            None => default.policies,
            Some(policies) => policies.iter().map(PolicyFile::policy).collect::<Result<_, _>>()?,
        };
        if policies.is_empty() {
            return Err("policies: there is none; to change nothing, say select-policy = \"disabled\"".into());
        }
        Ok(Rules { stabilization_window: window, select: self.select_policy, policies })
    }
}

impl PolicyFile {
    fn policy(&self) -> Result<Policy, String> {
        let (value, period) = (self.value, self.period.0);
        if value == 0 {
            return Err("policies: value must be above 0".to_owned());
        }
        if period < Duration::from_secs(1) || period > LONGEST_PERIOD {
            return Err(format!("policies: period: {period:?} is not from 1s to {LONGEST_PERIOD:?}"));
        }
        let change = match self.kind {
            PolicyKind::Pods => Change::Pods(value),
            PolicyKind::Percent => Change::Percent(value),
        };
        Ok(Policy { change, period })
    }
}

impl AutoscalerFile {
    /// What holds for all workloads, or the first thing that is wrong with it.
    pub(super) fn settings(&self) -> Result<Settings, String> {
        let default = Settings::default();
        let or = |span: Option<Span>, default| span.map_or(default, |span| span.0);
        let settings = Settings {
            sync_period: or(self.sync_period, default.sync_period),
            tolerance: self.tolerance.unwrap_or(default.tolerance),
            initial_readiness_delay: or(self.initial_readiness_delay, default.initial_readiness_delay),
            cpu_initialization_period: or(self.cpu_initialization_period, default.cpu_initialization_period),
        };
        if settings.sync_period < Duration::from_secs(1) {
            return Err(format!("sync-period: {:?} is less than 1s", settings.sync_period));
        }
        if !(0.0..1.0).contains(&settings.tolerance) {
            return Err(format!("tolerance: {} is not a share from 0 to below 1", settings.tolerance));
        }
        Ok(settings)
    }
}
