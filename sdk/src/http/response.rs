//! Answers.

use std::fmt;
use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::bindings::imports::http as raw;
use crate::failure::{Failure, Result};
use crate::host;

/// An answer, its body read to the end. Its sample is committed when this is dropped, so that
/// [`fail`](Response::fail) can still turn it into a failure.
pub struct Response {
    raw: host::http::Response,
    /// What was asked for, kept to tell whether it came.
    request: raw::Request,
}

impl Response {
    pub(super) fn new(raw: host::http::Response, request: raw::Request) -> Response {
        // What was sent is of no use any more.
        Response { raw, request: raw::Request { body: raw::Body::Empty, ..request } }
    }

    /// The status code, after redirects.
    pub fn status(&self) -> u16 {
        self.raw.status()
    }

    /// The URL, after redirects.
    pub fn url(&self) -> String {
        self.raw.url()
    }

    /// First value of a header, case-insensitive; bytes that are not UTF-8 are replaced.
    pub fn header(&self, name: &str) -> Option<String> {
        self.raw.header(name)
    }

    /// The body.
    pub fn body(&self) -> Vec<u8> {
        self.raw.body()
    }

    /// The body as UTF-8, other bytes replaced.
    pub fn text(&self) -> String {
        self.raw.text()
    }

    /// The body's JSON as a value. One that does not fit also marks the sample as failed.
    ///
    /// # Errors
    ///
    /// `invalid` if it is no JSON or does not fit.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.body()).map_err(|error| {
            self.raw.fail("unexpected JSON");
            Failure::Invalid(format!("{}: {error}", self.request.label()))
        })
    }

    /// First match of a regular expression in the body: group 1 if there is one, else the whole
    /// match. The host runs it, so that a plugin needs no engine. A bad expression, or one over
    /// 1 KiB, matches nothing, with a finding.
    pub fn capture(&self, pattern: &str) -> Option<String> {
        self.raw.capture(pattern)
    }

    /// Marks the sample as failed (class `check`), whatever the status was, and makes the failure to
    /// answer from the task: `return Err(page.fail("the cart is empty"))`. The first reason stays.
    pub fn fail(&self, reason: &str) -> Failure {
        self.raw.fail(reason);
        Failure::Other(format!("{}: {reason}", self.request.label()))
    }

    /// Goes on if this holds, else [`fail`](Response::fail)s.
    ///
    /// # Errors
    ///
    /// If it does not hold.
    pub fn check(&self, holds: bool, reason: &str) -> Result<()> {
        if holds { Ok(()) } else { Err(self.fail(reason)) }
    }

    /// Is it what the request expected, by default a status from 200 to 399?
    pub fn is_expected(&self) -> bool {
        let ((low, high), text) = self.request.expectation();
        (low..=high).contains(&self.status()) && text.is_none_or(|text| self.text().contains(text))
    }

    /// The answer itself if it [is expected](Response::is_expected).
    ///
    /// # Errors
    ///
    /// If it is not, so that `?` ends the task. The sample is a failure in any case.
    pub fn expected(self) -> Result<Response> {
        if self.is_expected() {
            return Ok(self);
        }
        Err(self.request.unmet(self.status()))
    }

    /// From sending to the last byte.
    pub fn service_time(&self) -> Duration {
        Duration::from_nanos(self.raw.service_time())
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Response({} {})", self.request.label(), self.status())
    }
}
