//! Assay's runtime: loads plugins, puts load on a target, breaks it on purpose while the load runs,
//! and says with numbers whether it kept its promises.
//!
//! # Layout
//!
//! Rooms by what they do; arrows point one way only, and a test holds them:
//!
//! ```text
//! cli → run → { load, faults, judge } → { capability → plugin, environment } → observe
//!                              report, terminal → observe
//! ```
//!
//! * [`cli`]: one file per subcommand.
//! * [`config`]: TOML to a typed run config, every error with its line.
//! * [`observe`]: the one event stream, and what is known from it.
//! * [`environment`]: where the run happens, behind one trait.
//! * [`plugin`]: the WebAssembly engine, its limits, and the life of an instance.
//! * [`capability`]: what plugins may reach, one file per interface.
//! * [`load`]: virtual users, their HTTP client, the recorder.
//! * [`faults`]: the timeline, the journal, steady state, recovery.
//! * [`judge`]: runs assertions over observations.
//! * [`report`], [`terminal`]: readers of what was observed.
//! * [`run`]: conducts all of it.

pub mod capability;
pub mod cli;
pub mod config;
pub mod environment;
pub mod faults;
pub mod judge;
pub mod load;
pub mod observe;
pub mod plugin;
pub mod report;
pub mod run;
pub mod terminal;
