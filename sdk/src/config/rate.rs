//! Things a second.

use std::fmt;

use super::number;
use super::quantity::{Quantity, Written, quantity};

/// A rate, written as `"500/s"`, `"30/m"` or as a plain number of things a second.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Rate(f64);

impl Rate {
    /// From things a second.
    pub const fn per_second(count: f64) -> Rate {
        Rate(count)
    }

    /// In things a second.
    pub const fn a_second(self) -> f64 {
        self.0
    }
}

impl Quantity for Rate {
    const EXPECTING: &'static str = r#"a rate such as "500/s", "30/m" or 500"#;

    fn parse(written: Written<'_>) -> Option<Rate> {
        let rate = match written {
            Written::Number(number) => number,
            Written::Text(text) => match number::split(text)? {
                (count, "" | "/s") => count,
                (count, "/m") => count / 60.0,
                (count, "/h") => count / 3600.0,
                _ => return None,
            },
        };
        (rate.is_finite() && rate >= 0.0).then_some(Rate(rate))
    }
}

quantity!(Rate, {
    "type": ["string", "number"],
    "format": "assay-rate",
    "pattern": r"^[0-9]+(\.[0-9]+)?(/[smh])?$",
    "minimum": 0,
    "description": "Things a second: \"500/s\", \"30/m\" or 500.",
});

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", number::plain(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_prints_what_people_write() {
        for (json, printed) in [(r#""500/s""#, "500/s"), (r#""30/m""#, "0.5/s"), ("500", "500/s")] {
            assert_eq!(serde_json::from_str::<Rate>(json).expect(json).to_string(), printed);
        }
        assert!("500/x".parse::<Rate>().is_err());
    }
}
