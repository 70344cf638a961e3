//! Figures of a behavior's own, beside those of its requests. Names: at most 200 a run.

use crate::host;

/// Counts a yes-or-no observation by name.
pub fn check(name: &str, passed: bool) {
    host::metrics::check(name, passed);
}

/// Adds to a counter. Not-a-number and infinite values are ignored, with a finding.
pub fn count(name: &str, amount: f64) {
    host::metrics::count(name, amount);
}

/// Records a value into a distribution: 0 to 10^12, three significant digits.
pub fn trend(name: &str, value: f64) {
    host::metrics::trend(name, value);
}
