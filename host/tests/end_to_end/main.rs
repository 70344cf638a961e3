//! Whole runs of the real binary: the main job in its lab, and load on small servers.

#[path = "../support/mod.rs"]
mod support;

mod endings;
mod exhaustion;
mod generator;
mod kept_lab;
mod load;
mod main_job;
mod plans;
mod plugins;
mod without_effect;

use std::{path::Path, process::Command};

use support::{guests, host};

/// A folder for a run's directories that tests can look into.
fn runs() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn run(config: &str, runs: &Path) -> Command {
    let mut command = host();
    command.arg("run").arg(config).arg("--runs").arg(runs);
    command
}

/// A config with one well-behaved behavior against a URL.
fn plain_config(url: &str, duration: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    guests::install("plain-behavior", folder.path());
    let config = format!(
        "name = \"plain\"\nenvironment = \"here\"\n[environments.here]\nkind = \"url\"\nurl = \"{url}\"\n\
         [plugins.plain-behavior]\npath = \"plain-behavior.wasm\"\n\
         [[phases]]\nname = \"all\"\nusers = 4\nduration = \"{duration}\"\n\
         [[behaviors]]\nplugin = \"plain-behavior\"\nshare = 100\nthink-time = \"100ms..200ms\"\n"
    );
    std::fs::write(folder.path().join("run.toml"), config).expect("writes");
    folder
}
