//! The fake's HTTP.

use std::collections::BTreeMap;

use super::script::Script;
use super::{FakeHost, record, with};
use crate::bindings::imports::http::{Body, Request, Visited};
use crate::clock::Nanos;
use crate::http::Error;

/// A scripted answer.
#[derive(Clone, Debug)]
pub struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Answer {
    /// An answer without headers.
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Answer {
        Answer { status, headers: Vec::new(), body: body.into() }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Answer {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

#[derive(Default)]
pub(super) struct World {
    answers: Script<Result<Answer, Error>>,
    cookies: BTreeMap<String, String>,
    bodies: Vec<String>,
}

impl FakeHost {
    /// Adds an answer to a method and URL: absolute, or a path. A request's query is looked at only
    /// if an answer was scripted with it. Several answers come in order, the last again and again.
    pub fn http(&self, method: &str, url: &str, status: u16, body: impl Into<Vec<u8>>) {
        self.http_answer(method, url, Ok(Answer::new(status, body)));
    }

    /// As [`FakeHost::http`], with headers, or with an error instead of an answer.
    pub fn http_answer(&self, method: &str, url: &str, answer: Result<Answer, Error>) {
        with(|world| world.http.answers.add(format!("{method} {url}"), answer));
    }

    /// Replaces all answers to a method and URL.
    pub fn http_now(&self, method: &str, url: &str, answer: Result<Answer, Error>) {
        with(|world| world.http.answers.set(format!("{method} {url}"), answer));
    }

    /// The bodies of all requests so far, forms as `key=value&key=value` without encoding.
    pub fn bodies(&self) -> Vec<String> {
        with(|world| world.http.bodies.clone())
    }
}

#[derive(Debug)]
pub(crate) struct Response {
    url: String,
    answer: Answer,
}

impl Response {
    pub(crate) fn status(&self) -> u16 {
        self.answer.status
    }

    pub(crate) fn url(&self) -> String {
        self.url.clone()
    }

    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let headers = &self.answer.headers;
        headers.iter().find(|(each, _)| each.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone())
    }

    pub(crate) fn body(&self) -> Vec<u8> {
        self.answer.body.clone()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.answer.body).into_owned()
    }

    pub(crate) fn capture(&self, pattern: &str) -> Option<String> {
        let text = self.text();
        let found = regex::Regex::new(pattern).ok()?.captures(&text)?;
        found.get(1).or_else(|| found.get(0)).map(|group| group.as_str().to_owned())
    }

    pub(crate) fn fail(&self, reason: &str) {
        record(format!("http.fail {}: {reason}", self.url));
    }

    pub(crate) fn service_time(&self) -> Nanos {
        1_000_000
    }
}

pub(crate) fn send(request: &Request) -> Result<Response, Error> {
    let method = request.method.name();
    record(format!("http {method} {}", request.url));
    with(|world| {
        world.http.bodies.push(body_text(&request.body));
        let path = request.url.split(['?', '#']).next().unwrap_or_default();
        let answers = &mut world.http.answers;
        answers
            .answer(&format!("{method} {}", request.url))
            .or_else(|| answers.answer(&format!("{method} {path}")))
            .unwrap_or_else(|| Err(Error::Refused(format!("nothing is scripted for {method} {path}"))))
            .map(|answer| Response { url: request.url.clone(), answer })
    })
}

pub(crate) fn visit(request: &Request) -> Result<Visited, Error> {
    let answer = send(request)?;
    let ((low, high), text) = request.expectation();
    let status = answer.status();
    let expected = (low..=high).contains(&status) && text.is_none_or(|text| answer.text().contains(text));
    Ok(Visited { status, expected })
}

pub(crate) fn send_all(requests: &[Request], _connections: u32) -> Vec<Result<Response, Error>> {
    requests.iter().map(send).collect()
}

pub(crate) fn cookie(name: &str) -> Option<String> {
    with(|world| world.http.cookies.get(name).cloned())
}

pub(crate) fn set_cookie(name: &str, value: &str) {
    with(|world| match value {
        "" => world.http.cookies.remove(name),
        value => world.http.cookies.insert(name.to_owned(), value.to_owned()),
    });
}

pub(crate) fn reset() {
    record("http.reset");
    with(|world| world.http.cookies.clear());
}

fn body_text(body: &Body) -> String {
    match body {
        Body::Empty => String::new(),
        Body::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Body::Text(text) | Body::Json(text) => text.clone(),
        Body::Form(fields) => {
            let pairs: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
            pairs.join("&")
        }
    }
}
