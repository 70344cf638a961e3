//! What the promises are.

use std::collections::BTreeMap;

use assay_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// From the start of a phase, its ramp included, to more instances.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Up {
    /// The phase that brings the load.
    pub(crate) phase: String,
    /// So many ready instances or more, none of which is about to leave.
    pub(crate) replicas: u32,
    /// At most so long after the phase's start.
    pub(crate) within: Period,
}

/// From the start of a phase, or from the end of the load, to fewer instances.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Down {
    /// The phase that has less load. Without it counts the end of all load, and the run settles until the promise
    /// is judged, or for as long as `[settle] at-most` allows.
    #[serde(default)]
    pub(crate) phase: Option<String>,
    /// So many instances or fewer, all of them ready.
    pub(crate) replicas: u32,
    /// At most so long after that moment.
    pub(crate) within: Period,
}

/// How latency gets over the step upwards.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Latency {
    /// 95th percentile of response time, over each ten seconds.
    pub(crate) p95: Period,
    /// At most so long after the phase's start it is inside that bound and stays there until the phase ends. With
    /// `0s` it never leaves it.
    pub(crate) within: Period,
}

/// Every promise that is present is judged.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Config {
    /// The workload's name.
    pub(crate) workload: String,
    /// More instances for more load.
    #[serde(default)]
    pub(crate) up: Option<Up>,
    /// Fewer for less.
    #[serde(default)]
    pub(crate) down: Option<Down>,
    /// How users fare in the phase of `up`.
    #[serde(default)]
    pub(crate) latency: Option<Latency>,
    /// How often the desired count may change its direction from the beginning of load on: once up and down
    /// again is 1. More is flapping.
    #[serde(default = "up_and_down")]
    pub(crate) reversals: u64,
    /// The reader's own numbering, by promise: `{ up = "12" }`.
    #[serde(default)]
    pub(crate) requirements: BTreeMap<String, String>,
}

fn up_and_down() -> u64 {
    1
}

impl Config {
    pub(crate) fn errors(&self) -> Vec<ConfigError> {
        let mut errors = Vec::new();
        if self.up.is_none() && self.down.is_none() {
            errors.push(ConfigError::at("", "no promise; expected up, down or both"));
        }
        if self.latency.is_some() && self.up.is_none() {
            errors.push(ConfigError::at("/latency", "is of the phase of `up`, which is missing"));
        }
        if let (Some(up), Some(down)) = (&self.up, &self.down)
            && up.replicas <= down.replicas
        {
            let message = format!("{} is not less than the {} of `up`", down.replicas, up.replicas);
            errors.push(ConfigError::at("/down/replicas", message));
        }
        let promises = self.promises();
        for key in self.requirements.keys().filter(|key| !promises.contains(&key.as_str())) {
            let message = format!("there is no promise `{key}`; there are: {}", promises.join(", "));
            errors.push(ConfigError::at(format!("/requirements/{key}"), message));
        }
        errors
    }

    /// The keys of the promises that were made.
    fn promises(&self) -> Vec<&'static str> {
        let present = [
            ("up", self.up.is_some()),
            ("latency", self.latency.is_some()),
            ("down", self.down.is_some()),
            ("reversals", true),
        ];
        present.into_iter().filter(|(_, there)| *there).map(|(key, _)| key).collect()
    }

    pub(crate) fn requirement(&self, promise: &str) -> Option<String> {
        self.requirements.get(promise).cloned()
    }
}
