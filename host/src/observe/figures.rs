//! How figures read, wherever people see them: in reports, on the terminal and in reasons.

use std::fmt::{self, Display, Formatter};

use super::{Bound, Measure, Nanos, Outage, Relation};

const MICRO: f64 = 1e3;
const MILLI: f64 = 1e6;
const SECOND: f64 = 1e9;

/// A duration to about three digits: `78.4 ms`, `8.25 s`, `3 min 20 s`.
pub fn duration(nanos: Nanos) -> String {
    let value = nanos as f64;
    if nanos == 0 {
        return "0 s".to_owned();
    }
    if value < MICRO {
        return format!("{nanos} ns");
    }
    if value < MILLI {
        return format!("{:.0} µs", value / MICRO);
    }
    if value < 99.95 * MILLI {
        return format!("{} ms", trimmed(value / MILLI, 1));
    }
    if value < 999.5 * MILLI {
        return format!("{:.0} ms", value / MILLI);
    }
    if value < 9.995 * SECOND {
        return format!("{} s", trimmed(value / SECOND, 2));
    }
    if value < 99.95 * SECOND {
        return format!("{} s", trimmed(value / SECOND, 1));
    }
    let seconds = (value / SECOND).round() as u64;
    let (minutes, seconds) = (seconds / 60, seconds % 60);
    match (minutes / 60, minutes % 60, seconds) {
        (0, minutes, 0) => format!("{minutes} min"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, 0, _) => format!("{hours} h"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

/// A moment of the load: `2:05` or `1:02:05`.
pub fn moment(nanos: Nanos) -> String {
    let seconds = nanos / 1_000_000_000;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// A share as percent, never rounded to all or nothing.
pub fn percent(share: f64) -> String {
    if !share.is_finite() {
        return "not a number".to_owned();
    }
    let text = trimmed(share * 100.0, 3);
    if text == "100" && share < 1.0 {
        return "99.999 %".to_owned();
    }
    if text == "0" && share > 0.0 {
        return "< 0.001 %".to_owned();
    }
    format!("{text} %")
}

/// A number of things, in groups of three digits.
pub fn count(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Things a second.
pub fn rate(rate: f64) -> String {
    if rate < 100.0 { format!("{}/s", trimmed(rate, 1)) } else { format!("{}/s", count(rate.round() as u64)) }
}

/// What a phase asks for: users, or in an open one so many starts a second.
pub fn load(users: u32, starts: Option<f64>) -> String {
    match starts {
        // As it was asked for, to the last digit.
        Some(starts) if starts < 1_000.0 => format!("{starts}/s"),
        Some(starts) => rate(starts),
        None => format!("{} users", count(u64::from(users))),
    }
}

/// Thousandths of a processor.
pub fn millicores(millicores: u64) -> String {
    format!("{millicores}m")
}

/// Bytes, in powers of 1024.
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{} {}", trimmed(value, if value < 10.0 { 2 } else { 1 }), UNITS[unit])
}

/// At most so many decimals, and no zeros at their end.
fn trimmed(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

impl Display for Measure {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&match self {
            Self::Ratio(share) => percent(*share),
            Self::Duration(nanos) => duration(*nanos),
            Self::Count(things) => count(*things),
            Self::Rate(things) => rate(*things),
            Self::Millicores(cpu) => millicores(*cpu),
            Self::Bytes(memory) => bytes(*memory),
            Self::Text(text) => text.clone(),
        })
    }
}

impl Display for Bound {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let relation = match self.relation {
            Relation::AtMost => "at most ",
            Relation::AtLeast => "at least ",
            Relation::Exactly => "exactly ",
        };
        write!(f, "{relation}{}", self.measure)
    }
}

impl Display for Outage {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSeen => f.write_str("no outage seen"),
            Self::Ended(after) => f.write_str(&duration(*after)),
            Self::NotEnded(after) => write!(f, ">= {}, not recovered", duration(*after)),
            Self::Unknown => f.write_str("unknown: too few samples"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_asks_for_users_or_for_starts() {
        assert_eq!(load(1_500, None), "1,500 users");
        assert_eq!(
            [0.05, 33.3, 100.0, 2_500.0].map(|rate| load(50, Some(rate))),
            ["0.05/s", "33.3/s", "100/s", "2,500/s"]
        );
    }

    #[test]
    fn durations_have_about_three_digits() {
        let texts =
            [0, 400, 850_000, 1_000_000, 78_420_000, 99_949_999, 99_950_000, 999_400_000, 999_900_000]
                .into_iter()
                .chain([8_250_000_000, 9_996_000_000, 47_310_000_000, 100_000_000_000, 200_000_000_000])
                .chain([3_600_000_000_000, 5_460_000_000_000])
                .map(duration);
        insta::assert_snapshot!(texts.collect::<Vec<_>>().join("\n"));
    }

    #[test]
    fn percents_never_round_to_all_or_nothing() {
        let texts = [1.0, 0.999_999_9, 0.9995, 0.29, 0.5, 0.000_000_1, 0.0, f64::NAN].map(percent);
        assert_eq!(
            texts,
            ["100 %", "99.999 %", "99.95 %", "29 %", "50 %", "< 0.001 %", "0 %", "not a number"]
        );
    }

    #[test]
    fn counts_bytes_and_moments_read_well() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(
            [0, 1023, 1536, 6 << 30, 512 << 20].map(bytes),
            ["0 B", "1023 B", "1.5 KiB", "6 GiB", "512 MiB"]
        );
        assert_eq!([0, 125_000_000_000, 3_725_000_000_000].map(moment), ["0:00", "2:05", "1:02:05"]);
        assert_eq!([0.0, 12.34, 523.6].map(rate), ["0/s", "12.3/s", "524/s"]);
    }
}
