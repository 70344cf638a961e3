//! What the VPS has, and what it is for.

use std::collections::BTreeMap;

use assay_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the profile does beside the arithmetic.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Mode {
    /// Bounds the group. Requests above the allowed overcommit keep the run from starting.
    #[default]
    Enforce,
    /// Computes and reports, and changes nothing.
    Observe,
    /// Does nothing at all.
    Off,
}

impl Mode {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Mode::Enforce => "enforce",
            Mode::Observe => "observe",
            Mode::Off => "off",
        }
    }
}

/// How much may be requested of what there is: 125 % means that a quarter more is fine.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct Overcommit {
    pub(crate) cpu: Percent,
    pub(crate) memory: Percent,
}

impl Default for Overcommit {
    fn default() -> Overcommit {
        Overcommit { cpu: Percent::from_ratio(1.0), memory: Percent::from_ratio(1.0) }
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Config {
    /// The memory of the VPS; without it, memory stays unbounded.
    #[serde(default)]
    pub(crate) memory: Option<Size>,
    /// Its processors; without it, CPU stays unbounded.
    #[serde(default)]
    pub(crate) cpu: Option<Cpu>,
    /// Label selector of the workloads that run on it: exactly one group.
    pub(crate) applies_to: String,
    #[serde(default)]
    pub(crate) mode: Mode,
    #[serde(default)]
    pub(crate) overcommit: Overcommit,
    /// Workloads to run in another count while the profile lasts. One that is not there is
    /// skipped, with a note.
    #[serde(default)]
    pub(crate) scale: BTreeMap<String, u32>,
}

impl Config {
    pub(crate) fn errors(&self) -> Vec<ConfigError> {
        let mut errors = Vec::new();
        if self.memory.is_none() && self.cpu.is_none() {
            errors.push(ConfigError::at("", "no bound; expected `memory`, `cpu` or both"));
        }
        if self.memory.is_some_and(|memory| memory.bytes() == 0) {
            errors.push(ConfigError::at("/memory", "expected more than 0"));
        }
        if self.cpu.is_some_and(|cpu| cpu.millicores() == 0) {
            errors.push(ConfigError::at("/cpu", "expected more than 0"));
        }
        errors
    }
}
