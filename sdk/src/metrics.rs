//! Figures of a behavior's own, beside those of its requests. Names: at most 200 a run.

use crate::host;

/// The check by which a session is known to have lasted: see [`still_signed_in`].
pub const STILL_SIGNED_IN: &str = "still signed in";

/// For behaviors whose users sign in: whether the target still knows the session that it gave. To be told with each
/// answer that shows it, and once only for a session that is gone; reports and promises count it by this.
pub fn still_signed_in(is: bool) {
    check(STILL_SIGNED_IN, is);
}

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
