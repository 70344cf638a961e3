//! The record of writes that the target acknowledged, and what an audit finds missing from it.
//!
//! Every entry is a line in `ledger.jsonl`; what an audit needs is kept in memory as well.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, hash_map::Entry},
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde::Serialize;

use crate::{
    capability::ports,
    observe::{Audit, Clock, Nanos},
};

/// Longest key, in bytes.
const LONGEST_KEY: usize = 200;

/// Most lost keys that are named.
const MOST_NAMED: usize = 1_000;

/// The ledger of one run.
#[derive(Debug)]
pub struct RunLedger {
    clock: Clock,
    book: Mutex<Book>,
}

#[derive(Debug)]
struct Book {
    file: BufWriter<File>,
    /// The first line that could not be written.
    broken: Option<String>,
    /// By key, because keys are unique over all behaviors.
    entries: HashMap<Box<str>, Record>,
    /// Behaviors by number, to keep entries small.
    behaviors: Vec<String>,
}

#[derive(Debug)]
struct Record {
    behavior: u32,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Attempted,
    Confirmed { at: Nanos },
    Rejected,
}

/// A line of `ledger.jsonl`.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Line<'a> {
    at: Nanos,
    behavior: &'a str,
    entry: Kind,
    key: &'a str,
}

#[derive(Serialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Attempt,
    Confirm,
    Reject,
}

impl RunLedger {
    /// An empty ledger that is written to a new file.
    pub fn create(path: &Path, clock: Clock) -> io::Result<Self> {
        let file = BufWriter::new(File::create_new(path)?);
        let book = Book { file, broken: None, entries: HashMap::new(), behaviors: Vec::new() };
        Ok(Self { clock, book: Mutex::new(book) })
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes out what is buffered, and answers what went wrong so far.
    pub fn flush(&self) -> io::Result<()> {
        let mut book = self.book();
        if let Some(broken) = &book.broken {
            return Err(io::Error::other(broken.clone()));
        }
        book.file.flush()
    }

    /// Compares one behavior's entries with the keys that the target holds. Keys that were never
    /// attempted here are other runs'.
    pub fn audit(&self, behavior: &str, held: impl Iterator<Item = String>) -> Audit {
        let mut audit = Audit { behavior: behavior.to_owned(), ..Audit::default() };
        let mut there = BTreeSet::new();
        for key in held {
            if !there.insert(key) {
                audit.duplicated += 1;
            }
        }
        let book = self.book();
        let number = book.behaviors.iter().position(|known| known == behavior);
        let mut lost = BTreeMap::new();
        for (key, record) in &book.entries {
            if Some(record.behavior as usize) != number {
                continue;
            }
            audit.attempted += 1;
            let is_there = there.contains(&**key);
            match record.state {
                State::Attempted => audit.indeterminate += 1,
                State::Confirmed { at } => {
                    audit.confirmed += 1;
                    if !is_there {
                        lost.insert((at, key), ());
                    }
                }
                State::Rejected => {
                    audit.rejected += 1;
                    audit.phantom += u64::from(is_there);
                }
            }
        }
        audit.lost = lost.len() as u64;
        audit.lost_keys = lost.keys().take(MOST_NAMED).map(|(_, key)| key.to_string()).collect();
        audit.lost_span = lost
            .first_key_value()
            .zip(lost.last_key_value())
            .map(|(((first, _), ()), ((last, _), ()))| last - first);
        audit
    }

    fn enter(&self, behavior: &str, key: &str, kind: Kind) -> Result<(), String> {
        if key.is_empty() || key.len() > LONGEST_KEY {
            return Err(format!("a key of {} bytes; allowed are 1 to {LONGEST_KEY}", key.len()));
        }
        let at = self.clock.now();
        let mut book = self.book();
        let number = book.number(behavior);
        match (book.entries.entry(key.into()), kind) {
            (Entry::Vacant(vacant), Kind::Attempt) => {
                vacant.insert(Record { behavior: number, state: State::Attempted });
            }
            (Entry::Occupied(_), Kind::Attempt) => {
                return Err(format!("key `{key}` was attempted before; keys are unique in a run"));
            }
            (Entry::Vacant(_), _) => return Err(format!("key `{key}` was never attempted")),
            (Entry::Occupied(entry), _) if entry.get().behavior != number => {
                return Err(format!("key `{key}` was attempted by another behavior"));
            }
            (Entry::Occupied(mut entry), _) => {
                match entry.get().state {
                    State::Attempted => {}
                    State::Confirmed { .. } => return Err(format!("key `{key}` is confirmed already")),
                    State::Rejected => return Err(format!("key `{key}` is rejected already")),
                }
                entry.get_mut().state =
                    if kind == Kind::Confirm { State::Confirmed { at } } else { State::Rejected };
            }
        }
        book.write(&Line { at, behavior, entry: kind, key });
        Ok(())
    }
}

impl Book {
    fn number(&mut self, behavior: &str) -> u32 {
        let known = self.behaviors.iter().position(|known| known == behavior).unwrap_or_else(|| {
            self.behaviors.push(behavior.to_owned());
            self.behaviors.len() - 1
        });
        u32::try_from(known).unwrap_or(u32::MAX)
    }

