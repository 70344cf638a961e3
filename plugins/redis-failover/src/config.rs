//! Which Redis, and how it ends.

use assay_sdk::cluster::Manner;
use assay_sdk::prelude::*;
use assay_sdk::redis::Server;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the master ends.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum End {
    /// All its processes end at once.
    #[default]
    Crash,
    /// All its processes stop and keep their connections: it hangs.
    Freeze,
}

impl End {
    pub(crate) fn name(self) -> &'static str {
        match self {
            End::Crash => "crash",
            End::Freeze => "freeze",
        }
    }

    pub(crate) fn manner(self) -> Manner {
        match self {
            End::Crash => Manner::Crash,
            End::Freeze => Manner::Freeze,
        }
    }
}

/// Those who watch the master and replace it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Sentinel {
    /// Label selector of the Sentinels.
    pub(crate) selector: String,
    #[serde(default = "sentinel_port")]
    pub(crate) port: u16,
    /// What they call the master: the name after `sentinel monitor`.
    pub(crate) master: String,
    /// Name of an entry under `[credentials]`.
    #[serde(default)]
    pub(crate) credentials: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Config {
    /// Label selector of the servers, the master and its replicas.
    pub(crate) selector: String,
    #[serde(default = "port")]
    pub(crate) port: u16,
    /// Name of an entry under `[credentials]`.
    #[serde(default)]
    pub(crate) credentials: Option<String>,
    pub(crate) sentinel: Sentinel,
    #[serde(default)]
    pub(crate) manner: End,
    /// Keeps the victim from coming back before the revert. A master that comes back before anybody
    /// noticed stays the master; one that comes back empty takes its replicas' data with it.
    #[serde(default = "yes")]
    pub(crate) hold: bool,
}

fn port() -> u16 {
    6379
}

fn sentinel_port() -> u16 {
    26379
}

fn yes() -> bool {
    true
}

impl Config {
    /// One instance's own server.
    pub(crate) fn server(&self, instance: &str) -> Server {
        at(instance, self.port, self.credentials.as_deref())
    }
}

impl Sentinel {
    pub(crate) fn server(&self, instance: &str) -> Server {
        at(instance, self.port, self.credentials.as_deref())
    }
}

fn at(instance: &str, port: u16, credentials: Option<&str>) -> Server {
    let server = redis::on(instance).port(port);
    match credentials {
        Some(name) => server.credentials(name),
        None => server,
    }
}
