//! Quantities as people write them: durations, sizes, percentages, rates.
//!
//! Every parser answers with a lowercase fragment that says what is wrong; what would have been
//! right is said once, by [`example`], so that all messages about one kind of quantity agree.

use std::time::Duration;

use super::model::{Ramp, ThinkTime};

/// Longest duration that can be written: it keeps every sum of durations far from overflowing.
pub const LONGEST: Duration = Duration::from_hours(30 * 24);

/// JSON Schema formats that the host knows beyond the standard ones, each with what a right value
/// looks like.
const FORMATS: [(&str, &str); 8] = [
    ("duration", "a duration such as \"10m\", \"1m 30s\" or \"250ms\""),
    ("size", "a size such as \"6Gi\" or \"512Mi\""),
    ("percentage", "a percentage such as \"99.9%\""),
    ("rate", "a rate such as \"50/s\""),
    ("ramp", "a duration such as \"60s\", or a rate such as \"50/s\""),
    ("duration-range", "a range of durations such as \"1s..5s\", or one duration"),
    ("moment", "a phase and a time after its start, such as \"peak+5m\""),
    ("kebab-name", "a name of a-z, 0-9 and `-` that begins with a letter, at most 64 long"),
];

/// The formats that are checked, by name.
pub fn formats() -> impl Iterator<Item = &'static str> {
    FORMATS.iter().map(|(name, _)| *name)
}

/// What a value of this format looks like, if the host knows the format.
pub fn example(format: &str) -> Option<&'static str> {
    FORMATS.iter().find(|(name, _)| *name == format).map(|(_, example)| *example)
}

/// Checks a text against one of the host's formats; a format that it does not know fits everything.
pub fn check(format: &str, text: &str) -> Result<(), String> {
    match format {
        "duration" => duration(text).map(drop),
        "size" => size(text).map(drop),
        "percentage" => percentage(text).map(drop),
        "rate" => rate(text).map(drop),
        "ramp" => ramp(text).map(drop),
        "duration-range" => duration_range(text).map(drop),
        "moment" => moment(text).map(drop),
        "kebab-name" => kebab_name(text),
        _ => Ok(()),
    }
}

/// `10m`, `250ms`, `1m 30s`, `1.5h`; units are ms, s, m, h and d.
pub fn duration(text: &str) -> Result<Duration, String> {
    let mut rest = text.trim();
    if rest.starts_with('-') {
        return Err("a duration cannot be negative".to_owned());
    }
    if rest.is_empty() {
        return Err("it is empty".to_owned());
    }
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let (number, after) = split_number(rest)?;
        let letters = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let seconds = match unit {
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            "d" => 86400.0,
            "" => return Err("the unit is missing; units are ms, s, m, h and d".to_owned()),
            other => return Err(format!("`{other}` is not a unit; units are ms, s, m, h and d")),
        };
        let too_long = || "a duration is at most 30d".to_owned();
        // Rounded to microseconds: a binary fraction would show as 299.999999999s.
        let micros = (number * seconds * 1e6).round();
        if micros > LONGEST.as_micros() as f64 {
            return Err(too_long());
        }
        total += Duration::from_micros(micros as u64);
        if total > LONGEST {
            return Err(too_long());
        }
        rest = after.trim_start();
    }
    Ok(total)
}

/// `6Gi`, `512Mi`, `1.5G`, `1024`: bytes, as Kubernetes writes them; a final `B` is allowed.
pub fn size(text: &str) -> Result<u64, String> {
    let text = text.trim();
    if text.starts_with('-') {
        return Err("a size cannot be negative".to_owned());
    }
    let (number, unit) = split_number(text)?;
    let factor = match unit.trim().trim_end_matches('B') {
        "" => 1_u64,
        "k" | "K" => 1_000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        "T" => 1_000_000_000_000,
        "Ki" => 1 << 10,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        "Ti" => 1 << 40,
        other => return Err(format!("`{other}` is not a unit; units are Ki, Mi, Gi, Ti, k, M, G and T")),
    };
    let bytes = (number * factor as f64).round();
    // Beyond 2^53 a float no longer counts single bytes, and no machine has as many.
    if bytes > (1_u64 << 53) as f64 {
        return Err("it is larger than any machine".to_owned());
    }
    Ok(bytes as u64)
}

/// `99.9%` as 0.999.
pub fn percentage(text: &str) -> Result<f64, String> {
    let text = text.trim();
    if text.starts_with('-') {
        return Err("a percentage cannot be negative".to_owned());
    }
    let (number, rest) = split_number(text)?;
    match rest.trim() {
        "%" if number <= 100.0 => Ok(number / 100.0),
        "%" => Err("a percentage is at most 100%".to_owned()),
        _ => Err("the percent sign is missing".to_owned()),
    }
}

/// `50/s`.
pub fn rate(text: &str) -> Result<f64, String> {
    let text = text.trim();
    if text.starts_with('-') {
        return Err("a rate cannot be negative".to_owned());
    }
    let (number, rest) = split_number(text)?;
    match rest.trim() {
        "/s" if number > 0.0 && number <= 1e6 => Ok(number),
        "/s" => Err("a rate is more than 0/s and at most 1000000/s".to_owned()),
        _ => Err("a rate is a number followed by /s".to_owned()),
    }
}

