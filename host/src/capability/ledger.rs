//! The record of writes.

use std::sync::Arc;

use assay_bindings::imports::ledger;

use super::ports;
use crate::{observe::Severity, plugin::Tenant};

/// Where one instance's writes are recorded.
pub(crate) struct Ledger {
    pub(crate) tenant: Arc<Tenant>,
    /// The behavior's name in the run config.
    pub(crate) behavior: String,
    pub(crate) port: Arc<dyn ports::Ledger>,
}

impl Ledger {
    /// The contract answers nothing here: what is wrong with a key stands in the report.
    fn tell(&self, answer: Result<(), String>) -> wasmtime::Result<()> {
        if let Err(because) = answer {
            let message = format!("the ledger of behavior '{}': {because}", self.behavior);
            self.tenant.voice().finding(Severity::Warning, message);
        }
        Ok(())
    }
}

impl ledger::Host for Ledger {
    fn attempt(&mut self, key: String) -> wasmtime::Result<()> {
        self.tell(self.port.attempt(&self.behavior, &key))
    }

    fn confirm(&mut self, key: String) -> wasmtime::Result<()> {
        self.tell(self.port.confirm(&self.behavior, &key))
    }

    fn reject(&mut self, key: String) -> wasmtime::Result<()> {
        self.tell(self.port.reject(&self.behavior, &key))
    }
}
