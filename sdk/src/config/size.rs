//! Amounts of memory.

use std::fmt;

use super::number;
use super::quantity::{Quantity, Written, quantity};

/// An amount of memory or storage, written as Kubernetes does: `"6Gi"`, `"512Mi"`, `"1.5G"`, or as
/// a number of bytes. `Ki`, `Mi`, `Gi`, `Ti` are powers of 1,024, `k`, `M`, `G`, `T` of 1,000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(u64);

impl Size {
    /// From bytes.
    pub const fn from_bytes(bytes: u64) -> Size {
        Size(bytes)
    }

    /// In bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

const UNITS: [(&str, u64); 8] = [
    ("Ti", 1 << 40),
    ("Gi", 1 << 30),
    ("Mi", 1 << 20),
    ("Ki", 1 << 10),
    ("T", 1_000_000_000_000),
    ("G", 1_000_000_000),
    ("M", 1_000_000),
    ("k", 1_000),
];

impl Quantity for Size {
    const EXPECTING: &'static str = r#"a size such as "6Gi", "512Mi" or a number of bytes"#;

    fn parse(written: Written<'_>) -> Option<Size> {
        let (count, unit) = match written {
            Written::Number(number) => (number, ""),
            Written::Text(text) => number::split(text)?,
        };
        let factor = match unit {
            "" => 1,
            unit => UNITS.iter().find(|(name, _)| *name == unit)?.1,
        };
        number::whole(count * factor as f64).map(Size)
    }
}

quantity!(Size, {
    "type": ["string", "number"],
    "format": "assay-size",
    "pattern": r"^[0-9]+(\.[0-9]+)?(Ki|Mi|Gi|Ti|k|M|G|T)?$",
    "minimum": 0,
    "description": "An amount of memory: \"6Gi\", \"512Mi\", or a number of bytes.",
});

impl fmt::Display for Size {
    /// In the largest unit that divides it: `6Gi`, `4608Mi`, `1000k`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = UNITS.iter().find(|(_, factor)| self.0 >= *factor && self.0.is_multiple_of(*factor));
        match unit {
            Some((name, factor)) => write!(f, "{}{name}", self.0 / factor),
            None => write!(f, "{}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_prints_what_people_write() {
        for (text, bytes) in [("6Gi", 6 << 30), ("4608Mi", 4608 << 20), ("1G", 1_000_000_000), ("17", 17)] {
            let size: Size = text.parse().expect(text);
            assert_eq!(size.bytes(), bytes);
            assert_eq!(size.to_string(), text);
        }
        assert_eq!("1.5Gi".parse::<Size>().expect("a size").to_string(), "1536Mi");
        assert_eq!(serde_json::from_str::<Size>("1024").expect("a size").to_string(), "1Ki");
        assert_eq!(Size::from_bytes(0).to_string(), "0");
    }

    #[test]
    fn refuses_the_rest() {
        for text in ["", "Gi", "6 Gi", "-1", "6GB", "6gi"] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
        assert!(serde_json::from_str::<Size>("-1").is_err());
    }
}
