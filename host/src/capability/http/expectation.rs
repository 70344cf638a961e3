//! What counts as a success.

use assay_bindings::imports::http::Expectation;

/// What is expected of a request's answer unless it says otherwise.
pub(crate) const EXPECTED: Expectation = Expectation { status: (200, 399), body_contains: None };

/// What an answer lacks of what was expected.
pub(crate) fn unmet(expect: &Expectation, status: u16, body: &[u8]) -> Option<String> {
    let (from, to) = expect.status;
    if !(from..=to).contains(&status) {
        return Some(format!("status {status} is not from {from} to {to}"));
    }
    let wanted = expect.body_contains.as_deref()?;
    (!String::from_utf8_lossy(body).contains(wanted)).then(|| format!("the body does not hold `{wanted}`"))
}
