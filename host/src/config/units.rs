//! Quantities as people write them: durations, sizes, percentages, rates.
//!
//! Every parser answers with a lowercase fragment that says what is wrong; what would have been
//! right is said once, by [`example`], so that all messages about one kind of quantity agree.

use std::time::Duration;

use super::model::{Ramp, ThinkTime};

/// Longest duration that can be written: it keeps every sum of durations far from overflowing.
pub const LONGEST: Duration = Duration::from_hours(30 * 24);

/// JSON Schema formats of quantities, each with what a right value looks like. Plugins' schemas use
/// them too, for the types that the SDK has.
const FORMATS: [(&str, &str); 12] = [
    ("assay-after", "a fault and a time after its end, such as \"crash+30s\""),
    ("assay-arrival-rate", "a rate such as \"100/s\""),
    ("assay-cpu", "an amount of processor such as 3, \"1.5\" or \"1500m\""),
    ("assay-duration", "a duration such as \"10m\", \"250ms\" or \"1h30m\""),
    ("assay-duration-range", "a range of durations such as \"1s..5s\", or one duration"),
    ("assay-moment", "a phase and a time after its start, such as \"peak+5m\""),
    ("assay-name", "a name of a-z, 0-9 and `-` that begins with a letter, at most 64 long"),
    ("assay-percent", "a percentage such as \"99.9%\", or a ratio such as 0.999"),
    ("assay-ramp", "a duration such as \"60s\", or a rate such as \"50/s\""),
    ("assay-rate", "a rate such as \"500/s\""),
    ("assay-size", "a size such as \"6Gi\" or \"512Mi\""),
    ("assay-stretch", "\"whole\", \"outside-faults\", \"phase:NAME\" or \"fault:NAME\""),
];

/// The formats that are known, by name.
pub fn formats() -> impl Iterator<Item = &'static str> {
    FORMATS.iter().map(|(name, _)| *name)
}

/// What a value of this format looks like, if the host knows the format.
pub fn example(format: &str) -> Option<&'static str> {
    FORMATS.iter().find(|(name, _)| *name == format).map(|(_, example)| *example)
}

/// Checks a text against one of the formats. Those that only plugins use are left to the patterns
/// of their schemas.
pub fn check(format: &str, text: &str) -> Result<(), String> {
    match format {
        "assay-after" => after(text).map(drop),
        "assay-arrival-rate" => rate(text).map(drop),
        "assay-duration" => duration(text).map(drop),
        "assay-duration-range" => duration_range(text).map(drop),
        "assay-moment" => moment(text).map(drop),
        "assay-name" => name(text),
        "assay-percent" => percent(text).map(drop),
        "assay-ramp" => ramp(text).map(drop),
        "assay-size" => size(text).map(drop),
        _ => Ok(()),
    }
}

/// What units of time are called, in nanoseconds.
const TIME: [(&str, f64); 7] =
    [("ns", 1.0), ("us", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3600e9), ("d", 86_400e9)];

/// What units of memory are called, in bytes.
const MEMORY: [(&str, u64); 8] = [
    ("Ki", 1 << 10),
    ("Mi", 1 << 20),
    ("Gi", 1 << 30),
    ("Ti", 1 << 40),
    ("k", 1_000),
    ("M", 1_000_000),
    ("G", 1_000_000_000),
    ("T", 1_000_000_000_000),
];

/// `10m`, `250ms`, `1m30s`, `1.5h`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let mut rest = text;
    if rest.starts_with('-') {
        return Err("a duration cannot be negative".to_owned());
    }
    if rest.is_empty() {
        return Err("it is empty".to_owned());
    }
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let (number, after) = split_number(rest)?;
        let letters = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let Some((_, length)) = TIME.iter().find(|(name, _)| *name == unit) else {
            return Err(no_unit(unit, TIME.iter().map(|(name, _)| *name)));
        };
        let nanos = (number * length).round();
        if nanos > LONGEST.as_nanos() as f64 {
            return Err("a duration is at most 30d".to_owned());
        }
        total += Duration::from_nanos(nanos as u64);
        if total > LONGEST {
            return Err("a duration is at most 30d".to_owned());
        }
        rest = after;
    }
    Ok(total)
}

/// `6Gi`, `512Mi`, `1.5G`, `1024`: bytes, as Kubernetes writes them.
pub fn size(text: &str) -> Result<u64, String> {
    if text.starts_with('-') {
        return Err("a size cannot be negative".to_owned());
    }
    let (number, unit) = split_number(text)?;
    let factor = match MEMORY.iter().find(|(name, _)| *name == unit) {
        Some((_, factor)) => *factor,
        None if unit.is_empty() => 1,
        None => return Err(no_unit(unit, MEMORY.iter().map(|(name, _)| *name))),
    };
    let bytes = (number * factor as f64).round();
    // Beyond 2^53 a float no longer counts single bytes, and no machine has as many.
    if bytes > (1_u64 << 53) as f64 {
        return Err("it is larger than any machine".to_owned());
    }
    Ok(bytes as u64)
}

