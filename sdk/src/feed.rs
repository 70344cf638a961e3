//! Rows of data that a run's users share: accounts to sign in with, words to search for.
//!
//! The run config has the files, their order and the grants:
//!
//! ```toml
//! [feeds.accounts]
//! path = "data/accounts.csv"      # or .jsonl
//! order = "unique"                # or "sequential", "random"
//!
//! [plugins.my-shop]
//! grants = { feed = ["accounts"] }
//! ```
//!
//! ```
//! use assay_sdk::{Result, fake::FakeHost, feed, http, serde_json::json};
//! use serde::Deserialize;
//!
//! #[derive(Deserialize)]
//! struct Account {
//!     name: String,
//!     password: String,
//! }
//!
//! fn sign_in() -> Result<()> {
//!     let account: Account = feed::next("accounts")?;
//!     let form = [("name", account.name), ("password", account.password)];
//!     http::post("/login").form(form).visit()
//! }
//!
//! let host = FakeHost::start();
//! host.feed("accounts", [json!({ "name": "ada", "password": "s3cret" })]);
//! host.http("POST", "/login", 200, "welcome");
//! sign_in()?;
//! # Ok::<(), assay_sdk::Failure>(())
//! ```

use serde::de::DeserializeOwned;

use crate::failure::{Failure, Result};
use crate::host;

/// The next row of a feed, as its order says: the next of the whole run, a random one, or always
/// the one that belongs to this user alone.
///
/// All values of a CSV file are strings; those of JSON Lines are what they are.
///
/// # Errors
///
/// `denied` if the run config does not grant the feed, `not-found` if it has none of that name or,
/// with the order `unique`, more users live than there are rows, and `invalid` if a row is no `T`.
pub fn next<T: DeserializeOwned>(feed: &str) -> Result<T> {
    let row = host::feed::next(feed)?;
    serde_json::from_str(&row)
        .map_err(|error| Failure::Invalid(format!("a row of the feed '{feed}' does not fit: {error}")))
}
