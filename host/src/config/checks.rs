//! What the checks of a config share: where the config stands, and what was found wrong so far.

use std::{collections::BTreeSet, path::PathBuf, time::Duration};

use super::{Sources, diagnostic::Diagnostic, explain::choices, folder::Folder, units};

/// Collects what is wrong. Pointers are JSON pointers from the root of the merged config.
pub(super) struct Checks<'a> {
    folder: &'a Folder,
    sources: &'a Sources,
    /// What the config names, relative to its folder.
    pub(super) files: BTreeSet<PathBuf>,
    pub(super) errors: Vec<Diagnostic>,
}

impl<'a> Checks<'a> {
    pub(super) fn new(folder: &'a Folder, sources: &'a Sources) -> Self {
        Self { folder, sources, files: BTreeSet::new(), errors: Vec::new() }
    }

    /// Something is wrong with a value.
    pub(super) fn refuse(&mut self, pointer: &str, message: impl Into<String>, help: impl Into<String>) {
        let diagnostic = self.sources.at(pointer, false, message);
        self.errors.push(diagnostic.with_help(help));
    }

    /// A value names something that does not exist.
    pub(super) fn unknown(&mut self, pointer: &str, kind: &str, given: &str, known: &[String]) {
        self.refuse(pointer, format!("there is no {kind} `{given}`"), choices(given, known));
    }

    /// A key names something that does not exist.
    pub(super) fn unknown_key(&mut self, pointer: &str, kind: &str, given: &str, known: &[String]) {
        let diagnostic = self.sources.at(pointer, true, format!("there is no {kind} `{given}`"));
        self.errors.push(diagnostic.with_help(choices(given, known)));
    }

    /// A key is a name that people chose.
    pub(super) fn named(&mut self, pointer: &str, name: &str) {
        if units::name(name).is_err() {
            let expected = units::example("assay-name").unwrap_or_default();
            let message = format!("expected {expected}, got `{name}`");
            self.errors.push(self.sources.at(pointer, true, message));
        }
    }

    /// No two of a kind have the same name.
    pub(super) fn unique(&mut self, names: &mut BTreeSet<String>, name: &str, pointer: &str, kind: &str) {
        if !names.insert(name.to_owned()) {
            self.refuse(pointer, format!("two {kind} are called `{name}`"), "give each a `name` of its own");
        }
    }

    pub(super) fn positive(&mut self, duration: Duration, pointer: &str) {
        if duration.is_zero() {
            self.refuse(pointer, "a duration of 0 is too short here", "it must be longer than \"0s\"");
        }
    }

    /// A part of a whole.
    pub(super) fn at_most_all(&mut self, ratio: f64, pointer: &str) {
        if ratio > 1.0 {
            self.refuse(pointer, "this percentage cannot be above 100%", "a ratio goes from 0 to 1");
        }
    }

    /// The file that a value names, below the config's folder.
    pub(super) fn path(&mut self, pointer: &str, text: &str) -> Option<PathBuf> {
        let from = self.sources.texts.folder(self.sources.place(pointer, false));
        match self.folder.find(&from, text) {
            Ok(found) => {
                self.files.insert(found.relative);
                Some(found.path)
            }
            Err(problem) => {
                let help = "paths are relative to the file they stand in, and stay below the config's folder";
                self.refuse(pointer, problem, help);
                None
            }
        }
    }

    /// Was the key written in a file that the config includes, and not in the config itself?
    pub(super) fn is_included(&self, pointer: &str) -> bool {
        self.sources.texts.is_included(self.sources.place(pointer, true))
    }
}
