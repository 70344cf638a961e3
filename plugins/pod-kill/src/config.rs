//! Whom it kills, and how.

use assay_sdk::cluster::Manner;
use assay_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a victim ends.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum End {
    /// All its processes end at once.
    #[default]
    Crash,
    /// It is asked to stop, and has its grace period.
    Graceful,
}

impl End {
    pub(crate) fn name(self) -> &'static str {
        match self {
            End::Crash => "crash",
            End::Graceful => "graceful",
        }
    }

    pub(crate) fn manner(self) -> Manner {
        match self {
            End::Crash => Manner::Crash,
            End::Graceful => Manner::Graceful,
        }
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Config {
    /// Label selector of the instances among which the victims are drawn.
    pub(crate) selector: String,
    /// How many are killed at once; 1 unless there is a share.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub(crate) count: Option<u32>,
    /// How large a share of those that are ready is killed at once, rounded up: "50%".
    #[serde(default)]
    pub(crate) share: Option<Percent>,
    #[serde(default)]
    pub(crate) manner: End,
    /// Keeps the victims from coming back before the revert.
    #[serde(default)]
    pub(crate) hold: bool,
}

impl Config {
    /// How many of so many are killed.
    pub(crate) fn victims(&self, ready: usize) -> usize {
        match self.share {
            // 7 % of 100 is a little over 7 in binary, and is not to become 8.
            Some(share) => (share.ratio() * ready as f64 - 1e-6).ceil() as usize,
            None => self.count.unwrap_or(1) as usize,
        }
    }

    /// The same, for people to read.
    pub(crate) fn how_many(&self) -> String {
        match self.share {
            Some(share) => share.to_string(),
            None => self.count.unwrap_or(1).to_string(),
        }
    }
}
