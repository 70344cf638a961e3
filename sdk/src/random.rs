//! Randomness from the run's seed: the same seed gives each instance the same stream, so a run can
//! be repeated.

use std::ops::Range;

use crate::host;

/// Any of the 2^64 numbers, each as likely as the others.
pub fn next() -> u64 {
    host::random::next()
}

/// Random bytes, at most 65,536 of them; more is cut to that.
pub fn bytes(count: u32) -> Vec<u8> {
    host::random::bytes(count)
}

/// A number of a range, its end excluded. An empty range answers its start.
pub fn range(range: Range<u64>) -> u64 {
    let width = range.end.saturating_sub(range.start);
    if width == 0 {
        return range.start;
    }
    // The high half of the product is uniform but for a bias below width / 2^64.
    let product = u128::from(next()) * u128::from(width);
    range.start + (product >> 64) as u64
}

/// A number from 0.0 up to but without 1.0.
pub fn fraction() -> f64 {
    (next() >> 11) as f64 / (1u64 << 53) as f64
}

/// True with this probability, 0.0 to 1.0.
pub fn chance(probability: f64) -> bool {
    fraction() < probability
}

/// One of several, each as likely as the others; none if there are none.
pub fn choose<T>(items: &[T]) -> Option<&T> {
    items.get(index(items.len()))
}

/// A position in something of this length; 0 if it is empty.
pub fn index(length: usize) -> usize {
    range(0..length as u64) as usize
}

/// Lower-case letters and digits, for names that should not meet again.
pub fn text(length: usize) -> String {
    const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    (0..length).map(|_| char::from(ALPHABET[index(ALPHABET.len())])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::FakeHost;

    #[test]
    fn stays_inside_its_bounds() {
        let _host = FakeHost::start();
        for _ in 0..1000 {
            assert!((10..13).contains(&range(10..13)));
            assert!((0.0..1.0).contains(&fraction()));
        }
        assert_eq!(range(7..7), 7);
        assert_eq!(choose::<u8>(&[]), None);
        assert!(["a", "b"].contains(choose(&["a", "b"]).expect("one of two")));
        assert_eq!(text(12).len(), 12);
        assert!(!chance(0.0));
        assert!(chance(1.0));
    }
}
