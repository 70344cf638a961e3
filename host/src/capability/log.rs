//! A line in the run's log.

use assay_bindings::imports::log;

use crate::plugin::Sandbox;

impl log::Host for Sandbox {
    fn write(&mut self, level: log::Level, message: String) -> wasmtime::Result<()> {
        self.log(level, message);
        Ok(())
    }
}
