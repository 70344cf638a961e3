//! The record of writes, for finding lost ones.
//!
//! ```
//! # use assay_sdk::{http, ledger, Result};
//! # fn sell(key: &str) -> Result<()> {
//! let sale = ledger::attempt(key);
//! let answer = http::post("/sales").form([("reference", key)]).send()?; // Lost answer: indeterminate.
//! match answer.status() {
//!     201 => sale.confirm(),
//!     400..=499 => sale.reject(),
//!     _ => {} // It may be there or not; both are right.
//! }
//! # Ok(())
//! # }
//! ```

use crate::host;

/// Names a key before its write is sent. Keys: 1 to 200 bytes, unique in the run, so put the run's
/// id and the user's into them.
pub fn attempt(key: impl Into<String>) -> Attempt {
    let key = key.into();
    host::ledger::attempt(&key);
    Attempt { key }
}

/// A write on its way. Dropped without a word, its outcome is indeterminate.
#[derive(Debug)]
#[must_use = "a write that is neither confirmed nor rejected counts as indeterminate"]
pub struct Attempt {
    key: String,
}

impl Attempt {
    /// The key it was named by.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The target acknowledged the write: if the audit does not find it, it is lost.
    pub fn confirm(self) {
        host::ledger::confirm(&self.key);
    }

    /// The target surely refused the write: if the audit finds it, it is a phantom.
    pub fn reject(self) {
        host::ledger::reject(&self.key);
    }
}
