//! Which behavior each virtual user has.
//!
//! Users stand in a row, and the behavior at a place of the row never changes: growing adds at the
//! end and shrinking takes from the end, so no user has to be replaced only to keep the shares.
//! Every beginning of the row comes as close to the shares as whole users allow: with `k` behaviors,
//! each one's count differs from its exact share by at most `1 - 1/(2k - 2)`, hence is exact
//! wherever the shares come out whole. This is Tijdeman's answer to the chairman assignment
//! problem (1980); the largest remainder, place by place, would not be stable, because there a
//! larger row can give a behavior fewer users.

/// The row of users.
#[derive(Debug, Clone)]
pub struct Shares {
    /// In the order of the config, and their sum.
    weights: Vec<u128>,
    total: u128,
    given: Vec<u128>,
    /// Behavior by place, as far as anyone asked.
    row: Vec<usize>,
}

/// Parts of a percent that shares are counted in.
const PARTS: f64 = 1e6;

impl Shares {
    /// From percentages, or any other weights. If none is positive, all are alike.
    pub fn new(percentages: impl IntoIterator<Item = f64>) -> Self {
        // What is not a number becomes zero; the clamp keeps all products below far from the end.
        let mut weights: Vec<u128> = percentages
            .into_iter()
            .map(|share| u128::from((share.clamp(0.0, 1e6) * PARTS).round() as u64))
            .collect();
        if weights.iter().all(|weight| *weight == 0) {
            weights.fill(1);
        }
        let total = weights.iter().sum();
        Self { given: vec![0; weights.len()], weights, total, row: Vec::new() }
    }

    /// The behavior of the user at a place; none if there are no behaviors.
    pub fn behavior(&mut self, place: usize) -> Option<usize> {
        while self.row.len() <= place {
            let next = self.deal()?;
            self.row.push(next);
        }
        self.row.get(place).copied()
    }

    /// The behavior at the next place, for a row that is walked along once: nothing is remembered
    /// of it. Not to be mixed with asking for places.
    pub fn deal(&mut self) -> Option<usize> {
        let next = self.next()?;
        self.given[next] += 1;
        Some(next)
    }

    /// Among those that the next place would not bring too far ahead of their share, the one that
    /// would soonest fall too far behind.
    fn next(&self) -> Option<usize> {
        let places = self.given.iter().sum::<u128>() + 1;
        // Everything is multiplied by `slack`, and shares by `total`, to stay with whole numbers.
        let slack = (2 * self.weights.len() as u128).saturating_sub(2).max(1);
        let owed = |index: usize| self.weights[index] * places * slack;
        let had = |index: usize| self.given[index] * self.total * slack;
        let behaviors = (0..self.weights.len()).filter(|index| self.weights[*index] > 0);
        let eligible = behaviors.filter(|index| owed(*index) >= had(*index) + self.total);
        // Time left until it falls behind, as a fraction: (1 - 1/slack - debt) / weight.
        let left = |index: usize| (self.total * (slack - 1) + had(index)) as i128 - owed(index) as i128;
        let sooner = |a: &usize, b: &usize| {
            let (a, b) = (*a, *b);
            (left(a) * self.weights[b] as i128).cmp(&(left(b) * self.weights[a] as i128))
        };
        // A behavior alone has no slack to spare and is never eligible by the rule above.
        eligible.min_by(sooner).or_else(|| (0..self.weights.len()).find(|index| self.weights[*index] > 0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn counts(shares: &[f64], users: usize) -> Vec<usize> {
        let mut row = Shares::new(shares.iter().copied());
        let mut counts = vec![0; shares.len()];
        for place in 0..users {
            counts[row.behavior(place).expect("there are behaviors")] += 1;
        }
        counts
    }

    #[test]
    fn whole_shares_come_out_whole() {
        assert_eq!(counts(&[95.0, 5.0], 20), [19, 1]);
        assert_eq!(counts(&[95.0, 5.0], 100), [95, 5]);
        assert_eq!(counts(&[50.0, 30.0, 20.0], 10), [5, 3, 2]);
        assert_eq!(counts(&[100.0], 3), [3]);
        assert_eq!(counts(&[0.0, 100.0], 3), [0, 3]);
        assert_eq!(counts(&[0.0, 0.0], 4), [2, 2]);
    }

    #[test]
    fn without_behaviors_there_is_no_row() {
        assert_eq!(Shares::new([]).behavior(0), None);
        assert_eq!(Shares::new([f64::NAN, -3.0]).behavior(0), Some(0));
    }

    proptest! {
        #[test]
        fn dealing_is_walking_along_the_row(
            weights in prop::collection::vec(0u32..100, 1..6), users in 1usize..200,
        ) {
            let mut row = Shares::new(weights.iter().map(|weight| f64::from(*weight)));
            let mut deals = row.clone();
            for place in 0..users {
                prop_assert_eq!(row.behavior(place), deals.deal());
            }
        }

        #[test]
        fn every_beginning_is_close_to_the_shares(
            weights in prop::collection::vec(1u32..100, 2..8),
            users in 1usize..300,
        ) {
            let shares: Vec<f64> = weights.iter().map(|weight| f64::from(*weight)).collect();
            let total: u32 = weights.iter().sum();
            let bound = 1.0 - 1.0 / (2.0 * weights.len() as f64 - 2.0) + 1e-9;
            for (count, share) in counts(&shares, users).into_iter().zip(&shares) {
                let exact = share / f64::from(total) * users as f64;
                prop_assert!((count as f64 - exact).abs() <= bound.max(0.5), "{count} for {exact}");
            }
        }
    }
}
