//! The WebAssembly engine, its limits, and the life of an instance.
//!
//! An [`Engine`] compiles components, through a cache, and gives their instances a pool to live in.
//! [`Engine::open`] turns a [`Source`] into an [`Artefact`]: compiled, its contract's version and its
//! kind known. The capability room links an artefact to what its world may import, and from then on
//! a plugin is a typed handle there; what all of them share lies here: a [`Sandbox`] in every store,
//! and [`Guest::call`], which no call into a plugin goes past. It sets the deadlines, names what went
//! wrong, and tells it into the run's stream, so that a plugin that traps, hangs or grows without
//! bound costs its own call and never the run.
//!
//! This room knows no plugin by name and no interface of the contract but the shared types.

mod about;
mod artefact;
mod built_in;
mod cache;
mod call;
mod engine;
mod errand;
mod guest;
mod kind;
mod machine;
mod output;
mod sandbox;
mod tenant;
mod text;
mod voice;
mod wasi;

pub use about::{About, AboutError, Wish};
pub use artefact::{Artefact, LoadError, Plugin, Source};
pub use built_in::{BuiltIn, built_ins};
pub use cache::default_folder as default_cache_folder;
pub use call::{CallError, ConfigureError};
pub use engine::{Engine, EngineError, EngineOptions};
pub use guest::{Guest, Hosted};
pub use kind::PluginKind;
pub use sandbox::Sandbox;
pub use tenant::Tenant;
pub use text::cut;
pub use voice::Voice;
