//! From where a plugin comes from to what it is.

use std::{borrow::Cow, collections::BTreeSet, path::PathBuf};

use sha2::{Digest, Sha256};
use wasmtime::component::{Component, types::ComponentItem};

use super::{About, AboutError, CallError, Engine, PluginKind, built_in, kind};
use crate::config::PluginSource;

/// Where a plugin comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its name in the run config.
    pub name: String,
    /// Absent for a built-in one.
    pub path: Option<PathBuf>,
}

impl Source {
    /// A plugin that is part of the binary.
    pub fn built_in(name: &str) -> Self {
        Self { name: name.to_owned(), path: None }
    }

    /// A plugin by its name in the run config, whose `[plugins]` may have an entry for it.
    pub fn of(name: &str, entry: Option<&PluginSource>) -> Self {
        Self { name: name.to_owned(), path: entry.and_then(|entry| entry.path.clone()) }
    }
}

/// A plugin: what it is, as reports and people name it.
#[derive(Debug, Clone)]
pub struct Plugin {
    /// Its name in the run config.
    pub name: String,
    pub kind: PluginKind,
    /// Its own version.
    pub version: String,
    /// SHA-256 of the component, in hexadecimal.
    pub digest: String,
    /// Is it part of the host's own binary?
    pub built_in: bool,
    /// All calls of the contract that it can make at all, as `cluster/terminate`.
    pub imports: BTreeSet<String>,
    pub about: About,
}

/// Why a plugin cannot be used. All name the plugin.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error(
        "no built-in plugin is called '{name}'; there are: {known}; for one of your own, add a path to [plugins.{name}]"
    )]
    Unknown { name: String, known: String },
    #[error("failed to read plugin '{name}': {error}")]
    Read { name: String, error: std::io::Error },
    #[error(
        "plugin '{name}' is no WebAssembly component, but {found}; `wasm-tools component new` makes one of a core module that was built with the SDK"
    )]
    NoComponent { name: String, found: &'static str },
    #[error("plugin '{name}' does not compile: {because}")]
    Compile { name: String, because: String },
    #[error("plugin '{name}' is {because}", because = .error)]
    Version { name: String, error: kind::KindError },
    #[error("plugin '{name}' {error}")]
    Kind { name: String, error: kind::KindError },
    #[error("plugin '{name}' is of the kind {found}, and one of the kind {wanted} is needed here")]
    WrongKind { name: String, found: PluginKind, wanted: PluginKind },
    #[error("plugin '{name}' does not fit this host: {because}")]
    Link { name: String, because: String },
    #[error("plugin '{name}' cannot be asked what it is: {error}")]
    Trial { name: String, error: CallError },
    #[error("plugin '{name}' describes itself badly: {error}")]
    About { name: String, error: AboutError },
}

/// A component of a known kind, compiled; not yet linked to what it imports.
pub struct Artefact {
    pub name: String,
    pub kind: PluginKind,
    /// SHA-256 of the component, in hexadecimal.
    pub digest: String,
    pub built_in: bool,
    /// All calls of the contract that it can make at all, as `cluster/terminate`.
    pub(crate) imports: BTreeSet<String>,
    pub(crate) component: Component,
}