fn no_unit<'a>(given: &str, units: impl Iterator<Item = &'a str>) -> String {
    let units = units.collect::<Vec<_>>().join(", ");
    match given {
        "" => format!("the unit is missing; units are {units}"),
        given => format!("`{given}` is not a unit; units are {units}"),
    }
}

/// `99.9%`, or the ratio `0.999`, as 0.999. Not bounded: 125% is right in some places.
pub fn percent(text: &str) -> Result<f64, String> {
    if text.starts_with('-') {
        return Err("a percentage cannot be negative".to_owned());
    }
    let (number, rest) = split_number(text)?;
    match rest {
        // Not divided by 100: that would make 99.9 % a hair more than 999 of 1,000.
        "%" => format!("{}e-2", text.trim_end_matches('%')).parse().map_err(|_| "it is no number".to_owned()),
        "" => Ok(number),
        other => Err(format!("`{other}` is not a percent sign")),
    }
}

/// `50/s`.
pub fn rate(text: &str) -> Result<f64, String> {
    if text.starts_with('-') {
        return Err("a rate cannot be negative".to_owned());
    }
    match split_number(text)? {
        (number, "/s") if number > 0.0 && number <= 1e6 => Ok(number),
        (_, "/s") => Err("a rate is more than 0/s and at most 1000000/s".to_owned()),
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
        true => Ok(ThinkTime::Even { min, max }),
        false => Err("the first end is longer than the second".to_owned()),
    }
}

/// `peak+5m`, or `peak` for its start: a phase's name and how long after its start.
pub fn moment(text: &str) -> Result<(String, Duration), String> {
    named_and_offset(text, "phase")
}

/// `crash+30s`, or `crash` for its end: a fault's name and how long after it is over.
pub fn after(text: &str) -> Result<(String, Duration), String> {
    named_and_offset(text, "fault")
}

fn named_and_offset(text: &str, kind: &str) -> Result<(String, Duration), String> {
    let (of, offset) = match text.split_once('+') {
        Some((of, offset)) => (of, duration(offset)?),
        None => (text, Duration::ZERO),
    };
    name(of).map_err(|_| format!("`{of}` cannot be the name of a {kind}"))?;
    Ok((of.to_owned(), offset))
}

/// 1 to 64 of a-z, 0-9 and `-`, a letter first, no `-` at the end.
pub fn name(text: &str) -> Result<(), String> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let good = text.len() <= 64
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && !text.ends_with('-')
        && text.chars().all(fits);
    match good {
        true => Ok(()),
        false => Err(format!("`{text}` is not a name")),
    }
}

/// As [`duration`] reads it, to the millisecond.
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
        false => shown.concat(),
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
        assert_eq!(duration("1m30s"), duration("1.5m"));
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
            ("5", "the unit is missing; units are ns, us, ms, s, m, h, d"),
            ("5 minutes", "` minutes` is not a unit"),
            ("5min", "`min` is not a unit"),
            ("fast", "`fast` does not begin with a number"),
            ("1..5s", "`1..5s` does not begin with a number"),
            ("31d", "a duration is at most 30d"),
            ("20d20d", "a duration is at most 30d"),
            ("99999999999999999999999999999999s", "does not begin with a number"),
        ] {
            let error = duration(text).expect_err(text);
            assert!(error.contains(because), "{text}: {error}");
        }
    }

    #[test]
    fn sizes_are_as_kubernetes_writes_them() {
        assert_eq!(size("6Gi"), Ok(6 << 30));
        assert_eq!(size("1.5G"), Ok(1_500_000_000));
        assert_eq!(size("1024"), Ok(1024));
        for text in ["6 gigs", "6GiB", "9999999Ti", "-1Gi", ""] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn percentages_rates_ranges_and_moments() {
        assert_eq!(percent("99.9%"), Ok(0.999));
        assert_eq!(percent("0.5"), Ok(0.5));
        assert!(percent("99 %").is_err());
        assert_eq!(ramp("60s"), Ok(Ramp::Over(Duration::from_mins(1))));
        assert_eq!(ramp("50/s"), Ok(Ramp::Rate(50.0)));
        for text in ["0/s", "-1/s", "50/m", "/s", "50"] {
            assert!(ramp(text).is_err(), "{text}");
        }
        let think = duration_range("1s..5s").expect("parses");
        assert_eq!(think, ThinkTime::Even { min: Duration::from_secs(1), max: Duration::from_secs(5) });
        assert!(duration_range("5s..1s").is_err());
        assert_eq!(moment("peak+5m"), Ok(("peak".to_owned(), Duration::from_mins(5))));
        assert_eq!(moment("peak"), Ok(("peak".to_owned(), Duration::ZERO)));
        assert!(moment("Peak+5m").is_err());
        assert_eq!(after("crash+30s"), Ok(("crash".to_owned(), Duration::from_secs(30))));
        assert_eq!(after("crash#1"), Err("`crash#1` cannot be the name of a fault".to_owned()));
    }

    #[test]
    fn shown_durations_are_read_back() {
        for text in ["0s", "250ms", "1m30s", "2h", "1h1m1s1ms"] {
            assert_eq!(show_duration(duration(text).expect(text)), text);
        }
    }
}
