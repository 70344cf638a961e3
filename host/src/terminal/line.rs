//! Foreign text on a terminal: one line, cut, and nothing in it moves the cursor.

/// Longest piece of foreign text.
const LONGEST: usize = 240;

/// Text of plugins, targets and configs as it may be printed.
pub(super) fn line(text: &str) -> String {
    let mut words = String::new();
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        if !words.is_empty() {
            words.push(' ');
        }
        words.push_str(word);
    }
    if words.chars().count() > LONGEST {
        words = words.chars().take(LONGEST).collect();
        words.push('…');
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_moves_the_cursor() {
        assert_eq!(line("a\u{1b}[2Jb\r\n  c\u{9b}1m"), "a [2Jb c 1m");
        assert_eq!(line(&"x".repeat(1000)).chars().count(), LONGEST + 1);
    }
}
