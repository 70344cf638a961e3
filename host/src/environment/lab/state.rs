//! What a lab keeps on disk, and how leftovers of labs that were killed are found.
//!
//! Every lab has a folder and beside it a lock that all of its processes share. A folder whose lock
//! nobody holds belongs to a lab that is dead; whoever starts the next one removes it. The locks are
//! the kernel's: they end with their processes, however those end.

use std::{
    fs::{File, TryLockError},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use super::cgroup;

/// The folder of one lab, and a share of its lock.
#[derive(Debug)]
pub(super) struct State {
    pub(super) path: PathBuf,
    _lock: File,
}

/// Where labs keep their state: on disk, because pages of memory file systems would count against
/// the limits of the instances that write them.
pub(super) fn root() -> PathBuf {
    match std::env::var_os("ASSAY_STATE_DIR") {
        Some(folder) if !folder.is_empty() => folder.into(),
        _ => "/var/lib/assay/labs".into(),
    }
}

impl State {
    /// Makes a new lab's folder.
    pub(super) fn create(root: &Path, id: &str) -> io::Result<Self> {
        private_folder(root)?;
        let _gate = gate(root)?;
        let state = Self { path: root.join(id), _lock: share(root, id)? };
        private_folder(&state.path)?;
        Ok(state)
    }

    /// Takes part in holding an existing lab's folder.
    pub(super) fn join(path: &Path) -> io::Result<Self> {
        let (root, id) = parts(path)?;
        Ok(Self { path: path.to_owned(), _lock: share(root, id)? })
    }
}

/// Removes what is left of a lab whose processes have ended. The caller may still hold its lock.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    let (root, id) = parts(path)?;
    // First, because this also ends what may still write into the folder.
    cgroup::remove(id)?;
    absent_is_fine(fs_err::remove_dir_all(path))?;
    absent_is_fine(fs_err::remove_file(lock_path(root, id)))
}

/// Removes what dead labs have left behind, and names them.
pub(super) fn sweep(root: &Path) -> io::Result<Vec<String>> {
    if !root.exists() {
        return Ok(Vec::new());
    }
    let _gate = gate(root)?;
    let mut swept = Vec::new();
    for entry in fs_err::read_dir(root)? {
        let name = entry?.file_name();
        let Some(id) = name.to_str().and_then(|name| name.strip_suffix(".lock")) else { continue };
        let lock = File::open(root.join(&name))?;
        match lock.try_lock() {
            Ok(()) => {
                remove(&root.join(id))?;
                swept.push(id.to_owned());
            }
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Ok(swept)
}

/// Held while labs are made or swept, so that no new folder is taken for a dead one.
fn gate(root: &Path) -> io::Result<File> {
    let gate = File::options().create(true).append(true).open(root.join("gate"))?;
    gate.lock()?;
    Ok(gate)
}

fn share(root: &Path, id: &str) -> io::Result<File> {
    let lock = File::options().create(true).append(true).open(lock_path(root, id))?;
    lock.lock_shared()?;
    Ok(lock)
}

fn lock_path(root: &Path, id: &str) -> PathBuf {
    root.join(format!("{id}.lock"))
}

fn parts(path: &Path) -> io::Result<(&Path, &str)> {
    let id = path.file_name().and_then(|name| name.to_str());
    path.parent().zip(id).ok_or_else(|| io::Error::other(format!("{} is no lab's folder", path.display())))
}

fn private_folder(path: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn absent_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_labs_folder_is_swept_and_a_living_ones_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let living = State::create(folder.path(), "living").expect("made");
        let dead = State::create(folder.path(), "dead").expect("made");
        std::fs::write(dead.path.join("data"), "x").expect("written");
        let second = State::join(&dead.path).expect("joined");
        drop(dead);
        assert!(sweep(folder.path()).expect("swept").is_empty(), "one process still holds it");
        drop(second);
        assert_eq!(sweep(folder.path()).expect("swept"), ["dead"]);
        assert!(living.path.exists());
        assert!(!folder.path().join("dead").exists());
        assert!(sweep(&folder.path().join("never")).expect("nothing there").is_empty());
    }
}
