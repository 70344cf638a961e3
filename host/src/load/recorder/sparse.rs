//! Values into sparse histograms, without a dense one in between.
//!
//! A dense HDR histogram of nanoseconds takes some 270 KiB; a second of an endpoint rarely has more
//! than a few thousand values. Sorting those and counting equal buckets gives the same histogram.

use crate::observe::{Sparse, histogram::bucket};

/// The histogram of some values.
pub(super) fn sparse(mut values: Vec<u64>) -> Sparse {
    for value in &mut values {
        *value = bucket(*value);
    }
    values.sort_unstable();
    let mut buckets: Vec<(u64, u64)> = Vec::new();
    for value in values {
        match buckets.last_mut() {
            Some((bucket, count)) if *bucket == value => *count += 1,
            _ => buckets.push((value, 1)),
        }
    }
    Sparse(buckets)
}

#[cfg(test)]
mod tests {
    use hdrhistogram::Histogram;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_what_a_dense_histogram_holds(values in prop::collection::vec(0u64..u64::MAX / 2, 0..200)) {
            let mut direct = Histogram::<u64>::new(3).expect("three digits");
            let mut through = direct.clone();
            for value in &values {
                direct.record(*value).expect("it resizes");
            }
            let sparse = sparse(values);
            prop_assert!(sparse.0.is_sorted_by(|a, b| a.0 < b.0));
            for (bucket, count) in &sparse.0 {
                through.record_n(*bucket, *count).expect("it resizes");
            }
            prop_assert_eq!(direct, through);
        }
    }
}
