//! Which database, and how it ends.

use assay_sdk::config::End;
use assay_sdk::prelude::*;
use assay_sdk::sql::Database;
use schemars::JsonSchema;
use serde::Deserialize;

/// The way that clients take to the primary.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Route {
    /// Label selector of the proxies.
    pub(crate) selector: String,
    /// The port on which they lead to the primary.
    pub(crate) port: u16,
    /// Other credentials than the databases'.
    #[serde(default)]
    pub(crate) credentials: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Config {
    /// Label selector of the database's instances, the primary and its standbys.
    pub(crate) selector: String,
    /// Name of an entry under `[credentials]`.
    pub(crate) credentials: String,
    #[serde(default = "postgres")]
    pub(crate) database: String,
    #[serde(default = "port")]
    pub(crate) port: u16,
    /// How the primary ends.
    #[serde(default)]
    pub(crate) manner: End,
    /// Keeps the victim from coming back before the revert.
    #[serde(default = "yes")]
    pub(crate) hold: bool,
    /// Port of Patroni's REST interface: tells when the others noticed. Needs a grant for `http`.
    #[serde(default)]
    pub(crate) patroni_port: Option<u16>,
    /// Recovery also waits until this leads to the new primary.
    #[serde(default)]
    pub(crate) route: Option<Route>,
}

fn postgres() -> String {
    "postgres".to_owned()
}

fn port() -> u16 {
    5432
}

fn yes() -> bool {
    true
}

impl Config {
    /// One instance's own database.
    pub(crate) fn database(&self, instance: &str) -> Database {
        sql::on(instance).port(self.port).database(&self.database).credentials(&self.credentials)
    }

    /// The database behind a proxy.
    pub(crate) fn through(&self, route: &Route, proxy: &str) -> Database {
        let credentials = route.credentials.as_ref().unwrap_or(&self.credentials);
        sql::on(proxy).port(route.port).database(&self.database).credentials(credentials)
    }
}
