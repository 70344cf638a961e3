//! Redis' protocol, on one instance's own address.
//!
//! ```
//! # use assay_sdk::{redis, Result};
//! # fn is_primary(instance: &str) -> Result<bool> {
//! let reply = redis::on(instance).command(&["ROLE"])?;
//! # Ok(
//! reply.first().and_then(|item| item.as_text()) == Some("master")
//! # )
//! # }
//! ```

pub use crate::bindings::imports::redis::Item;
use crate::bindings::imports::redis::Target;
use crate::failure::Result;
use crate::host;

/// Addresses an instance: port 6379, without credentials, until told otherwise. Nothing is sent yet.
pub fn on(instance: impl Into<String>) -> Server {
    Server { target: Target { instance: instance.into(), port: 6379, credentials: None } }
}

/// A server that speaks Redis' protocol.
#[derive(Clone, Debug, PartialEq)]
pub struct Server {
    target: Target,
}

impl Server {
    /// Asks on another port: Sentinel has 26379.
    #[must_use]
    pub fn port(mut self, port: u16) -> Server {
        self.target.port = port;
        self
    }

    /// Signs in with an entry of the run config's `[credentials]`. A plugin never sees the values.
    #[must_use]
    pub fn credentials(mut self, name: impl Into<String>) -> Server {
        self.target.credentials = Some(name.into());
        self
    }

    /// Sends one command, at most 10 s. Nested arrays come flattened, depth first; an error reply
    /// is an item, not a failure.
    ///
    /// # Errors
    ///
    /// `denied` without a grant, `not-found` for an unknown instance, `unreachable` when it does not
    /// answer, `timed-out`.
    pub fn command(&self, arguments: &[&str]) -> Result<Vec<Item>> {
        let arguments: Vec<String> = arguments.iter().map(|each| (*each).to_owned()).collect();
        host::redis::command(&self.target, &arguments)
    }
}

impl Item {
    /// The text of a text; nothing for any other item.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Item::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The number of an integer, or of a text that is one; nothing for any other item.
    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Item::Integer(text) | Item::Text(text) => text.parse().ok(),
            _ => None,
        }
    }
}
