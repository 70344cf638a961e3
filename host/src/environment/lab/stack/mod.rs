//! Stack files: what a lab is made of, as a TOML file and templates in a folder beside it.
//!
//! A file can also be an overlay, which says what is to be other than in the stack beside it.
//!
//! [`Stack::load`] reads and checks a file without touching the machine; [`Stack::plan`] turns it
//! into what `lab-init` is told, with addresses, secrets and users filled in.

mod autoscale;
mod check;
mod model;
mod overlay;
mod quantity;
mod render;
mod values;

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

#[cfg(test)]
pub(super) use autoscale::AutoscaleFile;
pub(super) use render::Secrets;

use super::rootfs::Recipe;
use crate::environment::{Elsewhere, Workload};
use model::StackFile;
use overlay::OverlayFile;

/// A stack file, read and checked.
#[derive(Debug, Clone)]
pub struct Stack {
    /// The file, as given.
    path: PathBuf,
    file: StackFile,
}

/// A stack file that cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}: {message}", path.display())]
pub struct StackError {
    path: PathBuf,
    message: String,
}

impl Stack {
    /// Reads a stack file and checks all that can be known without the machine.
    pub fn load(path: &Path) -> Result<Self, StackError> {
        let wrong = |message: String| StackError { path: path.to_owned(), message };
        let (text, table) = read::<toml::Table>(path)?;
        let file = match table.contains_key("base") {
            false => parse(path, &text)?,
            true => {
                let overlay: OverlayFile = parse(path, &text)?;
                let (_, base) = read::<StackFile>(&overlay.base_of(path).map_err(wrong)?)?;
                overlay.over(base).map_err(wrong)?
            }
        };
        check::check(&file).map_err(wrong)?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// The stack's own name.
    pub fn name(&self) -> &str {
        &self.file.name
    }

    /// What the root file system is made of.
    pub fn recipe(&self) -> Recipe {
        Recipe::new(&self.file.rootfs.packages, &self.file.rootfs.files)
    }

    /// The workloads as they would be on this machine, were the lab up.
    pub fn planned(&self) -> Elsewhere {
        let workloads = self.file.workloads.iter().map(|workload| Workload {
            name: workload.name.clone(),
            labels: workload.labels.clone(),
            desired: workload.count,
            running: 0,
            ready: 0,
            declared_only: workload.declared,
            cpu_request: workload.requests.cpu.map(|cpu| cpu.0),
            cpu_limit: workload.limits.cpu.map(|cpu| cpu.0),
            memory_request: workload.requests.memory.map(|memory| memory.0),
            memory_limit: workload.limits.memory.map(|memory| memory.0),
            group: workload.group.clone(),
        });
        Elsewhere::planned("lab", workloads.collect(), super::capacity())
    }

    fn wrong(&self, message: impl Into<String>) -> StackError {
        StackError { path: self.path.clone(), message: message.into() }
    }
}

/// A file's text, and what it says.
fn read<T: DeserializeOwned>(path: &Path) -> Result<(String, T), StackError> {
    let text = fs_err::read_to_string(path)
        .map_err(|error| StackError { path: path.to_owned(), message: error.to_string() })?;
    let read = parse(path, &text)?;
    Ok((text, read))
}

fn parse<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T, StackError> {
    toml::from_str(text).map_err(|error| StackError { path: path.to_owned(), message: error.to_string() })
}
