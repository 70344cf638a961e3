//! Stack files: what a lab is made of, as a TOML file and templates in a folder beside it.
//!
//! [`Stack::load`] reads and checks a file without touching the machine; [`Stack::plan`] turns it
//! into what `lab-init` is told, with addresses, secrets and users filled in.

mod check;
mod model;
mod quantity;
mod render;

use std::path::{Path, PathBuf};

pub(super) use render::Secrets;

use super::rootfs::Recipe;
use crate::environment::{Elsewhere, Workload};
use model::StackFile;

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
        let text = fs_err::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
        let file: StackFile = toml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
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
