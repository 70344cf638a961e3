//! From crates to core modules, by a cargo of our own beside the one that may be running us.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use fs_err as fs;

use crate::{Package, encode};

const TARGET: &str = "wasm32-unknown-unknown";

/// A plugin, ready to be loaded.
#[derive(Clone, Debug)]
pub struct Component {
    /// As in [`Package::name`].
    pub name: String,
    /// The component's binary.
    pub bytes: Vec<u8>,
}

/// Where and how to build.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder whose `Cargo.toml` is the workspace (or the single package) of all that is built.
    pub manifest_dir: PathBuf,
    /// A target folder of its own: the one of a running cargo is locked until that one ends.
    pub target_dir: PathBuf,
    /// The profile to compile with. The workspace of the built-in plugins has `plugin`.
    pub profile: String,
}

impl Options {
    /// Builds with the profile `plugin`.
    pub fn new(manifest_dir: impl Into<PathBuf>, target_dir: impl Into<PathBuf>) -> Options {
        Options {
            manifest_dir: manifest_dir.into(),
            target_dir: target_dir.into(),
            profile: "plugin".to_owned(),
        }
    }

    /// Builds with another profile, for a workspace that has no profile `plugin`.
    #[must_use]
    pub fn profile(mut self, profile: impl Into<String>) -> Options {
        self.profile = profile.into();
        self
    }
}

/// Compiles packages of one workspace, in one invocation of cargo, and encodes each as a component.
/// The answers come in the order of the packages.
///
/// Takes seconds to a minute; without changes, a fraction of a second. Compiler messages go to this
/// process' stderr.
///
/// # Errors
///
/// If the Rust target is not installed, a crate does not compile, or its module is no component.
pub fn build(options: &Options, packages: &[Package]) -> Result<Vec<Component>> {
    if packages.is_empty() {
        return Ok(Vec::new());
    }
    ensure_target()?;
    compile(options, packages)?;
    let modules = options.target_dir.join(TARGET).join(profile_folder(&options.profile));
    packages.iter().map(|package| component(&modules, package)).collect()
}

fn component(modules: &Path, package: &Package) -> Result<Component> {
    let path = modules.join(package.module_file());
    let module = fs::read(&path).with_context(|| {
        format!(
            "package {} made no module; its Cargo.toml needs `[lib] crate-type = [\"cdylib\"]`",
            package.package
        )
    })?;
    let bytes = encode(&module).with_context(|| format!("failed to make {} a component", package.name))?;
    Ok(Component { name: package.name.clone(), bytes })
}

fn compile(options: &Options, packages: &[Package]) -> Result<()> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // Cargo reads its config files from the working directory upwards.
    cargo.current_dir(&options.manifest_dir);
    cargo.args(["build", "--lib", "--target", TARGET, "--profile", &options.profile]);
    cargo.arg("--target-dir").arg(&options.target_dir);
    for package in packages {
        cargo.args(["--package", &package.package]);
    }
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(belongs_to_outer_build) {
            cargo.env_remove(name);
        }
    }
    let status = cargo.status().with_context(|| format!("failed to start {:?}", cargo.get_program()))?;
    if !status.success() {
        let names: Vec<_> = packages.iter().map(|each| each.package.as_str()).collect();
        bail!("failed to compile {} for {TARGET} ({status})", names.join(", "));
    }
    Ok(())
}

/// Does this variable speak to the build that runs us, as a build script or under `cargo test`?
///
/// Flags and wrappers would change how plugins are compiled: `RUSTFLAGS` replaces the flags of
/// config files, and clippy works as a wrapper. What configures cargo itself stays, and so does
/// `CARGO_MAKEFLAGS`, by which both builds share one pool of jobs.
fn belongs_to_outer_build(name: &str) -> bool {
    const NAMES: &[&str] = &[
        "CARGO_BUILD_TARGET",
        "CARGO_CRATE_NAME",
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_PRIMARY_PACKAGE",
        "CARGO_TARGET_DIR",
        "CARGO_TARGET_TMPDIR",
        "DEBUG",
        "HOST",
        "NUM_JOBS",
        "OPT_LEVEL",
        "OUT_DIR",
        "PROFILE",
        "RUSTC",
        "RUSTC_LINKER",
        "RUSTC_WORKSPACE_WRAPPER",
        "RUSTC_WRAPPER",
        "RUSTDOC",
        "RUSTDOCFLAGS",
        "RUSTFLAGS",
        "TARGET",
    ];
    const PREFIXES: &[&str] =
        &["CARGO_BIN_", "CARGO_CFG_", "CARGO_FEATURE_", "CARGO_MANIFEST_", "CARGO_PKG_"];
    NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Fails with the remedy when the compiler lacks the target's standard library. Asked beforehand,
/// because its own message is "can't find crate for `core`".
fn ensure_target() -> Result<()> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc)
        .args(["--print", "target-libdir", "--target", TARGET])
        .output()
        .context("failed to start rustc")?;
    let folder = String::from_utf8_lossy(&output.stdout);
    ensure!(
        output.status.success() && Path::new(folder.trim()).is_dir(),
        "the Rust target for plugins is not installed; run `rustup target add {TARGET}`"
    );
    Ok(())
}

/// Cargo's folder of a profile's output: named like it, but for two.
fn profile_folder(profile: &str) -> &str {
    match profile {
        "dev" | "test" => "debug",
        "bench" => "release",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outer_build_does_not_reach_the_inner_one() {
        for name in ["RUSTFLAGS", "CARGO_PKG_NAME", "CARGO_MANIFEST_DIR", "RUSTC_WORKSPACE_WRAPPER", "TARGET"]
        {
            assert!(belongs_to_outer_build(name), "{name}");
        }
        for name in
            ["CARGO", "CARGO_HOME", "CARGO_NET_OFFLINE", "CARGO_MAKEFLAGS", "PATH", "RUSTUP_TOOLCHAIN"]
        {
            assert!(!belongs_to_outer_build(name), "{name}");
        }
    }

    #[test]
    fn nothing_to_build_is_not_an_error() {
        let options = Options::new("/does/not/exist", "/does/not/exist");
        assert!(build(&options, &[]).expect("no components").is_empty());
    }
}