    /// A disk that is full must not fail a write of the target: it is kept for [`RunLedger::flush`].
    fn write(&mut self, line: &Line<'_>) {
        let written = serde_json::to_writer(&mut self.file, line)
            .map_err(io::Error::from)
            .and_then(|()| self.file.write_all(b"\n"));
        if let Err(error) = written {
            self.broken.get_or_insert_with(|| format!("the ledger could not be written: {error}"));
        }
    }
}

impl ports::Ledger for RunLedger {
    fn attempt(&self, behavior: &str, key: &str) -> Result<(), String> {
        self.enter(behavior, key, Kind::Attempt)
    }

    fn confirm(&self, behavior: &str, key: &str) -> Result<(), String> {
        self.enter(behavior, key, Kind::Confirm)
    }

    fn reject(&self, behavior: &str, key: &str) -> Result<(), String> {
        self.enter(behavior, key, Kind::Reject)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::capability::ports::Ledger;

    fn ledger() -> (tempfile::TempDir, RunLedger) {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = RunLedger::create(&folder.path().join("ledger.jsonl"), Clock::start()).expect("a file");
        (folder, ledger)
    }

    #[test]
    fn an_audit_is_arithmetic_on_sets() {
        let (_folder, ledger) = ledger();
        for key in ["kept", "lost-1", "lost-2", "open-there", "open-gone", "refused", "phantom"] {
            assert_eq!(ledger.attempt("visitor", key), Ok(()));
        }
        for key in ["kept", "lost-1", "lost-2"] {
            assert_eq!(ledger.confirm("visitor", key), Ok(()));
        }
        for key in ["refused", "phantom"] {
            assert_eq!(ledger.reject("visitor", key), Ok(()));
        }
        assert_eq!(ledger.attempt("clerk", "other"), Ok(()));
        let held = ["kept", "open-there", "phantom", "kept", "of another run"].map(str::to_owned);
        let audit = ledger.audit("visitor", held.into_iter());
        assert!(audit.lost_span.is_some());
        assert_eq!(
            Audit { lost_span: None, ..audit },
            Audit {
                behavior: "visitor".to_owned(),
                attempted: 7,
                confirmed: 3,
                rejected: 2,
                indeterminate: 2,
                lost: 2,
                lost_keys: vec!["lost-1".to_owned(), "lost-2".to_owned()],
                lost_span: None,
                phantom: 1,
                duplicated: 1,
                failure: None,
            }
        );
        let nothing = ledger.audit("nobody", std::iter::empty());
        assert_eq!(nothing, Audit { behavior: "nobody".to_owned(), ..Audit::default() });
    }

    #[test]
    fn what_is_lost_spans_from_its_first_confirmation_to_its_last() {
        let (folder, ledger) = ledger();
        for key in ["kept", "lost-1", "lost-2", "lost-3", "kept too"] {
            assert_eq!((ledger.attempt("visitor", key), ledger.confirm("visitor", key)), (Ok(()), Ok(())));
        }
        ledger.flush().expect("a disk with room");
        let text = std::fs::read_to_string(folder.path().join("ledger.jsonl")).expect("the file");
        let confirmed = |key: &str| {
            let lines = text.lines().map(|line| serde_json::from_str(line).expect("JSON"));
            let mut lines = lines.filter(|line: &serde_json::Value| {
                (line["key"].as_str(), line["entry"].as_str()) == (Some(key), Some("confirm"))
            });
            lines.next().and_then(|line| line["at"].as_u64()).expect("a time")
        };
        let held = || ["kept", "kept too"].map(str::to_owned).into_iter();
        let span = confirmed("lost-3") - confirmed("lost-1");
        assert_eq!(ledger.audit("visitor", held()).lost_span, Some(span));
        let held = held().chain(["lost-1", "lost-3"].map(str::to_owned));
        assert_eq!(ledger.audit("visitor", held).lost_span, Some(0), "one write has no span");
    }

    #[test]
    fn keys_that_break_the_rules_are_answered() {
        let (_folder, ledger) = ledger();
        assert_eq!(ledger.attempt("visitor", &"k".repeat(200)), Ok(()));
        assert_eq!(ledger.attempt("visitor", "a"), Ok(()));
        assert_eq!(ledger.confirm("visitor", "a"), Ok(()));
        let answers = [
            ledger.attempt("visitor", ""),
            ledger.attempt("visitor", &"k".repeat(201)),
            ledger.attempt("visitor", "a"),
            ledger.attempt("clerk", "a"),
            ledger.confirm("clerk", "a"),
            ledger.confirm("visitor", "b"),
            ledger.confirm("visitor", "a"),
            ledger.reject("visitor", "a"),
        ]
        .map(|answer| answer.expect_err("against the rules"));
        insta::assert_debug_snapshot!(answers);
    }

    #[test]
    fn every_entry_is_a_line() {
        let (folder, ledger) = ledger();
        let _ = (ledger.attempt("visitor", "a\"b"), ledger.confirm("visitor", "a\"b"));
        let _ = (ledger.attempt("visitor", "c"), ledger.reject("visitor", "c"));
        ledger.flush().expect("a disk with room");
        let text = std::fs::read_to_string(folder.path().join("ledger.jsonl")).expect("the file");
        insta::with_settings!({ filters => [(r#""at":\d+"#, r#""at":0"#)] }, {
            insta::assert_snapshot!(text);
        });
    }

    #[test]
    fn lost_keys_are_named_up_to_a_bound() {
        let (_folder, ledger) = ledger();
        for number in 0..1_200 {
            let key = format!("key-{number}");
            let _ = (ledger.attempt("visitor", &key), ledger.confirm("visitor", &key));
        }
        let audit = ledger.audit("visitor", std::iter::empty());
        assert_eq!((audit.lost, audit.lost_keys.len()), (1_200, MOST_NAMED));
    }

    proptest! {
        #[test]
        fn every_attempt_ends_in_one_place(states in prop::collection::vec((0u8..3, any::<bool>()), 0..60)) {
            let (_folder, ledger) = ledger();
            let mut held = Vec::new();
            for (number, (state, there)) in states.iter().enumerate() {
                let key = number.to_string();
                prop_assert!(ledger.attempt("visitor", &key).is_ok());
                match state {
                    0 => {}
                    1 => prop_assert!(ledger.confirm("visitor", &key).is_ok()),
                    _ => prop_assert!(ledger.reject("visitor", &key).is_ok()),
                }
                if *there {
                    held.push(key);
                }
            }
            let audit = ledger.audit("visitor", held.into_iter());
            let count = |wanted: u8, there: bool| {
                states.iter().filter(|(state, is)| *state == wanted && *is == there).count() as u64
            };
            prop_assert_eq!(audit.attempted, audit.confirmed + audit.rejected + audit.indeterminate);
            prop_assert_eq!(audit.lost, count(1, false));
            prop_assert_eq!(audit.phantom, count(2, true));
        }
    }
}
