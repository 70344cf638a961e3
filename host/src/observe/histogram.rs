//! Distributions: dense while they are recorded, sparse while they are kept.
//!
//! Everything is an HDR histogram of three significant digits, so a bucket of one is a bucket of
//! all and merging is adding counts. Percentiles are always taken from merged histograms.

use std::sync::Arc;

pub use hdrhistogram::Histogram;

use super::{
    Nanos, Sparse,
    spool::{Spool, Stored},
};

/// Significant decimal digits that every histogram keeps.
pub const DIGITS: u8 = 3;

/// Binary digits that this takes: buckets are as wide as what lies below these.
const BITS: u32 = 11;

/// An empty dense histogram that grows with what it is given.
pub fn histogram() -> Histogram<u64> {
    Histogram::new(DIGITS).expect("three significant digits are within what the library allows")
}

/// The lowest value of the bucket that a value falls into: what sparse histograms name it by.
pub fn bucket(value: u64) -> u64 {
    let below = (u64::BITS - value.leading_zeros()).saturating_sub(BITS);
    value >> below << below
}

impl Sparse {
    /// The non-empty buckets of a dense histogram.
    pub fn of(histogram: &Histogram<u64>) -> Self {
        Self(
            histogram
                .iter_recorded()
                .map(|step| (bucket(step.value_iterated_to()), step.count_at_value()))
                .collect(),
        )
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many values were recorded.
    pub fn count(&self) -> u64 {
        self.0.iter().fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }

    /// Adds its counts to a dense histogram: exactly, because buckets are alike everywhere.
    pub fn add_to(&self, histogram: &mut Histogram<u64>) {
        for (value, count) in &self.0 {
            add(histogram, *value, *count);
        }
    }

    /// A dense histogram of the same counts.
    pub fn dense(&self) -> Histogram<u64> {
        let mut dense = histogram();
        self.add_to(&mut dense);
        dense
    }

    /// Adds the counts of another.
    pub fn merge(&mut self, other: &Self) {
        let (mine, theirs) = (std::mem::take(&mut self.0), &other.0);
        let mut all: Vec<(u64, u64)> = mine.into_iter().chain(theirs.iter().copied()).collect();
        all.sort_unstable_by_key(|(value, _)| *value);
        all.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 = kept.1.saturating_add(next.1);
            }
            same
        });
        self.0 = all;
    }
}

/// Adds a count to the bucket of a value.
pub(super) fn add(histogram: &mut Histogram<u64>, value: u64, count: u64) {
    // A histogram that resizes itself refuses only when its size does not fit memory's index, and
    // with three digits the whole range of 64 bits fits.
    let recorded = histogram.record_n(value, count);
    debug_assert!(recorded.is_ok(), "{recorded:?}");
}

/// The value below which `percent` of what was recorded lies; absent when nothing was.
pub fn percentile(histogram: &Histogram<u64>, percent: f64) -> Option<Nanos> {
    (!histogram.is_empty()).then(|| histogram.value_at_quantile((percent / 100.0).clamp(0.0, 1.0)))
}

/// The mean of what was recorded, to three digits; absent when nothing was.
pub fn mean(histogram: &Histogram<u64>) -> Option<Nanos> {
    (!histogram.is_empty()).then(|| histogram.mean().round() as u64)
}

/// A sparse histogram at rest, of which there is one per endpoint and second of the whole run: buckets
/// as the distance from the one before, mostly one byte, and counts likewise. All but small ones are in a
/// file, so that memory does not grow with the run.
#[derive(Debug, Clone)]
pub(super) enum Packed {
    Held(Box<[u8]>),
    Stored(Stored),
}

/// Bytes up to which a histogram is not larger than what it takes to find it in a file.
const SMALL: usize = 64;

impl Packed {
    pub(super) fn of(sparse: &Sparse, spool: &Arc<Spool>) -> Self {
        let (mut bytes, mut before) = (Vec::new(), 0);
        for (value, count) in &sparse.0 {
            let number = number(*value);
            put(&mut bytes, number - before);
            put(&mut bytes, *count);
            before = number;
        }
        if bytes.len() > SMALL
            && let Ok(stored) = spool.store(&bytes)
        {
            return Self::Stored(stored);
        }
        // Where there is no room on disk, memory has to do.
        Self::Held(bytes.into())
    }