impl std::fmt::Debug for Artefact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { name, kind, digest, built_in, imports: _, component: _ } = self;
        f.debug_struct("Artefact")
            .field("name", name)
            .field("kind", kind)
            .field("digest", digest)
            .field("built_in", built_in)
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// Reads and compiles a plugin, or finds it compiled, and tells its kind.
    pub async fn open(&self, source: &Source) -> Result<Artefact, LoadError> {
        let (engine, source) = (self.clone(), source.clone());
        let name = source.name.clone();
        tokio::task::spawn_blocking(move || engine.open_now(source)).await.unwrap_or_else(|error| {
            Err(LoadError::Compile { name, because: format!("the compiler broke off: {error}") })
        })
    }

    fn open_now(&self, source: Source) -> Result<Artefact, LoadError> {
        let Source { name, path } = source;
        let bytes: Cow<'static, [u8]> = match &path {
            Some(path) => match fs_err::read(path) {
                Ok(bytes) => bytes.into(),
                Err(error) => return Err(LoadError::Read { name, error }),
            },
            None => match built_in::find(&name) {
                Some(plugin) => plugin.bytes.into(),
                None => return Err(unknown(name)),
            },
        };
        if let Some(found) = not_a_component(&bytes) {
            return Err(LoadError::NoComponent { name, found });
        }
        let digest = hex(&Sha256::digest(&bytes));
        let component = match self.compile(&bytes, &digest) {
            Ok(component) => component,
            Err(error) => return Err(LoadError::Compile { name, because: format!("{error:#}") }),
        };
        let types = component.component_type();
        let imports = types.imports(self.wasmtime()).map(|(name, _)| name);
        let exports = types.exports(self.wasmtime()).map(|(name, _)| name);
        let kind = match kind::of(imports, exports) {
            Ok(kind) => kind,
            Err(error @ kind::KindError::Version { .. }) => return Err(LoadError::Version { name, error }),
            Err(error) => return Err(LoadError::Kind { name, error }),
        };
        let imports = self.imports(&component);
        Ok(Artefact { name, kind, digest, built_in: path.is_none(), imports, component })
    }

    /// A component names every function that it imports, so what is not here it cannot call.
    fn imports(&self, component: &Component) -> BTreeSet<String> {
        let types = component.component_type();
        let mut calls = BTreeSet::new();
        for (name, item) in types.imports(self.wasmtime()) {
            let (Some((interface, _)), ComponentItem::ComponentInstance(instance)) =
                (kind::contract_name(name), item.ty)
            else {
                continue;
            };
            for (function, item) in instance.exports(self.wasmtime()) {
                if matches!(item.ty, ComponentItem::ComponentFunc(_)) {
                    calls.insert(format!("{interface}/{function}"));
                }
            }
        }
        calls
    }
}

impl Artefact {
    /// Is it of the kind that is needed?
    pub(crate) fn expect(self, wanted: PluginKind) -> Result<Self, LoadError> {
        match self.kind == wanted {
            true => Ok(self),
            false => Err(LoadError::WrongKind { name: self.name, found: self.kind, wanted }),
        }
    }
}

fn unknown(name: String) -> LoadError {
    let known: Vec<_> = super::built_ins().iter().map(|plugin| plugin.name).collect();
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    LoadError::Unknown { name, known }
}

/// What the bytes are, if they are no component.
fn not_a_component(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [b'\0', b'a', b's', b'm', 0x0d, 0, 1, 0, ..] => None,
        [b'\0', b'a', b's', b'm', 1, 0, 0, 0, ..] => Some("a core module"),
        [b'\0', b'a', b's', b'm', ..] => Some("WebAssembly of another version"),
        _ => Some("something else"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugin::EngineOptions;

    async fn refused(file: &[u8]) -> String {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("mine.wasm");
        fs_err::write(&path, file).expect("writes");
        let engine =
            Engine::new(&EngineOptions { cache: None, ..EngineOptions::default() }).expect("an engine");
        let source = Source { name: "mine".to_owned(), path: Some(path) };
        engine.open(&source).await.expect_err("refused").to_string()
    }

    #[tokio::test]
    async fn what_is_no_plugin_is_named() {
        insta::assert_snapshot!(
            refused(b"\0asm\x01\0\0\0").await,
            @"plugin 'mine' is no WebAssembly component, but a core module; `wasm-tools component new` makes one of a core module that was built with the SDK"
        );
        insta::assert_snapshot!(
            refused(b"\x7fELF").await,
            @"plugin 'mine' is no WebAssembly component, but something else; `wasm-tools component new` makes one of a core module that was built with the SDK"
        );
        insta::assert_snapshot!(
            refused(b"\0asm\x0d\0\x01\0").await,
            @"plugin 'mine' exports neither assay:plugin/behavior nor fault nor assertion, so it is no plugin"
        );
    }

    #[test]
    fn an_unknown_plugin_is_told_apart_from_a_missing_file() {
        let error = unknown("mine".to_owned()).to_string();
        assert!(error.starts_with("no built-in plugin is called 'mine'; there are: "), "{error}");
        assert!(error.ends_with("; for one of your own, add a path to [plugins.mine]"), "{error}");
    }
}
