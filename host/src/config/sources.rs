//! What a run config was read from: its texts and the merged tree, kept for as long as the run, so
//! that whoever finds a mistake later can still point to its line.

use std::{
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use miette::NamedSource;

use super::{
    diagnostic::{Diagnostic, Excerpt},
    model::{ConfigOrigin, PluginUse},
    schema::Complaint,
    tree::{Node, Place, segments},
};

/// One file or one `--set` argument.
#[derive(Debug, Clone)]
struct Text {
    source: Arc<NamedSource<String>>,
    /// The file, relative to the config's folder; absent for an argument.
    file: Option<PathBuf>,
}

/// All texts of a config.
#[derive(Debug, Clone, Default)]
pub(super) struct Texts(Vec<Text>);

impl Texts {
    /// Takes a text in and tells its index. `file` is relative to the config's folder.
    pub(super) fn add(&mut self, name: &str, text: String, file: Option<PathBuf>) -> usize {
        self.0.push(Text { source: Arc::new(NamedSource::new(name, text)), file });
        self.0.len() - 1
    }

    /// What paths that stand at this place are relative to, below the config's folder.
    pub(super) fn folder(&self, place: &Place) -> PathBuf {
        let file = self.0.get(place.text).and_then(|text| text.file.as_deref());
        file.and_then(Path::parent).map(Path::to_owned).unwrap_or_default()
    }

    /// The files among them, relative to the config's folder; the config itself is the first.
    pub(super) fn files(&self) -> impl Iterator<Item = &PathBuf> {
        self.0.iter().filter_map(|text| text.file.as_ref())
    }

    /// Is it a place in a file that was included? The first text is the config itself.
    pub(super) fn is_included(&self, place: &Place) -> bool {
        place.text > 0 && self.0.get(place.text).is_some_and(|text| text.file.is_some())
    }

    /// Overwrites a stretch of text with stars: what stands there must not be shown.
    pub(super) fn mask(&mut self, place: &Place) {
        let Some(text) = self.0.get_mut(place.text) else { return };
        let whole = text.source.inner();
        let (Some(before), Some(hidden), Some(after)) =
            (whole.get(..place.span.start), whole.get(place.span.clone()), whole.get(place.span.end..))
        else {
            return;
        };
        // As many bytes as before, and the same lines, so that all places stay right.
        let stars: String = hidden.bytes().map(|byte| if byte == b'\n' { '\n' } else { '*' }).collect();
        text.source = Arc::new(NamedSource::new(text.source.name(), format!("{before}{stars}{after}")));
    }

    pub(super) fn get(&self, index: usize) -> &str {
        self.0.get(index).map_or("", |text| text.source.inner())
    }

    /// A diagnostic that points to a place.
    pub(super) fn diagnostic(&self, place: &Place, message: impl Into<String>) -> Diagnostic {
        let place = self.0.get(place.text).map(|text| Excerpt {
            span: one_line(text.source.inner(), &place.span),
            text: text.source.clone(),
        });
        Diagnostic { place, ..Diagnostic::new(message) }
    }
}

/// Where a config came from. The default has no text: its diagnostics have no place.
#[derive(Debug, Clone)]
pub struct Sources {
    pub(super) texts: Texts,
    pub(super) root: Node,
}

impl Default for Sources {
    fn default() -> Self {
        Self { texts: Texts::default(), root: Node::table(Place::default()) }
    }
}

impl Sources {
    /// A diagnostic at what a JSON pointer names inside a plugin's config, or at the nearest thing
    /// around it that was written.
    pub fn diagnose(&self, origin: &ConfigOrigin, complaint: &Complaint) -> Diagnostic {
        let pointer = format!("/{}{}", origin.path, complaint.pointer);
        let diagnostic = self.at(&pointer, complaint.at_key, &complaint.message);
        Diagnostic { help: complaint.help.clone(), ..diagnostic }
    }

    /// A diagnostic at where a plugin was named.
    pub fn at_plugin(&self, uses: &PluginUse, message: &str) -> Diagnostic {
        self.at(&format!("/{}", uses.origin.plugin), false, message)
    }

    /// A diagnostic at another key of the table in which a plugin was named.
    pub fn beside_plugin(&self, uses: &PluginUse, key: &str, message: &str) -> Diagnostic {
        let table = uses.origin.plugin.trim_end_matches("/plugin");
        self.at(&format!("/{table}/{key}"), false, message)
    }

    /// A diagnostic at what a JSON pointer from the root names.
    pub(super) fn at(&self, pointer: &str, key: bool, message: impl Into<String>) -> Diagnostic {
        self.texts.diagnostic(self.place(pointer, key), message)
    }

    pub(super) fn place(&self, pointer: &str, key: bool) -> &Place {
        let segments: Vec<_> = segments(pointer).collect();
        self.root.locate(segments.iter().map(String::as_str), key)
    }
}

/// What to say when a plugin refuses its config: `pointer` is a JSON pointer into the config.
pub fn plugin_config_error(sources: &Sources, uses: &PluginUse, pointer: &str, message: &str) -> Diagnostic {
    let message = format!("plugin `{}` refuses its config: {message}", uses.plugin);
    sources.diagnose(&uses.origin, &Complaint::at_value(pointer, message))
}

/// The part of a span that lies on its first line, inside the text and on character boundaries.
fn one_line(text: &str, span: &Range<usize>) -> Range<usize> {
    let start = text.floor_char_boundary(span.start.min(text.len()));
    let end = text.floor_char_boundary(span.end.clamp(start, text.len()));
    let line = text[start..end].find(['\n', '\r']).map_or(end, |newline| start + newline);
    start..line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_cut_to_one_line_inside_the_text() {
        assert_eq!(one_line("ab\ncd", &(1..5)), 1..2);
        assert_eq!(one_line("ab", &(7..9)), 2..2);
        assert_eq!(one_line("äb", &(1..3)), 0..3);
        assert_eq!(one_line("ab", &Range { start: 2, end: 1 }), 2..2);
    }
}
