//! Reads config files and merges what they include.

use std::{
    collections::BTreeSet,
    io::Read as _,
    path::{Path, PathBuf},
};

use toml::de::DeTable;

use super::{
    diagnostic::Diagnostic,
    folder::Folder,
    rows::position,
    sources::Texts,
    tree::{Content, Node, Place},
};

/// A config file.
const CONFIG: Kind = Kind { name: "config", most_mebibytes: 1 };

/// Deepest nesting of includes.
const DEEPEST: usize = 16;

/// Reads a config and what it includes into one tree. What an including file says replaces what it
/// included; a file that is included twice counts where it first stands.
pub(super) struct Reader<'a> {
    pub(super) folder: &'a Folder,
    pub(super) texts: &'a mut Texts,
    pub(super) errors: &'a mut Vec<Diagnostic>,
    merged: BTreeSet<PathBuf>,
    /// The files that are being read, outermost first.
    open: Vec<PathBuf>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(folder: &'a Folder, texts: &'a mut Texts, errors: &'a mut Vec<Diagnostic>) -> Self {
        Self { folder, texts, errors, merged: BTreeSet::new(), open: Vec::new() }
    }

    /// Reads the config that was named on the command line.
    pub(super) fn config(&mut self, path: &Path) -> Option<Node> {
        let text = match text_of(path, CONFIG) {
            Ok(text) => text,
            Err(problem) => {
                self.errors.push(Diagnostic::new(problem));
                return None;
            }
        };
        let canonical = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let file = path.file_name().map(PathBuf::from).unwrap_or_default();
        let node = self.document(path, canonical, file, text)?;
        if matches!(&node.content, Content::Table(entries) if entries.is_empty()) {
            let needs = "a run config needs at least `name`, an environment, a behavior and a phase";
            self.errors
                .push(Diagnostic::new(format!("{}:1:1: the file is empty", path.display())).with_help(needs));
            return None;
        }
        Some(node)
    }

    fn document(&mut self, path: &Path, canonical: PathBuf, file: PathBuf, text: String) -> Option<Node> {
        let index = self.texts.add(&path.display().to_string(), text, Some(file));
        let mut own = self.parse(index)?;
        self.merged.insert(canonical.clone());
        self.open.push(canonical);
        let mut merged: Option<Node> = None;
        for (place, name) in self.includes(&mut own) {
            if let Some(included) = self.include(&place, &name) {
                match &mut merged {
                    Some(merged) => merged.overlay(included),
                    None => merged = Some(included),
                }
            }
        }
        self.open.pop();
        Some(match merged {
            Some(mut merged) => {
                merged.overlay(own);
                merged
            }
            None => own,
        })
    }

    fn parse(&mut self, index: usize) -> Option<Node> {
        let (mut unfit, text) = (Vec::new(), self.texts.get(index));
        let (node, problems) = on_a_deep_stack(|| {
            let (table, problems) = DeTable::parse_recoverable(text);
            let span = table.span();
            let value = toml::Spanned::new(span, toml::de::DeValue::Table(table.into_inner()));
            (Node::from_toml(&value, index, 0, &mut unfit), problems)
        })
        .map_err(|error| self.errors.push(Diagnostic::new(format!("no thread to read it on: {error}"))))
        .ok()?;
        let failed = !problems.is_empty();
        for problem in problems {
            let place = Place { text: index, span: problem.span().unwrap_or_default() };
            let message = problem.message().trim_end_matches(", expected nothing");
            let message = format!("not valid TOML: {message}");
            self.errors.push(self.texts.diagnostic(&place, message));
        }
        for one in unfit {
            self.errors.push(self.texts.diagnostic(&one.place, one.message));
        }
        // A tree with holes would only bring errors that the real mistake caused.
        if failed { None } else { node }
    }

    /// Takes the `include` list out of a tree.
    fn includes(&mut self, node: &mut Node) -> Vec<(Place, String)> {
        let Content::Table(entries) = &mut node.content else { return Vec::new() };
        let Some(include) = entries.remove("include") else { return Vec::new() };
        let mut refuse = |place: &Place| {
            let message = "expected a list of file names, such as [\"environments.toml\"]";
            self.errors.push(self.texts.diagnostic(place, message));
        };
        let Content::List(items) = include.value.content else {
            refuse(&include.value.place);
            return Vec::new();
        };
        let mut names = Vec::new();
        for item in items {
            match item.content {
                Content::Scalar(serde_json::Value::String(name)) => names.push((item.place, name)),
                _ => refuse(&item.place),
            }
        }
        names
    }

    fn include(&mut self, place: &Place, name: &str) -> Option<Node> {
        let found = self.folder.find(&self.texts.folder(place), name).and_then(|found| {
            if self.open.contains(&found.canonical) {
                let path = found.path.display();
                return Err(format!("the include goes in a circle: {path} includes this file"));
            }
            if self.open.len() >= DEEPEST {
                return Err(format!("includes are nested more than {DEEPEST} deep"));
            }
            if self.merged.contains(&found.canonical) {
                return Ok(None);
            }
            text_of(&found.path, CONFIG).map(|text| Some((found, text)))
        });
        match found {
            Ok(Some((found, text))) => self.document(&found.path, found.canonical, found.relative, text),
            Ok(None) => None,
            Err(problem) => {
                let help = "included files lie in the config's folder or below it";
                self.errors.push(self.texts.diagnostic(place, problem).with_help(help));
                None
            }
        }
    }
}

/// What a file is for, and how large one of its kind may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) most_mebibytes: u64,
}

/// Reads one file, bounded. A refusal names the file.
pub(super) fn text_of(path: &Path, kind_of_file: Kind) -> Result<String, String> {
    let Kind { name, most_mebibytes } = kind_of_file;
    let largest = most_mebibytes << 20;
    let shown = path.display();
    let unreadable = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => format!("there is no file {shown}"),
        _ => format!("{shown} cannot be read: {error}"),
    };
    let kind = path.metadata().map_err(unreadable)?;
    if kind.is_dir() {
        return Err(format!("{shown} is a directory, not a file"));
    }
    // Opening a pipe or a device could wait forever.
    if !kind.is_file() {
        return Err(format!("{shown} is not a regular file"));
    }
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(largest + 1).read_to_end(&mut bytes))
        .map_err(unreadable)?;
    if bytes.len() as u64 > largest {
        return Err(format!("{shown} is larger than {most_mebibytes} MiB: no {name} is that long"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let (line, column) = position(error.as_bytes(), error.utf8_error().valid_up_to());
        format!("{shown}:{line}:{column}: not UTF-8; a {name} is UTF-8 text")
    })
}

/// The parser follows nesting some thousands of levels down, by recursion, before it is known to be too
/// much; callers' stacks differ.
fn on_a_deep_stack<T: Send>(read: impl FnOnce() -> T + Send) -> std::io::Result<T> {
    std::thread::scope(|scope| {
        let reader = std::thread::Builder::new().stack_size(64 << 20).spawn_scoped(scope, read)?;
        reader.join().map_err(|_| std::io::Error::other("the parser broke down"))
    })
}
