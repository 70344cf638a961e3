//! Lengths of time.

use std::fmt;
use std::time::Duration;

use super::number;
use super::quantity::{Quantity, Written, quantity};
use crate::clock::{Nanos, nanos};

/// A length of time, written as `"10m"`, `"250ms"`, `"1.5s"` or `"1h30m"`. Units: `ns`, `us`, `ms`, `s`,
/// `m`, `h`, `d`. A number without a unit is refused: nobody could tell which was meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period(Duration);

impl Period {
    /// From a standard duration.
    pub const fn new(duration: Duration) -> Period {
        Period(duration)
    }

    /// From whole seconds: what defaults are made of.
    pub const fn from_secs(seconds: u64) -> Period {
        Period(Duration::from_secs(seconds))
    }

    /// From nanoseconds, as the contract has times.
    pub const fn from_nanos(nanos: Nanos) -> Period {
        Period(Duration::from_nanos(nanos))
    }

    /// As a standard duration.
    pub const fn duration(self) -> Duration {
        self.0
    }

    /// In nanoseconds, as the contract has times.
    pub fn nanos(self) -> Nanos {
        nanos(self.0)
    }
}

const UNITS: [(&str, f64); 7] =
    [("ns", 1.0), ("us", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3600e9), ("d", 86_400e9)];

impl Quantity for Period {
    const EXPECTING: &'static str = r#"a length of time such as "10m", "250ms" or "1h30m""#;

    fn parse(written: Written<'_>) -> Option<Period> {
        let Written::Text(mut text) = written else { return None };
        let mut total = 0.0;
        loop {
            let (count, rest) = number::split(text)?;
            let end = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
            let (unit, rest) = rest.split_at(end);
            total += count * UNITS.iter().find(|(name, _)| *name == unit)?.1;
            if rest.is_empty() {
                return number::whole(total).map(Period::from_nanos);
            }
            text = rest;
        }
    }
}

quantity!(Period, {
    "type": "string",
    "format": "assay-duration",
    "pattern": r"^([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h|d))+$",
    "description": "A length of time: \"10m\", \"250ms\", \"1h30m\".",
});

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.nanos();
        match nanos {
            0 => f.write_str("0s"),
            1..1_000 => write!(f, "{nanos}ns"),
            1_000..1_000_000 => write!(f, "{}us", number::plain(nanos as f64 / 1e3)),
            1_000_000..1_000_000_000 => write!(f, "{}ms", number::plain(nanos as f64 / 1e6)),
            _ => {
                let (minutes, rest) = (nanos / 60_000_000_000, nanos % 60_000_000_000);
                let (hours, minutes) = (minutes / 60, minutes % 60);
                for (count, unit) in [(hours, "h"), (minutes, "m")] {
                    if count > 0 {
                        write!(f, "{count}{unit}")?;
                    }
                }
                if rest > 0 {
                    let fraction = format!("{:09}", rest % 1_000_000_000);
                    let fraction = fraction.trim_end_matches('0');
                    let dot = if fraction.is_empty() { "" } else { "." };
                    write!(f, "{}{dot}{fraction}s", rest / 1_000_000_000)?;
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_prints_what_people_write() {
        for text in ["0s", "250ms", "1.5s", "10m", "1h30m", "1m30s", "24h", "2us", "7ns", "1.000000001s"] {
            assert_eq!(text.parse::<Period>().expect(text).to_string(), text);
        }
        assert_eq!("90s".parse::<Period>().expect("a period").to_string(), "1m30s");
        assert_eq!("1d".parse::<Period>().expect("a period").duration(), Duration::from_secs(86_400));
    }

    #[test]
    fn refuses_the_rest() {
        for text in ["", "10", "m", "-1s", "1 s", "1x", "1.s.2m", "10m5", "1e3s"] {
            assert!(text.parse::<Period>().is_err(), "{text}");
        }
        assert!(serde_json::from_str::<Period>("10").is_err());
    }
}
