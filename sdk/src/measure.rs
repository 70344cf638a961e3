//! Figures with their units.

use std::fmt;

use crate::bindings::imports::types::Measure;
use crate::config::{Cpu, Period, Size};
use crate::numbers;

impl Measure {
    /// A share, 0.0 to 1.0 for most.
    pub fn ratio(ratio: f64) -> Measure {
        Measure::Ratio(ratio)
    }

    /// The figure without its unit; nothing for a text.
    pub fn value(&self) -> Option<f64> {
        match self {
            Measure::Ratio(value) | Measure::Rate(value) => Some(*value),
            Measure::Duration(value)
            | Measure::Count(value)
            | Measure::Millicores(value)
            | Measure::Bytes(value) => Some(*value as f64),
            Measure::Text(_) => None,
        }
    }
}

impl From<Period> for Measure {
    fn from(period: Period) -> Measure {
        Measure::Duration(period.nanos())
    }
}

impl From<Size> for Measure {
    fn from(size: Size) -> Measure {
        Measure::Bytes(size.bytes())
    }
}

impl From<Cpu> for Measure {
    fn from(cpu: Cpu) -> Measure {
        Measure::Millicores(cpu.millicores())
    }
}

/// For sentences: "99.95 %", "1.24 s", "512/s".
impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Measure::Ratio(ratio) => f.write_str(&numbers::percent(*ratio)),
            Measure::Duration(nanos) => f.write_str(&numbers::duration(*nanos)),
            Measure::Count(count) => write!(f, "{count}"),
            Measure::Rate(rate) => write!(f, "{}/s", numbers::rounded(*rate, 1)),
            Measure::Millicores(millicores) => write!(f, "{millicores}m"),
            Measure::Bytes(bytes) => write!(f, "{}", Size::from_bytes(*bytes)),
            Measure::Text(text) => f.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_figure_has_a_value_and_a_text_has_none() {
        for measure in [
            Measure::Ratio(7.0),
            Measure::Rate(7.0),
            Measure::Duration(7),
            Measure::Count(7),
            Measure::Millicores(7),
            Measure::Bytes(7),
        ] {
            assert_eq!(measure.value(), Some(7.0), "{measure}");
        }
        assert_eq!(Measure::Text("7".to_owned()).value(), None);
    }
}
