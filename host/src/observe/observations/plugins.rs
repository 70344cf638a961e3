//! Plugins: which ones there are, what they logged, how they failed, and their own figures.

use schemars::JsonSchema;
use serde::Serialize;

use std::{collections::BTreeMap, ops::Range};

use super::{Observations, QueryError, Span};
use crate::observe::{Interval, Level, Nanos, PluginFailureKind, Sparse};

/// Most warnings and errors of plugins' logs that are kept; the rest is counted.
const MOST_LINES: usize = 200;

/// A plugin that was loaded.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct PluginSeen {
    /// What the run config calls it.
    pub name: String,
    pub plugin: String,
    pub version: String,
    pub digest: String,
}

/// Calls into one plugin that went wrong in one way.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct PluginFailures {
    pub plugin: String,
    pub call: String,
    pub kind: PluginFailureKind,
    /// The first one's.
    pub message: String,
    pub first: Nanos,
    pub count: u64,
}

/// A warning or an error of a plugin's log.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct LoggedLine {
    pub at: Nanos,
    pub plugin: String,
    pub level: Level,
    pub message: String,
}

/// A yes-or-no observation of a plugin's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct OwnCheck {
    pub name: String,
    pub passed: u64,
    pub failed: u64,
}

/// A distribution of a plugin's own, in thousandths.
#[derive(Debug, Clone, PartialEq)]
pub struct OwnTrend {
    pub name: String,
    pub values: Sparse,
}

#[derive(Debug, Clone, Default)]
pub(super) struct PluginRecord {
    loaded: Vec<PluginSeen>,
    failures: Vec<PluginFailures>,
    lines: Vec<LoggedLine>,
    lines_cut: u64,
    counters: BTreeMap<String, f64>,
    /// By name and second: passed and failed.
    checks: BTreeMap<String, BTreeMap<u64, (u64, u64)>>,
    trends: BTreeMap<String, Sparse>,
}

impl PluginRecord {
    pub(super) fn loaded(&mut self, plugin: PluginSeen) {
        if !self.loaded.contains(&plugin) {
            self.loaded.push(plugin);
        }
    }

    pub(super) fn failed(&mut self, failure: PluginFailures) {
        let same = |known: &&mut PluginFailures| {
            known.plugin == failure.plugin && known.call == failure.call && known.kind == failure.kind
        };
        match self.failures.iter_mut().find(same) {
            Some(known) => known.count = known.count.saturating_add(failure.count),
            None => self.failures.push(failure),
        }
    }

    pub(super) fn logged(&mut self, line: LoggedLine) {
        if line.level < Level::Warn {
            return;
        }
        if self.lines.len() < MOST_LINES {
            self.lines.push(line);
        } else {
            self.lines_cut += 1;
        }
    }

    pub(super) fn figures(&mut self, interval: &Interval) {
        for (name, amount) in &interval.counters {
            *self.counters.entry(name.clone()).or_default() += amount;
        }
        for (name, passed, failed) in &interval.checks {
            let check = self.checks.entry(name.clone()).or_default().entry(interval.second).or_default();
            check.0 = check.0.saturating_add(*passed);
            check.1 = check.1.saturating_add(*failed);
        }
        for (name, values) in &interval.trends {
            self.trends.entry(name.clone()).or_default().merge(values);
        }
    }
}

impl Observations {
    pub fn plugins(&self) -> &[PluginSeen] {
        &self.plugins.loaded
    }

    /// Failures by plugin, call and kind, in the order in which they first occurred.
    pub fn plugin_failures(&self) -> &[PluginFailures] {
        &self.plugins.failures
    }

    /// The first warnings and errors that plugins logged, and how many more there were.
    pub fn plugin_log(&self) -> (&[LoggedLine], u64) {
        (&self.plugins.lines, self.plugins.lines_cut)
    }

    /// The plugins' own counters over the whole run.
    pub fn counters(&self) -> impl Iterator<Item = (&str, f64)> {
        self.plugins.counters.iter().map(|(name, amount)| (name.as_str(), *amount))
    }

    /// The plugins' own checks over the whole run, its settling included.
    pub fn all_checks(&self) -> Vec<OwnCheck> {
        self.checks_within(std::slice::from_ref(&(0..u64::MAX)))
    }

    /// The plugins' own checks in a span: those that were made in it.
    pub fn checks(&self, span: &Span) -> Result<Vec<OwnCheck>, QueryError> {
        Ok(self.checks_within(&self.resolve(span)?.ranges))
    }

    fn checks_within(&self, ranges: &[Range<u64>]) -> Vec<OwnCheck> {
        let sum = |(name, seconds): (&String, &BTreeMap<u64, (u64, u64)>)| {
            let made = ranges.iter().flat_map(|range| seconds.range(range.clone()));
            let (passed, failed) = made.fold((0_u64, 0_u64), |sum, (_, (passed, failed))| {
                (sum.0.saturating_add(*passed), sum.1.saturating_add(*failed))
            });
            OwnCheck { name: name.clone(), passed, failed }
        };
        let all = self.plugins.checks.iter().map(sum);
        all.filter(|check| check.passed > 0 || check.failed > 0).collect()
    }

    /// The plugins' own distributions over the whole run.
    pub fn trends(&self) -> impl Iterator<Item = OwnTrend> {
        self.plugins
            .trends
            .iter()
            .map(|(name, values)| OwnTrend { name: name.clone(), values: values.clone() })
    }
}
