//! What is used up, and of whom.

use assay_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is used up.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Resource {
    /// Loops take all the processor time that the instance's limit leaves.
    Cpu,
    /// Memory is filled to the instance's limit, until the system kills it for want of more.
    Memory,
    /// Connections are opened to the instance's PostgreSQL until it takes no more.
    Connections,
}

/// Whose connections, and how to ask it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Database {
    /// Name of an entry under `[credentials]`.
    pub(crate) credentials: String,
    #[serde(default = "postgres")]
    pub(crate) name: String,
    #[serde(default = "port")]
    pub(crate) port: u16,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Config {
    /// Label selector of the instances of which one is drawn by the run's seed: among those that are ready,
    /// and for `connections` among those that accept writes.
    pub(crate) selector: String,
    pub(crate) resource: Resource,
    /// For `connections`.
    #[serde(default)]
    pub(crate) database: Option<Database>,
}

fn postgres() -> String {
    "postgres".to_owned()
}

fn port() -> u16 {
    5432
}

impl Config {
    pub(crate) fn errors(&self) -> Vec<ConfigError> {
        match (self.resource, &self.database) {
            (Resource::Connections, None) => {
                vec![ConfigError::at("", "connections are a database's: `database` is missing")]
            }
            (Resource::Cpu | Resource::Memory, Some(_)) => {
                vec![ConfigError::at("/database", "allowed for connections only")]
            }
            _ => Vec::new(),
        }
    }
}

impl Database {
    /// One instance's own.
    pub(crate) fn of(&self, instance: &str) -> sql::Database {
        sql::on(instance).port(self.port).database(&self.name).credentials(&self.credentials)
    }
}
