//! Numbers as people write them.

/// A number without a fraction that is not there: `3`, `2.5`, `99.9`. At most six decimals.
pub(crate) fn plain(number: f64) -> String {
    let text = format!("{number:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Splits a text into its number and what follows: `"1.5Gi"` into 1.5 and `"Gi"`. Nothing if it does not
/// begin with a digit.
pub(super) fn split(text: &str) -> Option<(f64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    Some((digits.parse().ok()?, rest))
}

/// A number of things, rounded; nothing if it is negative or not finite, or does not fit.
pub(super) fn whole(number: f64) -> Option<u64> {
    (number.is_finite() && (0.0..1.8e19).contains(&number)).then(|| number.round() as u64)
}
