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
    /// A file system of the instance is filled until it takes no more.
    Disk,
    /// Connections are opened to the instance's PostgreSQL until it takes no more.
    Connections,
}

/// Which file system, and how much may be written to it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Disk {
    /// A folder on it that the instance's user may write to, as an absolute path.
    pub(crate) path: String,
    /// Nothing is struck that has more room than this: it would not be the instance's own, but its node's.
    pub(crate) at_most: Size,
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
    /// For `disk`.
    #[serde(default)]
    pub(crate) disk: Option<Disk>,
}

fn postgres() -> String {
    "postgres".to_owned()
}

fn port() -> u16 {
    5432
}

impl Config {
    pub(crate) fn errors(&self) -> Vec<ConfigError> {
        let mut errors = Vec::new();
        let mut belongs = |to: Resource, key: &str, is_there: bool, missing: &str| match self.resource == to {
            true if !is_there => errors.push(ConfigError::at("", format!("{missing}: `{key}` is missing"))),
            false if is_there => {
                errors.push(ConfigError::at(format!("/{key}"), format!("allowed for {} only", to.name())));
            }
            _ => {}
        };
        belongs(Resource::Connections, "database", self.database.is_some(), "connections are a database's");
        belongs(Resource::Disk, "disk", self.disk.is_some(), "a disk is filled at a path, and to a bound");
        if let Some(disk) = &self.disk {
            let path = &disk.path;
            if !path.starts_with('/') || path.split('/').any(|part| part == "..") {
                errors.push(ConfigError::at(
                    "/disk/path",
                    format!("`{path}` is not an absolute path without `..`"),
                ));
            }
            if disk.at_most.bytes() == 0 {
                errors.push(ConfigError::at("/disk/at-most", "nothing is filled by 0 bytes"));
            }
        }
        errors
    }
}

impl Resource {
    /// As a config has it.
    fn name(self) -> &'static str {
        match self {
            Resource::Cpu => "cpu",
            Resource::Memory => "memory",
            Resource::Disk => "disk",
            Resource::Connections => "connections",
        }
    }
}

impl Database {
    /// One instance's own.
    pub(crate) fn of(&self, instance: &str) -> sql::Database {
        sql::on(instance).port(self.port).database(&self.name).credentials(&self.credentials)
    }
}
