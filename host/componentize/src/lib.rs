//! Compiles plugin crates to WebAssembly components.
//!
//! Two steps: cargo compiles the crates to core modules for `wasm32-unknown-unknown`, all of them
//! in one invocation, and the `wit-component` crate wraps each module into a component, using the
//! description of its world that the SDK's bindings left in a custom section. No tool has to be
//! installed beside the Rust target.
//!
//! The host's build script embeds the built-in plugins this way, tests build their fixtures, and
//! `host plugin build` serves authors.
//!
//! # Layout
//!
//! - [`Package`]: a folder with a crate in it, and the name that the plugin goes by.
//! - [`build`]: the whole way, from folders to components.
//! - [`encode`]: the second step alone.

mod cargo;
mod encode;
mod package;

pub use cargo::{Component, Options, build};
pub use encode::encode;
pub use package::Package;
