//! Who is cut off from whom, and how that is shown.

use assay_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which way is cut, as the group sees it.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Direction {
    #[default]
    Both,
    /// Nothing reaches the group; it reaches others.
    Ingress,
    /// The group reaches nothing; others reach it.
    Egress,
}

impl Direction {
    pub(crate) fn cut(self) -> cluster::Direction {
        match self {
            Direction::Both => cluster::Direction::Both,
            Direction::Ingress => cluster::Direction::Ingress,
            Direction::Egress => cluster::Direction::Egress,
        }
    }

    pub(crate) fn words(self) -> &'static str {
        match self {
            Direction::Both => "in both directions",
            Direction::Ingress => "for what comes to it",
            Direction::Egress => "for what goes out of it",
        }
    }
}

/// How much of the group is cut off.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Members {
    #[default]
    All,
    /// As many as a quorum can do without: 1 of 3, 2 of 5.
    Minority,
    /// So many that the rest is no quorum any more: 2 of 3, 3 of 5.
    Majority,
}

impl Members {
    pub(crate) fn of(self, all: usize) -> usize {
        match self {
            Members::All => all,
            Members::Minority => all.saturating_sub(1) / 2,
            Members::Majority => all / 2 + 1,
        }
    }

    pub(crate) fn words(self) -> &'static str {
        match self {
            Members::All => "all",
            Members::Minority => "a minority",
            Members::Majority => "a majority",
        }
    }
}

/// The connection that works before and must not work after. It is opened inside an instance, by `bash`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Probe {
    /// Label selector of the other side; without it, the peer's.
    #[serde(default)]
    pub(crate) peer: Option<String>,
    /// A port on which the side that is connected to listens: the group if what comes to it is cut, else
    /// the other side.
    #[schemars(range(min = 1))]
    pub(crate) port: u16,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Config {
    /// Label selector of the group that is cut off.
    pub(crate) selector: String,
    /// Label selector of those it is cut off from, which may be the group's own; without it, from everything.
    #[serde(default)]
    pub(crate) peer: Option<String>,
    #[serde(default)]
    pub(crate) direction: Direction,
    /// How many of the group, drawn by the run's seed.
    #[serde(default)]
    pub(crate) members: Members,
    /// Shows that the cut bites. A cluster may accept a policy and not enforce it.
    pub(crate) probe: Probe,
}

impl Config {
    pub(crate) fn errors(&self) -> Vec<ConfigError> {
        match self.peer.is_none() && self.probe.peer.is_none() {
            true => vec![ConfigError::at(
                "/probe",
                "names no peer, and neither does the fault: whom shall the probe connect to?",
            )],
            false => Vec::new(),
        }
    }

    /// Whom the probe connects to, or from.
    pub(crate) fn other_side(&self) -> &str {
        self.probe.peer.as_deref().or(self.peer.as_deref()).unwrap_or_default()
    }

    pub(crate) fn cut_from(&self) -> &str {
        self.peer.as_deref().unwrap_or("everything")
    }
}