    pub(super) fn add_to(&self, histogram: &mut Histogram<u64>) {
        let loaded;
        let mut bytes = match self {
            Self::Held(bytes) => &**bytes,
            Self::Stored(stored) => {
                loaded = stored.load();
                &loaded
            }
        };
        let mut number = 0;
        while let (Some(step), Some(count)) = (take(&mut bytes), take(&mut bytes)) {
            number += step;
            add(histogram, lowest(number), count);
        }
    }
}

/// Buckets in a row: the number of the one that a value falls into.
fn number(value: u64) -> u64 {
    let below = u64::from((u64::BITS - value.leading_zeros()).saturating_sub(BITS));
    (below << (BITS - 1)) + (value >> below)
}

/// The lowest value of the bucket with that number.
fn lowest(number: u64) -> u64 {
    let below = (number >> (BITS - 1)).saturating_sub(1);
    (number - (below << (BITS - 1))) << below
}

/// Writes a number in as many bytes as it has sevens of bits.
fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// Reads the next number; none at the end.
fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for digit in 0..10 {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << (7 * digit);
        if *byte < 0x80 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn buckets_are_numbered_in_a_row(value in (0..64_u32, any::<u64>()).prop_map(|(bits, value)| value >> bits)) {
            prop_assert_eq!(lowest(number(value)), bucket(value));
            let next = bucket(value).saturating_add(1 << (64 - bucket(value).leading_zeros()).saturating_sub(BITS));
            prop_assert!(next == u64::MAX || number(next) == number(value) + 1);
        }

        #[test]
        fn sparse_and_dense_are_the_same(values in prop::collection::vec(0u64..u64::MAX / 2, 0..200)) {
            let mut dense = histogram();
            for value in &values {
                add(&mut dense, *value, 1);
            }
            let sparse = Sparse::of(&dense);
            prop_assert_eq!(sparse.count(), values.len() as u64);
            prop_assert!(sparse.0.is_sorted());
            prop_assert_eq!(&sparse.dense(), &dense);
            let mut unpacked = histogram();
            Packed::of(&sparse, &Arc::default()).add_to(&mut unpacked);
            prop_assert_eq!(&unpacked, &dense);
        }

        #[test]
        fn merging_parts_is_recording_all(
            left in prop::collection::vec(0u64..100_000_000_000, 0..100),
            right in prop::collection::vec(0u64..100_000_000_000, 0..100),
        ) {
            let (mut all, mut first, mut second) = (histogram(), histogram(), histogram());
            for value in &left {
                add(&mut first, *value, 1);
                add(&mut all, *value, 1);
            }
            for value in &right {
                add(&mut second, *value, 1);
                add(&mut all, *value, 1);
            }
            let mut merged = Sparse::of(&first);
            merged.merge(&Sparse::of(&second));
            prop_assert_eq!(&merged, &Sparse::of(&all));
        }
    }

    #[test]
    fn only_what_is_not_small_goes_to_the_file() {
        // Two bytes a bucket: the distance from the one before, and the count.
        let packed =
            |buckets| Packed::of(&Sparse((0..buckets).map(|value| (value, 1)).collect()), &Arc::default());
        assert!(matches!(packed(32), Packed::Held(bytes) if bytes.len() == SMALL));
        assert!(matches!(packed(33), Packed::Stored(_)));
    }

    #[test]
    fn percentiles_are_within_a_thousandth() {
        let mut dense = histogram();
        for millis in 1..=1000 {
            add(&mut dense, millis * 1_000_000, 1);
        }
        let p95 = percentile(&dense, 95.0).unwrap() as f64;
        assert!((p95 / 950e6 - 1.0).abs() < 0.001, "{p95}");
        let mean = mean(&dense).unwrap() as f64;
        assert!((mean / 500.5e6 - 1.0).abs() < 0.001, "{mean}");
        assert_eq!(percentile(&histogram(), 95.0), None);
    }
}
