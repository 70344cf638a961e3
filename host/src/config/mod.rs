//! TOML to a typed run config, every error with its file, line and column.
//!
//! This room reads files below the config's folder and reaches out to nothing else. What it hands
//! out is resolved: includes merged, overrides and the environment's swaps applied, paths checked.
//! Plugins' own configs stay JSON, with a way back from a JSON pointer to the TOML line.

pub mod model;

pub use model::*;
