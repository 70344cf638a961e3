//! When tasks shall start in an open phase: a pure function of time.
//!
//! Starts are evenly spaced: the nth of a phase is when the integral of its rate reaches n, and the
//! first one comes with the phase itself. A ramp goes in a straight line from one rate to the
//! other, so that the spacing narrows or widens without a jump. All arithmetic is on integers and
//! exact, so it is the same everywhere.

use crate::{config::Ramp, observe::Nanos};

use super::schedule::length;

/// Starts a second, in millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Rate(u64);

/// The integral of a rate over nanoseconds that makes one start.
const ONE: u128 = 1_000_000 * 1_000_000_000;

/// The starts of one phase, in time that counts from the phase's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Arrivals {
    from: Rate,
    to: Rate,
    /// How long the ramp takes; zero is at once. May reach beyond the phase, and is cut then.
    ramp: Nanos,
    /// How long the phase takes.
    length: Nanos,
}

impl Rate {
    /// From starts a second. Rates of a config are above zero, and stay so however small.
    pub(super) fn of(per_second: f64) -> Self {
        // The cast saturates, and what is not a number becomes zero.
        Self(((per_second * 1e6).round() as u64).clamp(1, 1_000_000_000_000))
    }

    fn per_second(self) -> f64 {
        self.0 as f64 / 1e6
    }
}

impl Arrivals {
    pub(super) fn new(from: Rate, to: Rate, ramp: Ramp, length_of_phase: Nanos) -> Self {
        // Half of all time there is: far beyond any phase, and the products below still fit.
        let ramp = length(ramp, (to.per_second() - from.per_second()).abs()).min(Nanos::MAX / 2);
        Self { from, to, ramp, length: length_of_phase }
    }

    /// When the start with this number is, counted from 0; none if the phase ends before it.
    pub(super) fn nth(&self, number: u64) -> Option<Nanos> {
        let wanted = u128::from(number) * ONE;
        let ramped = self.until(self.ramp);
        let at = if wanted <= ramped {
            self.within_ramp(wanted)
        } else {
            // Not divided by zero: a rate has at least one part.
            let after = (wanted - ramped).div_ceil(u128::from(self.to.0.max(1)));
            u64::try_from(after).ok()?.checked_add(self.ramp)?
        };
        (at < self.length).then_some(at)
    }

    /// The rate at the phase's end.
    pub(super) fn last_rate(&self) -> Rate {
        if self.length >= self.ramp {
            return self.to;
        }
        let gone = |parts: u64| {
            let part = u128::from(parts) * u128::from(self.length) / u128::from(self.ramp);
            u64::try_from(part).unwrap_or(parts)
        };
        match self.to.0.checked_sub(self.from.0) {
            Some(rise) => Rate(self.from.0 + gone(rise)),
            None => Rate(self.from.0 - gone(self.from.0 - self.to.0)),
        }
    }

