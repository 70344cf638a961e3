//! One connection between two instances, tried inside one of them.

use assay_sdk::cluster::Instance;
use assay_sdk::prelude::*;
use serde::{Deserialize, Serialize};

/// Long enough for a connection inside a data centre whose first packet was lost: it is sent again after one
/// second.
const SECONDS: &str = "2";

/// Who connects to whom.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
pub(crate) struct Path {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) address: String,
    pub(crate) port: u16,
}

impl Path {
    pub(crate) fn between(from: &Instance, to: &Instance, port: u16) -> Result<Path> {
        let address = to.address.clone();
        let address = address.ok_or_else(|| Failure::Conflict(format!("{} has no address", to.name)))?;
        Ok(Path { from: from.name.clone(), to: to.name.clone(), address, port })
    }

    /// Does it lead there now?
    ///
    /// # Errors
    ///
    /// If that cannot be tried.
    pub(crate) fn is_open(&self) -> Result<bool> {
        // Address and port are arguments and no part of the script, so that nothing in them is code.
        let script = "exec 3<>\"/dev/tcp/$0/$1\"";
        let port = self.port.to_string();
        let command = ["timeout", SECONDS, "bash", "-c", script, &self.address, &port];
        let tried = cluster::exec(&self.from, &command)?;
        match tried.exit_code {
            0 => Ok(true),
            // What `timeout` and a failed redirection answer.
            1 | 124 => Ok(false),
            code => Err(Failure::other(format!(
                "a connection cannot be tried inside {}: exit code {code}, {}",
                self.from,
                tried.stderr.trim()
            ))),
        }
    }

    /// Completes a sentence: "does not reach …".
    pub(crate) fn words(&self) -> String {
        format!("{} at {}:{}", self.to, self.address, self.port)
    }
}
