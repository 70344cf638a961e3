//! Requests, built step by step.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde::Serialize;

use super::{Error, Method, Response};
use crate::bindings::imports::http as raw;
use crate::clock::nanos;
use crate::failure::Failure;
use crate::host;

/// A request on its way to being sent.
#[derive(Debug)]
#[must_use = "a request does nothing until it is sent"]
pub struct Request {
    raw: raw::Request,
    /// What already went wrong while building; answered by `send`.
    error: Option<Error>,
}

impl Method {
    /// As it is sent: `GET`.
    pub fn name(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
            Method::Options => "OPTIONS",
        }
    }
}

impl raw::Request {
    /// What messages call it: the sample's name.
    pub(super) fn label(&self) -> String {
        let path = self.url.split(['?', '#']).next().unwrap_or_default();
        self.name.clone().unwrap_or_else(|| format!("{} {path}", self.method.name()))
    }

    /// The statuses, and the text in the body, that are expected of the answer.
    pub(crate) fn expectation(&self) -> ((u16, u16), Option<&str>) {
        match &self.expect {
            Some(expect) => (expect.status, expect.body_contains.as_deref()),
            None => ((200, 399), None),
        }
    }

    /// Why an answer with this status is not what was expected.
    pub(super) fn unmet(&self, status: u16) -> Failure {
        let label = self.label();
        let ((low, high), text) = self.expectation();
        Failure::Other(match text {
            Some(text) if (low..=high).contains(&status) => {
                format!("{label} answered {status} without the text `{text}`")
            }
            _ => format!("{label} answered {status}, expected {low} to {high}"),
        })
    }
}

/// Reads.
pub fn get(url: impl Into<String>) -> Request {
    Request::new(Method::Get, url)
}

/// Reads the headers alone.
pub fn head(url: impl Into<String>) -> Request {
    Request::new(Method::Head, url)
}

/// Writes.
pub fn post(url: impl Into<String>) -> Request {
    Request::new(Method::Post, url)
}

/// Replaces.
pub fn put(url: impl Into<String>) -> Request {
    Request::new(Method::Put, url)
}

/// Changes in part.
pub fn patch(url: impl Into<String>) -> Request {
    Request::new(Method::Patch, url)
}

/// Removes.
pub fn delete(url: impl Into<String>) -> Request {
    Request::new(Method::Delete, url)
}

impl Request {
    /// A request by any method.
    pub fn new(method: Method, url: impl Into<String>) -> Request {
        let raw = raw::Request {
            method,
            url: url.into(),
            headers: Vec::new(),
            body: raw::Body::Empty,
            name: None,
            expect: None,
            connect_timeout: None,
            timeout: None,
            redirects: None,
        };
        Request { raw, error: None }
    }

    /// Names the sample; by default it is method and path, without the query. Name requests whose
    /// paths hold ids: a run keeps at most 1,000 names.
    pub fn name(mut self, name: impl Into<String>) -> Request {
        self.raw.name = Some(name.into());
        self
    }

    /// Adds a header; a name given twice is sent twice.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Request {
        self.raw.headers.push((name.into(), value.into()));
        self
    }

    /// Sends fields as `application/x-www-form-urlencoded`; the host encodes them.
    pub fn form<K: Into<String>, V: Into<String>>(
        mut self,
        fields: impl IntoIterator<Item = (K, V)>,
    ) -> Request {
        let fields = fields.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        self.raw.body = raw::Body::Form(fields);
        self
    }

    /// Sends a value as `application/json`. One that JSON cannot hold makes `send` answer
    /// [`Error::Invalid`].
    pub fn json<T: Serialize + ?Sized>(mut self, value: &T) -> Request {
        match serde_json::to_string(value) {
            Ok(text) => self.raw.body = raw::Body::Json(text),
            Err(error) => self.error = Some(Error::Invalid(format!("the body is no JSON: {error}"))),
        }
        self
    }

    /// Sends a text as `text/plain; charset=utf-8`.
    pub fn text(mut self, text: impl Into<String>) -> Request {
        self.raw.body = raw::Body::Text(text.into());
        self
    }

    /// Sends bytes; give a `content-type` with them.
    pub fn bytes(mut self, bytes: impl Into<Vec<u8>>) -> Request {
        self.raw.body = raw::Body::Bytes(bytes.into());
        self
    }

    /// What counts as a success, by default 200 to 399. An unexpected answer is a recorded failure
    /// of class `expectation`.
    pub fn expect_status(mut self, range: RangeInclusive<u16>) -> Request {
        self.expectation().status = (*range.start(), *range.end());
        self
    }

    /// A text that the answer's body must hold, else the sample is a failure.
    pub fn expect_body(mut self, text: impl Into<String>) -> Request {
        self.expectation().body_contains = Some(text.into());
        self
    }

    /// How long at most until the connection is there; by default 5 s.
    pub fn connect_timeout(mut self, duration: Duration) -> Request {
        self.raw.connect_timeout = Some(nanos(duration));
        self
    }

    /// How long at most until the answer's last byte; by default 30 s, and never beyond the calling
    /// export's deadline.
    pub fn timeout(mut self, duration: Duration) -> Request {
        self.raw.timeout = Some(nanos(duration));
        self
    }

    /// How many redirects to follow, each a sample of its own; by default 5, at most 20.
    pub fn redirects(mut self, count: u32) -> Request {
        self.raw.redirects = Some(count);
        self
    }

    /// Sends it and waits for the answer, whatever its status.
    ///
    /// # Errors
    ///
    /// When there is no answer, says why. `?` turns it into a failure of the task.
    pub fn send(self) -> Result<Response, Error> {
        let request = self.into_raw()?;
        let answer = host::http::send(&request)?;
        Ok(Response::new(answer, request))
    }

    /// Sends it, waits for the answer and lets go of it, for when nothing of it matters but that it is
    /// what the request expects, by default a status from 200 to 399:
    /// `http::get("/healthz").visit()?`. Costs less than [`send`](Request::send).
    ///
    /// # Errors
    ///
    /// If there is no answer, or not the expected one.
    pub fn visit(self) -> crate::Result<()> {
        let request = self.into_raw()?;
        let visited = host::http::visit(&request)?;
        if visited.expected { Ok(()) } else { Err(request.unmet(visited.status)) }
    }

    pub(super) fn into_raw(self) -> Result<raw::Request, Error> {
        match self.error {
            Some(error) => Err(error),
            None => Ok(self.raw),
        }
    }

    fn expectation(&mut self) -> &mut raw::Expectation {
        self.raw.expect.get_or_insert(raw::Expectation { status: (200, 399), body_contains: None })
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;
    use crate::fake::FakeHost;

    #[test]
    fn a_visit_fails_unless_the_answer_is_as_expected() {
        let host = FakeHost::start();
        host.http("GET", "/", 200, "welcome");
        host.http("GET", "/broken", 503, "sorry");
        let why = |request: Request| request.visit().expect_err("not as expected").to_string();
        get("/").expect_body("come").visit().expect("as expected");
        get("/broken").expect_status(500..=599).visit().expect("as expected");
        assert!(
            why(get("/?page=2").expect_body("bye")).contains("GET / answered 200 without the text `bye`")
        );
        assert!(why(get("/broken").name("cart")).contains("cart answered 503, expected 200 to 399"));
        assert!(why(get("/nowhere")).contains("nothing is scripted"));
    }
}
