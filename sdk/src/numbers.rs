//! Figures in sentences, as reports print them.

use crate::clock::Nanos;

/// A share: `0.9995` is "99.95 %". At most three decimals, but never "100 %" for what is less.
pub fn percent(ratio: f64) -> String {
    let text = rounded(ratio * 100.0, 3);
    let text = if text == "100" && ratio < 1.0 { rounded(ratio * 100.0, 6) } else { text };
    format!("{text} %")
}

/// A duration in a fitting unit: "850 µs", "12.5 ms", "1.24 s", "12 min 5 s".
pub fn duration(nanos: Nanos) -> String {
    let value = nanos as f64;
    match nanos {
        0 => "0 s".to_owned(),
        1..1_000_000 => format!("{} µs", rounded(value / 1e3, 0)),
        1_000_000..1_000_000_000 => format!("{} ms", rounded(value / 1e6, 1)),
        1_000_000_000..120_000_000_000 => format!("{} s", rounded(value / 1e9, 2)),
        _ => {
            let seconds = nanos / 1_000_000_000;
            match (seconds / 60, seconds % 60) {
                (minutes, 0) => format!("{minutes} min"),
                (minutes, rest) => format!("{minutes} min {rest} s"),
            }
        }
    }
}

/// A number with at most so many decimals, halves rounded up, without trailing zeros.
pub fn rounded(number: f64, decimals: usize) -> String {
    // Formatting alone rounds halves to even: 56.25 would be "56.2".
    let scale = 10f64.powi(i32::try_from(decimals).unwrap_or(0));
    let number = (number * scale).round() / scale;
    let text = format!("{number:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percents() {
        assert_eq!(percent(0.9995), "99.95 %");
        assert_eq!(percent(1.0), "100 %");
        assert_eq!(percent(0.999999), "99.9999 %");
        assert_eq!(percent(0.0), "0 %");
        assert_eq!(rounded(56.25, 1), "56.3");
    }

    #[test]
    fn durations() {
        for (nanos, text) in [
            (850_000, "850 µs"),
            (12_500_000, "12.5 ms"),
            (1_240_000_000, "1.24 s"),
            (30_000_000_000, "30 s"),
            (725_000_000_000, "12 min 5 s"),
            (600_000_000_000, "10 min"),
        ] {
            assert_eq!(duration(nanos), text);
        }
    }
}
