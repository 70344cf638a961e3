//! Bounds on text that plugins hand over.

/// Most bytes of one text, whoever wrote it, that reach the log and the report.
pub(crate) const LONGEST: usize = 4096;

/// The first 4 KiB of a text, marked where something was left out.
pub fn cut(text: String) -> String {
    cut_to(text, LONGEST)
}

/// The first `most` bytes of a text, cut between characters.
pub(crate) fn cut_to(mut text: String, most: usize) -> String {
    const MARK: &str = " […]";
    if text.len() > most {
        let mut end = most.saturating_sub(MARK.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push_str(MARK);
        text.shrink_to_fit();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_text_stays_and_long_text_is_cut_between_characters() {
        assert_eq!(cut("fine".to_owned()), "fine");
        let long = cut("ä".repeat(1 << 20));
        assert!(long.len() <= LONGEST, "{}", long.len());
        assert!(long.ends_with("ä […]"));
    }
}