/// A duration, or a rate.
pub fn ramp(text: &str) -> Result<Ramp, String> {
    match text.contains('/') {
        true => rate(text).map(Ramp::Rate),
        false => duration(text).map(Ramp::Over),
    }
}

/// `1s..5s`, or one duration for both ends.
pub fn duration_range(text: &str) -> Result<ThinkTime, String> {
    let (min, max) = match text.split_once("..") {
        Some((min, max)) => (duration(min)?, duration(max)?),
        None => (duration(text)?, duration(text)?),
    };
    match min <= max {
        true => Ok(ThinkTime { min, max }),
        false => Err("the first end is longer than the second".to_owned()),
    }
}

/// `peak+5m`, or `peak` for its start: a phase's name and how long after its start.
pub fn moment(text: &str) -> Result<(String, Duration), String> {
    let (phase, offset) = match text.split_once('+') {
        Some((phase, offset)) => (phase.trim(), duration(offset)?),
        None => (text.trim(), Duration::ZERO),
    };
    kebab_name(phase)?;
    Ok((phase.to_owned(), offset))
}

/// 1 to 64 of a-z, 0-9 and `-`, a letter first, no `-` at the end.
pub fn kebab_name(text: &str) -> Result<(), String> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let good = text.len() <= 64
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && !text.ends_with('-')
        && text.chars().all(fits);
    match good {
        true => Ok(()),
        false => Err(format!("`{text}` is not such a name")),
    }
}

/// As [`duration`] reads it: the two largest units that are not zero.
pub fn show_duration(duration: Duration) -> String {
    let millis = duration.as_millis();
    let parts = [
        (millis / 3_600_000, "h"),
        (millis / 60_000 % 60, "m"),
        (millis / 1_000 % 60, "s"),
        (millis % 1_000, "ms"),
    ];
    let shown: Vec<_> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, unit)| format!("{count}{unit}")).collect();
    match shown.is_empty() {
        true => "0s".to_owned(),
        false => shown.join(" "),
    }
}

fn split_number(text: &str) -> Result<(f64, &str), String> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    // At most 30 digits: more can only be a slip, and no unit needs them.
    match digits.parse::<f64>() {
        Ok(number) if digits.len() <= 30 && digits.starts_with(|c: char| c.is_ascii_digit()) => {
            Ok((number, rest))
        }
        _ => Err(format!("`{text}` does not begin with a number")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_add_up_their_parts() {
        assert_eq!(duration("10m"), Ok(Duration::from_mins(10)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("1m 30s"), duration("1.5m"));
        assert_eq!(duration("1h30m"), duration("90m"));
        assert_eq!(duration("0.1s"), Ok(Duration::from_millis(100)));
        assert_eq!(duration("0s"), Ok(Duration::ZERO));
        assert_eq!(duration("30d"), Ok(LONGEST));
    }

    #[test]
    fn wrong_durations_say_why() {
        for (text, because) in [
            ("", "it is empty"),
            ("-5m", "a duration cannot be negative"),
            ("5", "the unit is missing; units are ms, s, m, h and d"),
            ("5 minutes", "the unit is missing; units are ms, s, m, h and d"),
            ("5min", "`min` is not a unit; units are ms, s, m, h and d"),
            ("fast", "`fast` does not begin with a number"),
            ("1..5s", "`1..5s` does not begin with a number"),
            ("31d", "a duration is at most 30d"),
            ("20d 20d", "a duration is at most 30d"),
            ("99999999999999999999999999999999s", "does not begin with a number"),
        ] {
            let error = duration(text).expect_err(text);
            assert!(error.contains(because), "{text}: {error}");
        }
    }

    #[test]
    fn sizes_are_as_kubernetes_writes_them() {
        assert_eq!(size("6Gi"), Ok(6 << 30));
        assert_eq!(size("512MiB"), Ok(512 << 20));
        assert_eq!(size("1.5G"), Ok(1_500_000_000));
        assert_eq!(size("1024"), Ok(1024));
        assert!(size("6 gigs").is_err());
        assert!(size("9999999Ti").is_err());
        assert!(size("-1Gi").is_err());
    }

    #[test]
    fn percentages_rates_ranges_and_moments() {
        assert_eq!(percentage("99.9%"), Ok(99.9 / 100.0));
        assert!(percentage("101%").is_err());
        assert!(percentage("99").is_err());
        assert_eq!(rate("50/s"), Ok(50.0));
        assert!(rate("0/s").is_err());
        assert_eq!(ramp("60s"), Ok(Ramp::Over(Duration::from_mins(1))));
        assert_eq!(ramp("50/s"), Ok(Ramp::Rate(50.0)));
        let think = duration_range("1s..5s").expect("parses");
        assert_eq!((think.min, think.max), (Duration::from_secs(1), Duration::from_secs(5)));
        assert!(duration_range("5s..1s").is_err());
        assert_eq!(moment("peak+5m"), Ok(("peak".to_owned(), Duration::from_mins(5))));
        assert_eq!(moment("peak"), Ok(("peak".to_owned(), Duration::ZERO)));
        assert!(moment("Peak+5m").is_err());
    }

    #[test]
    fn shown_durations_are_read_back() {
        for text in ["0s", "250ms", "1m 30s", "2h", "1h 1m 1s 1ms"] {
            assert_eq!(show_duration(duration(text).expect(text)), text);
        }
    }
}
