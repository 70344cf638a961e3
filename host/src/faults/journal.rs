//! The record of what must be undone.
//!
//! One JSON line an entry, synced to disk before the change that it is the inverse of. Undoing an
//! entry adds another line that says so, so that what is pending is always what the file says. A
//! torn last line is an entry whose change was never made: it is ignored.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};

use crate::{
    capability::ports,
    environment::{Environment, EnvironmentError, Inverse},
};

/// One line of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case", deny_unknown_fields)]
pub(crate) enum Entry {
    /// The host can undo this by itself.
    Host { number: u64, fault: String, inverse: Inverse },
    /// Only the fault's plugin can: it is given back what it asked to keep.
    Plugin { number: u64, fault: String, undo: String },
    /// That entry is undone.
    Undone { number: u64 },
}

/// An entry that is not undone yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Pending {
    pub number: u64,
    pub fault: String,
    pub undo: Undo,
}

impl Pending {
    fn entry(&self) -> Entry {
        let (number, fault) = (self.number, self.fault.clone());
        match self.undo.clone() {
            Undo::Host(inverse) => Entry::Host { number, fault, inverse },
            Undo::Plugin(undo) => Entry::Plugin { number, fault, undo },
        }
    }
}

/// How a pending entry is undone.
#[derive(Debug, Clone, PartialEq)]
pub enum Undo {
    Host(Inverse),
    Plugin(String),
}

/// Why a journal cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("the journal {path} cannot be opened: {source}")]
    Open { path: PathBuf, source: io::Error },
    #[error("line {line} of the journal {path} cannot be read: {source}")]
    Line { path: PathBuf, line: usize, source: serde_json::Error },
}

/// A journal open for writing.
#[derive(Debug)]
pub struct Journal {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    file: File,
    next: u64,
    pending: BTreeMap<u64, Pending>,
}

impl Journal {
    /// Opens a journal, which is made if it is not there, and reads what is pending.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        let failed = |source| JournalError::Open { path: path.to_owned(), source };
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(failed(error)),
        };
        // What follows the last newline is torn: its change was never made.
        let whole = text.rfind('\n').map_or(0, |newline| newline + 1);
        let (next, pending) = replay(path, &text[..whole])?;
        let file = File::options().create(true).append(true).open(path).map_err(failed)?;
        file.set_len(whole as u64).map_err(failed)?;
        Ok(Self { state: Mutex::new(State { file, next, pending }) })
    }

    /// Notes what a plugin alone can undo. It is on disk when this returns.
    pub fn before_plugin(&self, fault: &str, undo: &str) -> io::Result<()> {
        self.add(fault, Undo::Plugin(undo.to_owned()))
    }

    /// What is pending of one fault, newest first: the order in which to undo it.
    pub fn pending(&self, fault: &str) -> Vec<Pending> {
        self.state().pending.values().rev().filter(|one| one.fault == fault).cloned().collect()
    }

    /// What is pending of all faults, newest first.
    pub fn all_pending(&self) -> Vec<Pending> {
        self.state().pending.values().rev().cloned().collect()
    }

    /// Brings the copy that the environment keeps up to date.
    pub async fn keep_in(&self, environment: &dyn Environment) -> Result<(), EnvironmentError> {
        environment.keep_journal(&|| ports::Journal::pending_lines(self)).await
    }

    /// Notes that an entry is undone.
    pub fn undone(&self, number: u64) -> io::Result<()> {
        let mut state = self.state();
        append(&mut state.file, &Entry::Undone { number })?;
        state.pending.remove(&number);
        Ok(())
    }

    fn add(&self, fault: &str, undo: Undo) -> io::Result<()> {
        let mut state = self.state();
        let (number, fault) = (state.next, fault.to_owned());
        let pending = Pending { number, fault, undo };
        append(&mut state.file, &pending.entry())?;
        state.next += 1;
        state.pending.insert(number, pending);
        Ok(())
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is pending by a journal's text, newest first; `source` is what errors call it.
pub fn pending_in(text: &str, source: &Path) -> Result<Vec<Pending>, JournalError> {
    let whole = text.rfind('\n').map_or(0, |newline| newline + 1);
    let (_, pending) = replay(source, &text[..whole])?;
    Ok(pending.into_values().rev().collect())
}

impl ports::Journal for Journal {
    fn before(&self, fault: &str, inverse: &Inverse) -> io::Result<()> {
        self.add(fault, Undo::Host(inverse.clone()))
    }

    fn pending_lines(&self) -> String {
        let line = |pending: &Pending| serde_json::to_string(&pending.entry()).map(|line| line + "\n");
        // Whatever was written to the file can be written.
        self.state().pending.values().filter_map(|pending| line(pending).ok()).collect()
    }
}

fn append(file: &mut File, entry: &Entry) -> io::Result<()> {
    let mut line = serde_json::to_vec(entry)?;
    line.push(b'\n');
    file.write_all(&line)?;
    file.sync_data()
}

fn replay(path: &Path, text: &str) -> Result<(u64, BTreeMap<u64, Pending>), JournalError> {
    let (mut next, mut pending) = (0, BTreeMap::new());
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let entry = match serde_json::from_str(line) {
            Ok(entry) => entry,
            Err(source) => return Err(JournalError::Line { path: path.to_owned(), line: index + 1, source }),
        };
        match entry {
            Entry::Host { number, fault, inverse } => {
                pending.insert(number, Pending { number, fault, undo: Undo::Host(inverse) });
                next = next.max(number + 1);
            }
            Entry::Plugin { number, fault, undo } => {
                pending.insert(number, Pending { number, fault, undo: Undo::Plugin(undo) });
                next = next.max(number + 1);
            }
            Entry::Undone { number } => {
                pending.remove(&number);
            }
        }
    }
    Ok((next, pending))
}

