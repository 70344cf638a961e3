//! What is wrong with a run config, where, and what would be right.

use std::{fmt, ops::Range, sync::Arc};

use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, Severity, SourceCode};

/// One thing that is wrong. Shown with file, line, column and an excerpt when it has a place.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct Diagnostic {
    pub message: String,
    /// What is allowed.
    pub help: Option<String>,
    pub(super) place: Option<Excerpt>,
}

/// A stretch of a file, or of a command line argument.
#[derive(Debug, Clone)]
pub(super) struct Excerpt {
    pub(super) text: Arc<NamedSource<String>>,
    pub(super) span: Range<usize>,
}

impl Diagnostic {
    /// A diagnostic without a place.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None, place: None }
    }

    /// The same, with what is allowed.
    pub fn with_help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    fn is_at_the_place_of(&self, other: &Self) -> bool {
        match (&self.place, &other.place) {
            (Some(own), Some(other)) => Arc::ptr_eq(&own.text, &other.text) && own.span == other.span,
            (None, None) => true,
            _ => false,
        }
    }

    /// Name of the file (or `--set`), line and column, both from 1.
    pub fn location(&self) -> Option<(String, usize, usize)> {
        let excerpt = self.place.as_ref()?;
        let before = excerpt.text.inner().get(..excerpt.span.start)?;
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.matches('\n').count() + 1;
        Some((excerpt.text.name().to_owned(), line, before[line_start..].chars().count() + 1))
    }
}

impl miette::Diagnostic for Diagnostic {
    fn severity(&self) -> Option<Severity> {
        Some(Severity::Error)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.place.as_ref().map(|excerpt| &*excerpt.text as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let span = self.place.as_ref()?.span.clone();
        Some(Box::new(std::iter::once(LabeledSpan::underline(span))))
    }
}

/// Everything that is wrong with a run config, in the order of the files; never empty.
#[derive(Debug, Clone)]
pub struct ConfigErrors {
    errors: Vec<Diagnostic>,
}

impl ConfigErrors {
    /// Sorted by place, and each thing once.
    pub fn new(mut errors: Vec<Diagnostic>) -> Self {
        errors.sort_by_key(Diagnostic::location);
        errors.dedup_by(|a, b| a.message == b.message && a.is_at_the_place_of(b));
        Self { errors }
    }

    /// The single things.
    pub fn errors(&self) -> &[Diagnostic] {
        &self.errors
    }

    /// As people read it, with or without colours.
    pub fn render(&self, colours: bool) -> String {
        let theme = if colours { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        let handler = GraphicalReportHandler::new_themed(theme).with_width(100).with_links(false);
        let mut text = String::new();
        for (index, error) in self.errors.iter().enumerate() {
            if index > 0 {
                text.push('\n');
            }
            // The handler fails only when the text it writes to does, and a String never does.
            let _ = handler.render_report(&mut text, error);
        }
        text
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for ConfigErrors {}

impl From<Diagnostic> for ConfigErrors {
    fn from(error: Diagnostic) -> Self {
        Self { errors: vec![error] }
    }
}
