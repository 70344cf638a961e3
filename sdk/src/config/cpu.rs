//! Amounts of processor.

use std::fmt;

use super::number;
use super::quantity::{Quantity, Written, quantity};

/// An amount of processor, written as Kubernetes does: `3` and `"1.5"` are processors, `"1500m"`
/// are thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cpu(u64);

impl Cpu {
    /// From thousandths of a processor.
    pub const fn from_millicores(millicores: u64) -> Cpu {
        Cpu(millicores)
    }

    /// In thousandths of a processor.
    pub const fn millicores(self) -> u64 {
        self.0
    }
}

impl Quantity for Cpu {
    const EXPECTING: &'static str = r#"an amount of processor such as 3, "1.5" or "1500m""#;

    fn parse(written: Written<'_>) -> Option<Cpu> {
        let millicores = match written {
            Written::Number(number) => number * 1000.0,
            Written::Text(text) => match number::split(text)? {
                (count, "m") => count,
                (count, "") => count * 1000.0,
                _ => return None,
            },
        };
        number::whole(millicores).map(Cpu)
    }
}

quantity!(Cpu, {
    "type": ["string", "number"],
    "format": "assay-cpu",
    "pattern": r"^[0-9]+(\.[0-9]+)?m?$",
    "minimum": 0,
    "description": "An amount of processor: 3, \"1.5\" or \"1500m\".",
});

impl fmt::Display for Cpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_multiple_of(1000) { write!(f, "{}", self.0 / 1000) } else { write!(f, "{}m", self.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_prints_what_people_write() {
        for (json, printed) in [("3", "3"), ("2.5", "2500m"), (r#""1500m""#, "1500m"), (r#""1.5""#, "1500m")]
        {
            assert_eq!(serde_json::from_str::<Cpu>(json).expect(json).to_string(), printed);
        }
    }

    #[test]
    fn refuses_the_rest() {
        for json in [r#""""#, r#""3 cores""#, "-1", "true"] {
            assert!(serde_json::from_str::<Cpu>(json).is_err(), "{json}");
        }
    }
}
