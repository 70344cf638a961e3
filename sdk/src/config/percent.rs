//! Shares.

use std::fmt;

use super::number;
use super::quantity::{Quantity, Written, quantity};

/// A share, written as `"99.9%"` or as the plain ratio `0.999`. Not bounded: an overcommit of
/// `"125%"` or 1.25 is fine here, and a plugin says in `validate` what it allows.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Percent(f64);

impl Percent {
    /// From a ratio: 0.5 is 50 %.
    pub const fn from_ratio(ratio: f64) -> Percent {
        Percent(ratio)
    }

    /// As a ratio: 50 % is 0.5.
    pub const fn ratio(self) -> f64 {
        self.0
    }
}

impl Quantity for Percent {
    const EXPECTING: &'static str = r#"a share such as "99.9%" or 0.999"#;

    fn parse(written: Written<'_>) -> Option<Percent> {
        let ratio = match written {
            Written::Number(number) => number,
            Written::Text(text) => match number::split(text)? {
                // Not divided by 100: that would make 99.9 % a hair more than 999 of 1,000.
                (_, "%") => format!("{}e-2", text.trim_end_matches('%')).parse().ok()?,
                (count, "") => count,
                _ => return None,
            },
        };
        (ratio.is_finite() && ratio >= 0.0).then_some(Percent(ratio))
    }
}

quantity!(Percent, {
    "type": ["string", "number"],
    "format": "assay-percent",
    "pattern": r"^[0-9]+(\.[0-9]+)?%?$",
    "minimum": 0,
    "description": "A share: \"99.9%\", or the ratio 0.999.",
});

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", number::plain(self.0 * 100.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_prints_what_people_write() {
        for (text, ratio) in [("99.9%", 0.999), ("125%", 1.25), ("0%", 0.0), ("100%", 1.0)] {
            let percent: Percent = text.parse().expect(text);
            assert_eq!(percent.ratio(), ratio);
            assert_eq!(percent.to_string(), text);
        }
        assert_eq!(serde_json::from_str::<Percent>("1.25").expect("a share").to_string(), "125%");
    }

    #[test]
    fn refuses_the_rest() {
        for text in ["", "%", "99.9 %", "-1%", "half"] {
            assert!(text.parse::<Percent>().is_err(), "{text}");
        }
        assert!(serde_json::from_str::<Percent>("-0.1").is_err());
    }
}
