//! Pages of a long list.

/// Rows on one page.
pub(crate) const PAGE: i64 = 25;

/// One page of a list whose length is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Paging {
    /// The page that is shown, from 1.
    pub(crate) number: i64,
    /// How many there are, at least 1.
    pub(crate) pages: i64,
}

/// The page number of a query string; whatever is not a page number is the first page.
pub(crate) fn requested(text: Option<&str>) -> i64 {
    // The bound keeps the offset, and the server's work, within reason.
    text.and_then(|text| text.parse().ok()).unwrap_or(1).clamp(1, 100_000)
}

/// Rows before the given page.
pub(crate) fn offset(number: i64) -> i64 {
    (number - 1) * PAGE
}

impl Paging {
    /// The given page of so many rows.
    pub(crate) fn new(number: i64, rows: i64) -> Self {
        Self { number, pages: rows.div_euclid(PAGE) + i64::from(rows.rem_euclid(PAGE) > 0 || rows == 0) }
    }

    /// The page before this one.
    pub(crate) fn previous(self) -> Option<i64> {
        (self.number > 1).then(|| (self.number - 1).min(self.pages))
    }

    /// The page after this one.
    pub(crate) fn next(self) -> Option<i64> {
        (self.number < self.pages).then_some(self.number + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_requests_mean_the_first_page() {
        for text in [None, Some(""), Some("0"), Some("-3"), Some("x"), Some("1")] {
            assert_eq!(requested(text), 1);
        }
        assert_eq!(requested(Some("7")), 7);
        assert_eq!(offset(requested(Some("9223372036854775807"))), 99_999 * PAGE);
    }

    #[test]
    fn the_last_page_may_be_short() {
        assert_eq!(Paging::new(1, 0).pages, 1);
        assert_eq!(Paging::new(1, 25).pages, 1);
        assert_eq!(Paging::new(1, 26).pages, 2);
    }

    #[test]
    fn neighbours_stay_inside() {
        let first = Paging::new(1, 60);
        assert_eq!((first.previous(), first.next()), (None, Some(2)));
        let last = Paging::new(3, 60);
        assert_eq!((last.previous(), last.next()), (Some(2), None));
        let beyond = Paging::new(9, 60);
        assert_eq!((beyond.previous(), beyond.next()), (Some(3), None));
    }
}
