//! Lines in the run's log.
//!
//! A line is cut at 4 KiB; beyond 100 lines a second and plugin, lines are counted instead of kept.

pub use crate::bindings::imports::log::Level;
use crate::host;

/// Writes one line.
pub fn write(level: Level, message: &str) {
    host::log::write(level, message);
}

/// Writes a line that only matters when something is looked into.
pub fn debug(message: &str) {
    write(Level::Debug, message);
}

/// Writes a line worth reading.
pub fn info(message: &str) {
    write(Level::Info, message);
}

/// Writes a line about something that is not as it should be.
pub fn warn(message: &str) {
    write(Level::Warn, message);
}

/// Writes a line about something that went wrong.
pub fn error(message: &str) {
    write(Level::Error, message);
}
