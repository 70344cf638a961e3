//! Text and tables that stay what they are, whatever a plugin or a target put into them.

/// Longest piece of foreign text on the page.
const LONGEST: usize = 400;

/// Widest that a column is padded to, so that one long cell does not stretch all rows.
const WIDEST: usize = 48;

/// Foreign text as plain words of one line: cut, and nothing in it is markup. It never begins a line,
/// so what is markup only there stays as it is.
pub(super) fn plain(text: &str) -> String {
    let mut safe = String::with_capacity(text.len().min(LONGEST * 2));
    let mut before = ' ';
    let mut count = 0;
    let mut chars = text.trim().chars().peekable();
    while let Some(c) = chars.next() {
        if count == LONGEST {
            safe.push('…');
            break;
        }
        let c = if c.is_control() || is_direction(c) { ' ' } else { c };
        if c == ' ' && before == ' ' && count > 0 {
            continue;
        }
        count += 1;
        let next_is_word = chars.peek().is_some_and(|next| next.is_alphanumeric());
        match c {
            '\\' | '`' | '*' | '[' | ']' | '|' | '~' => safe.extend(['\\', c]),
            // Within a word it is no emphasis.
            '_' if !(before.is_alphanumeric() && next_is_word) => safe.push_str("\\_"),
            '<' => safe.push_str("&lt;"),
            '&' if next_is_word || chars.peek() == Some(&'#') => safe.push_str("&amp;"),
            _ => safe.push(c),
        }
        before = c;
    }
    safe.truncate(safe.trim_end().len());
    safe
}

/// Characters that turn the direction of what follows.
fn is_direction(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A table whose source reads as well as what is made of it.
pub(super) struct Table {
    /// Name, and whether its cells are figures, which stand to the right.
    columns: Vec<(&'static str, bool)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A column whose name ends in `:` holds figures.
    pub(super) fn new(columns: &[&'static str]) -> Self {
        let column = |name: &&'static str| (name.trim_end_matches(':'), name.ends_with(':'));
        Self { columns: columns.iter().map(column).collect(), rows: Vec::new() }
    }

    /// Adds a row of foreign text; missing cells stay empty.
    pub(super) fn row<T: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = T>) {
        let mut cells: Vec<String> = cells.into_iter().map(|cell| plain(cell.as_ref())).collect();
        cells.resize(self.columns.len(), String::new());
        self.rows.push(cells);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let length = |text: &str| text.chars().count();
        let width = |index: usize, name: &str| {
            let cells = self.rows.iter().map(|row| length(&row[index]));
            cells.chain([length(name), 3]).max().unwrap_or(3).min(WIDEST.max(length(name)))
        };
        let widths: Vec<usize> =
            self.columns.iter().enumerate().map(|(index, (name, _))| width(index, name)).collect();
        let line = |f: &mut std::fmt::Formatter<'_>, cells: &mut dyn Iterator<Item = &str>| {
            for ((cell, (_, figure)), width) in cells.zip(&self.columns).zip(&widths) {
                if *figure { write!(f, "| {cell:>width$} ")? } else { write!(f, "| {cell:<width$} ")? }
            }
            writeln!(f, "|")
        };
        line(f, &mut self.columns.iter().map(|(name, _)| *name))?;
        for ((_, figure), width) in self.columns.iter().zip(&widths) {
            let dashes = "-".repeat(width - usize::from(*figure));
            write!(f, "| {dashes}{} ", if *figure { ":" } else { "" })?;
        }
        writeln!(f, "|")?;
        for row in &self.rows {
            line(f, &mut row.iter().map(String::as_str))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn foreign_text_is_no_markup() {
        let text = "a | b\n# <script>*x*</script> [link](http://x) stock_level _x_ &lt; \u{202e}`code`\\";
        insta::assert_snapshot!(plain(text));
        assert_eq!(plain(&"x".repeat(1000)).chars().count(), LONGEST + 1);
    }

    #[test]
    fn tables_are_aligned() {
        let mut table = Table::new(&["name", "requests:"]);
        table.row(["GET /", "1,234"]);
        table.row([&"long ".repeat(30)]);
        insta::assert_snapshot!(table.to_string());
    }

    proptest! {
        #[test]
        fn no_text_breaks_a_row(text in "\\PC*|.*") {
            let mut table = Table::new(&["a", "b:"]);
            table.row([text.as_str(), text.as_str()]);
            prop_assert_eq!(table.to_string().lines().count(), 3);
        }
    }
}