    /// The first moment of the ramp at which the integral is so large.
    fn within_ramp(&self, wanted: u128) -> Nanos {
        let (mut low, mut high) = (0, self.ramp);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.until(middle) < wanted { low = middle + 1 } else { high = middle }
        }
        low
    }

    /// The integral of the rate from the phase's start to a moment of the ramp, rounded down.
    fn until(&self, at: Nanos) -> u128 {
        let at = u128::from(at.min(self.ramp));
        let even = u128::from(self.from.0) * at;
        let bent = u128::from(self.from.0.abs_diff(self.to.0));
        let twice = 2 * u128::from(self.ramp);
        if bent == 0 || twice == 0 {
            return even;
        }
        // bent × at² ÷ (2 × ramp), in two steps: the whole product would not fit.
        let (whole, rest) = (bent * at / twice, bent * at % twice);
        if self.to > self.from {
            even + whole * at + rest * at / twice
        } else {
            even - whole * at - (rest * at).div_ceil(twice)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    const MS: Nanos = 1_000_000;
    const SECOND: Nanos = 1_000 * MS;

    fn arrivals(from: f64, to: f64, ramp: Nanos, length: Nanos) -> Arrivals {
        let from = if from == 0.0 { Rate::default() } else { Rate::of(from) };
        Arrivals::new(from, Rate::of(to), Ramp::Over(Duration::from_nanos(ramp)), length)
    }

    fn all(arrivals: &Arrivals) -> Vec<Nanos> {
        (0..).map_while(|number| arrivals.nth(number)).collect()
    }

    #[test]
    fn a_steady_rate_is_evenly_spaced() {
        let starts = all(&arrivals(100.0, 100.0, 0, SECOND));
        assert_eq!(starts.len(), 100);
        assert!(starts.iter().enumerate().all(|(number, at)| *at == number as u64 * 10 * MS));
        // A third of a second has no end in decimals: rounded up, and never adding up.
        let starts = all(&arrivals(3.0, 3.0, 0, 4 * SECOND));
        assert_eq!(starts.len(), 12);
        assert_eq!(starts[..4], [0, 333_333_334, 666_666_667, SECOND]);
        assert_eq!(all(&arrivals(0.5, 0.5, 0, 5 * SECOND)), [0, 2 * SECOND, 4 * SECOND]);
    }

    #[test]
    fn a_ramp_is_a_straight_line() {
        // From nothing to 10/s in 10 s, the integral is t²/2: the nth start is at √(2n).
        let rise = arrivals(0.0, 10.0, 10 * SECOND, 20 * SECOND);
        assert_eq!([0, 2, 8, 18, 32, 50].map(|n| rise.nth(n)), [0, 2, 4, 6, 8, 10].map(|s| Some(s * SECOND)));
        assert_eq!(rise.nth(1), Some(1_414_213_563));
        assert_eq!(rise.nth(51), Some(10 * SECOND + 100 * MS));
        assert_eq!(all(&rise).len(), 150);
        // From 10/s to 5/s in 4 s it is 10t - 5t²/8: 30 at its end, 17.5 halfway.
        let fall = arrivals(10.0, 5.0, 4 * SECOND, 6 * SECOND);
        assert_eq!([30, 31].map(|n| fall.nth(n)), [Some(4 * SECOND), Some(4 * SECOND + 200 * MS)]);
        assert!(fall.nth(17) < Some(2 * SECOND) && fall.nth(18) > Some(2 * SECOND));
        assert_eq!(all(&fall).len(), 40);
    }

    #[test]
    fn a_ramp_by_its_own_rate_lasts_as_long_as_the_difference_takes() {
        let rise = Arrivals::new(Rate::of(10.0), Rate::of(30.0), Ramp::Rate(5.0), 10 * SECOND);
        assert_eq!(rise.ramp, 4 * SECOND);
    }

    #[test]
    fn a_ramp_that_is_cut_hands_over_the_rate_it_reached() {
        assert_eq!(arrivals(0.0, 10.0, 10 * SECOND, 5 * SECOND).last_rate(), Rate::of(5.0));
        assert_eq!(arrivals(10.0, 2.0, 8 * SECOND, 4 * SECOND).last_rate(), Rate::of(6.0));
        assert_eq!(arrivals(1.0, 2.0, 0, SECOND).last_rate(), Rate::of(2.0));
    }

    #[test]
    fn the_extremes_do_not_overflow() {
        let month = 30 * 24 * 3600 * SECOND;
        let rise = arrivals(0.0, 1e6, month, month);
        assert_eq!(rise.nth(30 * 24 * 3600 * 500_000 - 1).map(|at| at > month - SECOND), Some(true));
        assert_eq!(rise.nth(u64::MAX), None);
        let fall = arrivals(1e6, 1e-6, month, u64::MAX);
        assert!(fall.nth(30 * 24 * 3600 * 499_999).is_some());
        assert_eq!(fall.nth(u64::MAX), None);
        assert_eq!(all(&arrivals(f64::NAN, f64::NAN, 0, SECOND)), [0]);
    }

    proptest! {
        #[test]
        fn every_start_is_where_the_integral_reaches_its_number(
            from in 0.0f64..500.0, to in 0.001f64..500.0, ramp in 0u64..5_000, length in 1u64..8_000,
        ) {
            let (ramp, length) = (ramp * MS, length * MS);
            let arrivals = arrivals(from, to, ramp, length);
            let starts = all(&arrivals);
            prop_assert_eq!(starts[0], 0);
            prop_assert!(starts.windows(2).all(|pair| pair[0] < pair[1]));
            let integral = |at: Nanos| {
                let (t, r) = (at as f64 / 1e9, ramp as f64 / 1e9);
                let bent = t.min(r);
                let ramped = if r > 0.0 { from * bent + (to - from) * bent * bent / (2.0 * r) } else { 0.0 };
                ramped + (t - bent) * to
            };
            for (number, at) in starts.iter().enumerate() {
                // Rates are rounded to millionths, and moments up to the next nanosecond.
                prop_assert!((integral(*at) - number as f64).abs() < 1e-4, "{number} at {at}");
            }
            prop_assert!(integral(length) <= starts.len() as f64 + 1e-4);
        }
    }
}
