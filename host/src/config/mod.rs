//! TOML to a typed run config, every error with its file, line and column.
//!
//! This room reads files below the config's folder and reaches out to nothing else. What it hands
//! out is resolved: includes merged, overrides and the environment's swaps applied, paths checked.
//! Plugins' own configs stay JSON, with a way back from a JSON pointer to the TOML line.
//!
//! The way of a config: its files and the `--set` arguments become one [`tree`] whose every key and
//! value knows where it was written; the tree is checked against the JSON Schema that is generated
//! from [`file`], so that an editor and the loader cannot disagree; then [`resolve`] applies what a
//! schema cannot say. Errors are collected, not thrown one at a time.

mod behaviors;
mod bundle;
mod checks;
mod credentials;
mod diagnostic;
mod environments;
mod explain;
mod faults;
mod feeds;
mod file;
mod folder;
#[cfg(test)]
mod fuzz;
mod http;
mod load;
pub mod model;
mod overrides;
mod phases;
mod places;
mod plugins;
mod probe;
mod quantities;
mod read;
mod resolve;
mod rows;
mod schema;
mod sources;
#[cfg(test)]
mod testing;
mod timetable;
mod tree;
pub mod units;

pub use bundle::bundle;
pub use credentials::{check_credentials, resolve_credentials};
pub use diagnostic::{ConfigErrors, Diagnostic};
pub use load::{LoadOptions, load};
pub use model::*;
pub use rows::Rows;
pub use schema::{Complaint, check_schema};
pub use sources::{Sources, plugin_config_error};
#[cfg(test)]
pub(crate) use testing::feed_for_tests;

/// The JSON Schema of run configs, as `docs/run-config.schema.json` has it.
pub fn json_schema() -> serde_json::Value {
    let generator = schemars::generate::SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<file::ConfigFile>().to_value();
    schema::without_null(&mut schema);
    schema
}