#[cfg(test)]
mod tests {
    use super::{ports::Journal as _, *};

    fn release(instance: &str) -> Inverse {
        Inverse::Release { instance: instance.to_owned() }
    }

    #[test]
    fn what_is_pending_survives_the_process() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("journal.jsonl");
        let journal = Journal::open(&path).expect("opens");
        journal.before("a", &release("db-0")).expect("writes");
        journal.before("b", &release("db-1")).expect("writes");
        journal.before_plugin("a", "undo me").expect("writes");
        journal.undone(1).expect("writes");
        drop(journal);

        let journal = Journal::open(&path).expect("opens again");
        let undos: Vec<_> = journal.pending("a").into_iter().map(|pending| pending.undo).collect();
        assert_eq!(undos, [Undo::Plugin("undo me".into()), Undo::Host(release("db-0"))]);
        assert_eq!(journal.pending("b"), []);
        let copy = pending_in(&journal.pending_lines(), Path::new("the copy")).expect("reads");
        assert_eq!(copy, journal.all_pending());
        journal.before("c", &release("db-2")).expect("writes");
        assert_eq!(journal.all_pending()[0].number, 3);
    }

    #[test]
    fn a_torn_last_line_is_ignored_and_not_built_upon() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("journal.jsonl");
        let journal = Journal::open(&path).expect("opens");
        journal.before("a", &release("db-0")).expect("writes");
        let mut text = std::fs::read_to_string(&path).expect("reads");
        text.push_str(r#"{"host":{"number":1,"fau"#);
        std::fs::write(&path, &text).expect("writes");

        let journal = Journal::open(&path).expect("opens despite the torn line");
        journal.before("a", &release("db-1")).expect("writes");
        drop(journal);
        let journal = Journal::open(&path).expect("opens once more");
        assert_eq!(journal.all_pending().len(), 2);
    }

    #[test]
    fn a_damaged_line_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("journal.jsonl");
        std::fs::write(&path, "{\"undone\":{\"number\":0}}\n{\"what\":1}\n").expect("writes");
        let error = Journal::open(&path).expect_err("is damaged").to_string();
        assert!(error.starts_with("line 2 of the journal"), "{error}");
    }
}
