//! Amounts of money: whole cents, because fractions of binary numbers do not add up.

use std::fmt;

/// An amount in cents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cents(pub(crate) i64);

impl Cents {
    /// The price of several pieces; nothing when that is more than fits.
    pub(crate) fn times(self, quantity: i32) -> Option<Self> {
        self.0.checked_mul(i64::from(quantity)).map(Self)
    }

    /// The sum of two amounts; nothing when that is more than fits.
    pub(crate) fn plus(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// Reads an amount as a form has it: `1250`, `1250.5` or `1,250.50`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim().replace(',', "");
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || !digits(whole) || !digits(fraction) || fraction.len() > 2 {
            return None;
        }
        let cents: i64 = format!("{fraction:0<2}").parse().ok()?;
        whole.parse::<i64>().ok()?.checked_mul(100)?.checked_add(cents).map(Self)
    }
}

impl fmt::Display for Cents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = (self.0 / 100).unsigned_abs().to_string();
        if self.0 < 0 {
            f.write_str("-")?;
        }
        for (index, digit) in whole.chars().enumerate() {
            if index > 0 && (whole.len() - index).is_multiple_of(3) {
                f.write_str(",")?;
            }
            write!(f, "{digit}")?;
        }
        write!(f, ".{:02}", (self.0 % 100).unsigned_abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_shown_in_thousands() {
        for (cents, text) in [
            (0, "0.00"),
            (7, "0.07"),
            (-7, "-0.07"),
            (99_999, "999.99"),
            (100_000, "1,000.00"),
            (-123_456_789, "-1,234,567.89"),
        ] {
            assert_eq!(Cents(cents).to_string(), text);
        }
    }

    #[test]
    fn amounts_are_read_as_they_are_shown() {
        for (text, cents) in [("12", 1_200), ("12.5", 1_250), ("1,234.56", 123_456), (" 0.07 ", 7)] {
            assert_eq!(Cents::parse(text), Some(Cents(cents)), "{text}");
        }
        for wrong in ["", ".", ".5", "-1", "1.234", "1e3", "ten", "99999999999999999999"] {
            assert_eq!(Cents::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn arithmetic_does_not_wrap() {
        assert_eq!(Cents(250).times(3), Some(Cents(750)));
        assert_eq!(Cents(i64::MAX).times(2), None);
        assert_eq!(Cents(i64::MAX).plus(Cents(1)), None);
    }
}
