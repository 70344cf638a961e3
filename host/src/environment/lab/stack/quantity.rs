//! Quantities in a stack file: durations, sizes and shares of a processor, as Kubernetes writes them.

use std::{fmt, time::Duration};

use serde::{Deserialize, Deserializer, de};

/// Thousandths of a processor: `"500m"`, `"1.5"`, `1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cpu(pub(super) u64);

/// Bytes: `"512Mi"`, `"2G"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size(pub(super) u64);

/// A length of time: `"250ms"`, `"10s"`, `"2m"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span(pub(super) Duration);

/// The most that any of these may say; far beyond every machine, far below an overflow.
const MOST: f64 = 1e15;

fn number(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    text.parse::<f64>().ok().filter(|number| plain && *number <= MOST)
}

fn split(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    text.split_at(end)
}

fn cpu(text: &str) -> Option<Cpu> {
    let (amount, unit) = split(text);
    let thousandths = match unit {
        "m" => number(amount)?,
        "" => number(amount)? * 1000.0,
        _ => return None,
    };
    (thousandths >= 1.0).then_some(Cpu(thousandths.round() as u64))
}

fn size(text: &str) -> Option<Size> {
    let (amount, unit) = split(text);
    let factor = match unit {
        "" => 1_u64,
        "Ki" => 1 << 10,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        "K" | "k" => 1_000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        _ => return None,
    };
    let bytes = number(amount)? * factor as f64;
    (1.0..=MOST).contains(&bytes).then_some(Size(bytes.round() as u64))
}

fn span(text: &str) -> Option<Span> {
    let (amount, unit) = split(text);
    let seconds = match unit {
        "ms" => number(amount)? / 1000.0,
        "s" => number(amount)?,
        "m" => number(amount)? * 60.0,
        _ => return None,
    };
    (seconds <= 86_400.0).then(|| Span(Duration::from_secs_f64(seconds)))
}

struct Reader<T> {
    read: fn(&str) -> Option<T>,
    wanted: &'static str,
}

impl<T> de::Visitor<'_> for Reader<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.wanted)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        (self.read)(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<T, E> {
        (self.read)(&value.to_string()).ok_or_else(|| E::invalid_value(de::Unexpected::Signed(value), &self))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<T, E> {
        (self.read)(&value.to_string()).ok_or_else(|| E::invalid_value(de::Unexpected::Float(value), &self))
    }
}

impl<'de> Deserialize<'de> for Cpu {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wanted = "processors such as 1, 0.5 or \"500m\"";
        deserializer.deserialize_any(Reader { read: cpu, wanted })
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wanted = "a size such as \"512Mi\" or \"2Gi\"";
        deserializer.deserialize_any(Reader { read: size, wanted })
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wanted = "a duration up to a day, such as \"250ms\", \"10s\" or \"2m\"";
        deserializer.deserialize_str(Reader { read: span, wanted })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_as_kubernetes_writes_them() {
        assert_eq!(cpu("500m"), Some(Cpu(500)));
        assert_eq!(cpu("1"), Some(Cpu(1000)));
        assert_eq!(cpu("0.25"), Some(Cpu(250)));
        assert_eq!(size("256Mi"), Some(Size(256 << 20)));
        assert_eq!(size("1.5Gi"), Some(Size(3 << 29)));
        assert_eq!(span("250ms"), Some(Span(Duration::from_millis(250))));
        assert_eq!(span("2m"), Some(Span(Duration::from_secs(120))));
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in ["", "m", "-1", "0", "1e3", "NaN", "inf", "1 Gi", "99999999999999999999"] {
            assert_eq!(cpu(text), None, "{text}");
            assert_eq!(size(text), None, "{text}");
        }
        for text in ["", "5", "s", "2d", "-1s", "9999999m"] {
            assert_eq!(span(text), None, "{text}");
        }
    }
}
