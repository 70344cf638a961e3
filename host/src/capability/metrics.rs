//! Figures of the plugin's own.

use std::sync::Arc;

use assay_bindings::imports::metrics;

use super::ports;
use crate::{observe::Severity, plugin::Tenant};

/// Longest name of a figure.
const LONGEST_NAME: usize = 200;
/// Largest value of a distribution.
const LARGEST: f64 = 1e12;

/// Where one instance's figures go.
pub(crate) struct Metrics {
    pub(crate) tenant: Arc<Tenant>,
    pub(crate) port: Arc<dyn ports::Metrics>,
}

impl Metrics {
    /// Is the figure of any use? If not, the report says so once.
    fn accepts(&self, name: &str, value: f64, fits: bool) -> bool {
        let fault = match () {
            () if name.is_empty() || name.len() > LONGEST_NAME => {
                format!("a figure's name has {} bytes; 1 to {LONGEST_NAME} are allowed", name.len())
            }
            () if !fits => format!("figure '{name}' was given a value such as {value}, which is ignored"),
            () => return true,
        };
        self.tenant.voice().finding(Severity::Note, fault);
        false
    }
}

impl metrics::Host for Metrics {
    fn check(&mut self, name: String, passed: bool) -> wasmtime::Result<()> {
        if self.accepts(&name, 0.0, true) {
            self.port.check(&name, passed);
        }
        Ok(())
    }

    fn count(&mut self, name: String, amount: f64) -> wasmtime::Result<()> {
        if self.accepts(&name, amount, amount.is_finite()) {
            self.port.count(&name, amount);
        }
        Ok(())
    }

    fn trend(&mut self, name: String, value: f64) -> wasmtime::Result<()> {
        if self.accepts(&name, value, (0.0..=LARGEST).contains(&value)) {
            self.port.trend(&name, value);
        }
        Ok(())
    }
}
