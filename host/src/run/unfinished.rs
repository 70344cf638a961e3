//! Runs of this machine that have not put everything back: a file for each, written before its first
//! change in an environment that outlives it, and removed after its last undo. `host recover` finds
//! them, from whatever folder it is called.

use std::{
    fs::{File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::environment::kubernetes::ClusterConfig;

/// What is to be known of a run to undo what it changed.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Unfinished {
    pub(crate) run: String,
    /// Its environment's name in the run config.
    pub(crate) environment: String,
    pub(crate) place: Lasting,
    /// Where its journal is.
    pub(crate) journal: PathBuf,
    /// Its config, for what only plugins can undo; and what `--set` added.
    pub(crate) config: PathBuf,
    pub(crate) set: Vec<String>,
}

/// An environment that outlives the process that runs in it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Lasting {
    /// The lab of that stack, kept up by somebody else.
    Lab(String),
    Kubernetes(ClusterConfig),
}

/// A run's file, held by its lock: the kernel's, so that it ends with the process.
#[derive(Debug)]
pub(crate) struct Held {
    path: PathBuf,
    _lock: File,
}

impl Held {
    /// Says that nothing is left to undo.
    pub(crate) fn finish(self) -> io::Result<()> {
        fs_err::remove_file(&self.path)
    }
}

/// One found file.
#[derive(Debug)]
pub(crate) enum Found {
    /// Its process is gone.
    Left(Box<Unfinished>, Held),
    /// Its process still lives.
    Running(String),
}

/// Where the files are: `$XDG_STATE_HOME/assay/runs`, or below `~/.local/state`.
fn folder() -> PathBuf {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let state = set("XDG_STATE_HOME").or_else(|| set("HOME").map(|home| home.join(".local/state")));
    state.unwrap_or_else(|| "/var/lib".into()).join("assay/runs")
}

impl Unfinished {
    /// Writes the file and holds it.
    pub(crate) fn begin(&self) -> io::Result<Held> {
        self.begin_in(&folder())
    }

    fn begin_in(&self, folder: &Path) -> io::Result<Held> {
        fs_err::create_dir_all(folder)?;
        let path = folder.join(format!("{}.json", self.run));
        let lock = File::create(&path)?;
        lock.lock()?;
        serde_json::to_writer(&lock, self)?;
        lock.sync_data()?;
        Ok(Held { path, _lock: lock })
    }
}

/// All runs that have a file, oldest first. A file that cannot be read is an error: it says that something
/// is to be undone.
pub(crate) fn find() -> io::Result<Vec<Found>> {
    find_in(&folder())
}

fn find_in(folder: &Path) -> io::Result<Vec<Found>> {
    let mut paths = match fs_err::read_dir(folder) {
        Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    paths.sort();
    let mut found = Vec::new();
    for path in paths {
        let lock = File::open(&path)?;
        match lock.try_lock() {
            Ok(()) => {
                let text = fs_err::read_to_string(&path)?;
                // Killed before it was written, and so before anything was changed.
                if text.is_empty() {
                    fs_err::remove_file(&path)?;
                    continue;
                }
                let run = serde_json::from_str(&text)
                    .map_err(|error| io::Error::other(format!("{} is damaged: {error}", path.display())))?;
                found.push(Found::Left(run, Held { path, _lock: lock }));
            }
            Err(TryLockError::WouldBlock) => {
                let run = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                found.push(Found::Running(run));
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_found_when_its_process_is_gone() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(find_in(&folder.path().join("none")).expect("no folder, no runs").is_empty());
        let run = Unfinished {
            run: "run-1".to_owned(),
            environment: "here".to_owned(),
            place: Lasting::Lab("tiny".to_owned()),
            journal: "/runs/run-1/journal.jsonl".into(),
            config: "/config.toml".into(),
            set: Vec::new(),
        };
        let held = run.begin_in(folder.path()).expect("written");
        let running = find_in(folder.path()).expect("found");
        assert!(matches!(running.as_slice(), [Found::Running(run)] if run == "run-1"), "{running:?}");
        drop(held);
        let mut left = find_in(folder.path()).expect("found");
        let Some(Found::Left(found, held)) = left.pop() else { panic!("{left:?}") };
        assert_eq!((found.run.as_str(), found.journal), ("run-1", run.journal));
        held.finish().expect("removed");
        assert!(find_in(folder.path()).expect("none").is_empty());
    }
}
