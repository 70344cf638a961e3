//! The browser of faults: asks parts of the target how they are, and records nothing.

use std::{error::Error as StdError, io, sync::Arc, time::Duration};

use assay_bindings::{
    Headers, Response,
    imports::http::{Body, Error, Method, Request, Visited},
};
use cookie_store::{CookieStore, RawCookie};
use futures::{StreamExt, future::BoxFuture, stream};
use reqwest::{Client, header};
use rustls::{ClientConfig, RootCertStore};
use tokio::time::Instant;
use url::Url;

use super::{EXPECTED, Gate, unmet};
use crate::{
    capability::ports::Browser,
    observe::{Clock, Nanos, nanos},
};

/// Headers of an answer beyond this are a protocol error.
const LARGEST_HEADERS: usize = 64 << 10;
/// Clients differ in how long they wait for a connection; more than a few are not worth keeping.
const CLIENTS: usize = 4;

/// One fault's HTTP client, with its cookies and connections.
pub(crate) struct ControlBrowser {
    gate: Gate,
    clock: Clock,
    /// Most bytes of an answer's body.
    body: u64,
    cookies: CookieStore,
    clients: Vec<(Duration, Client)>,
}

impl ControlBrowser {
    pub(crate) fn new(gate: Gate, clock: Clock, body: u64) -> Self {
        Self { gate, clock, body, cookies: CookieStore::default(), clients: Vec::new() }
    }

    fn client(&mut self, connect_timeout: Duration) -> Result<Client, Error> {
        if let Some((_, client)) = self.clients.iter().find(|(timeout, _)| *timeout == connect_timeout) {
            return Ok(client.clone());
        }
        let client = client(connect_timeout)
            .map_err(|error| Error::Tls(format!("the HTTP client cannot be made: {error}")))?;
        self.clients.truncate(CLIENTS - 1);
        self.clients.push((connect_timeout, client.clone()));
        Ok(client)
    }

    /// Follows redirects from hop to hop; each must be granted.
    async fn fetch(&mut self, request: Request, deadline: Nanos) -> Result<Response, Error> {
        let started = self.clock.now();
        let timeout = request.timeout.unwrap_or(u64::MAX);
        let until = self.clock.instant(deadline.min(started.saturating_add(timeout)));
        let client = self.client(Duration::from_nanos(request.connect_timeout.unwrap_or(5_000_000_000)))?;
        let mut url = self.gate.resolve(&request.url).await?;
        let mut hop = Hop { method: method(request.method), headers: request.headers, body: request.body };
        for _ in 0..=request.redirects.unwrap_or(5) {
            let answer = self.hop(&client, &url, &hop, until.into()).await?;
            let Some(next) = answer.redirect(&url) else {
                let service_time = self.clock.now().saturating_sub(started);
                return Ok(Response { service_time, ..answer.0 });
            };
            self.gate.admit(&next).await?;
            hop.turn(answer.0.status, next.origin() != url.origin());
            url = next;
        }
        Err(Error::Protocol("too many redirects".to_owned()))
    }

    async fn hop(&mut self, client: &Client, url: &Url, hop: &Hop, until: Instant) -> Result<Answer, Error> {
        let mut builder = client.request(hop.method.clone(), url.clone());
        for (name, value) in &hop.headers {
            builder = builder.header(name, value);
        }
        let cookies: Vec<_> =
            self.cookies.get_request_values(url).map(|(name, value)| format!("{name}={value}")).collect();
        if !cookies.is_empty() {
            builder = builder.header(header::COOKIE, cookies.join("; "));
        }
        builder = match &hop.body {
            Body::Empty => builder,
            Body::Bytes(bytes) => builder.body(bytes.clone()),
            Body::Text(text) => {
                builder.header(header::CONTENT_TYPE, "text/plain; charset=utf-8").body(text.clone())
            }
            Body::Json(text) => builder.header(header::CONTENT_TYPE, "application/json").body(text.clone()),
            Body::Form(fields) => builder.form(fields),
        };
        let fetched = tokio::time::timeout_at(until, fetch(builder, self.body)).await;
        let response =
            fetched.unwrap_or_else(|_| Err(Error::Timeout("the answer took too long".to_owned())))?;
        let answer = Answer(response);
        for cookie in answer.cookies() {
            // A cookie that does not fit the URL is ignored, as browsers do.
            let _ = self.cookies.insert_raw(&cookie, url);
        }
        Ok(answer)
    }
}

/// What one hop sends.
struct Hop {
    method: reqwest::Method,
    headers: Vec<(String, String)>,
    body: Body,
}

impl Hop {
    /// What a browser sends next, after that status.
    fn turn(&mut self, status: u16, elsewhere: bool) {
        let keeps = matches!(status, 307 | 308);
        if !keeps && self.method != reqwest::Method::HEAD {
            self.method = reqwest::Method::GET;
            self.body = Body::Empty;
        }
        if elsewhere {
            // What was meant for one host is not for another.
            self.headers.retain(|(name, _)| {
                !["authorization", "cookie", "proxy-authorization"]
                    .iter()
                    .any(|secret| name.eq_ignore_ascii_case(secret))
            });
        }
    }
}

struct Answer(Response);

impl Answer {
    fn header<'a>(&'a self, wanted: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.headers.all(wanted).filter_map(|value| std::str::from_utf8(value).ok())
    }

    fn redirect(&self, from: &Url) -> Option<Url> {
        matches!(self.0.status, 301 | 302 | 303 | 307 | 308).then_some(())?;
        from.join(self.header("location").next()?).ok()
    }

    fn cookies(&self) -> Vec<RawCookie<'static>> {
        let cookies = self.header("set-cookie").map(str::to_owned);
        cookies.filter_map(|text| RawCookie::parse(text).ok()).collect()
    }
}

impl Browser for ControlBrowser {
    fn send<'a>(&'a mut self, request: Request, deadline: Nanos) -> BoxFuture<'a, Result<Response, Error>> {
        Box::pin(self.fetch(request, deadline))
    }

    fn visit<'a>(&'a mut self, request: Request, deadline: Nanos) -> BoxFuture<'a, Result<Visited, Error>> {
        Box::pin(async move {
            let expect = request.expect.clone();
            let answer = self.fetch(request, deadline).await?;
            let expected = unmet(&expect.unwrap_or(EXPECTED), answer.status, &answer.body).is_none();
            Ok(Visited { status: answer.status, expected })
        })
    }

    /// One after the other: a fault asks a few questions, it does not load pages. Cookies of one
    /// answer count for the next request.
    fn send_all<'a>(
        &'a mut self,
        requests: Vec<Request>,
        _connections: u32,
        deadline: Nanos,
    ) -> BoxFuture<'a, Vec<Result<Response, Error>>> {
        Box::pin(async move {
            let mut answers = Vec::with_capacity(requests.len());
            let mut requests = stream::iter(requests);
            while let Some(request) = requests.next().await {
                answers.push(self.fetch(request, deadline).await);
            }
            answers
        })
    }

    fn fail(&mut self, _sample: u64, _reason: &str) {}

    fn commit(&mut self, _sample: u64) {}

    fn commit_all(&mut self) {}

    fn cookie(&self, name: &str) -> Option<String> {
        let base = self.gate.base()?;
        let mut values = self.cookies.get_request_values(base);
        values.find(|(cookie, _)| *cookie == name).map(|(_, value)| value.to_owned())
    }

    fn set_cookie(&mut self, name: &str, value: &str) {
        let Some(base) = self.gate.base() else { return };
        if value.is_empty() {
            self.cookies.remove(base.host_str().unwrap_or_default(), "/", name);
            return;
        }
        let cookie = RawCookie::build((name.to_owned(), value.to_owned())).path("/").build();
        let _ = self.cookies.insert_raw(&cookie, base);
    }

    fn reset(&mut self) {
        self.cookies.clear();
        self.clients.clear();
    }
}

fn client(connect_timeout: Duration) -> Result<Client, Box<dyn StdError + Send + Sync>> {
    let mut roots = RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    let tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let client = Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        // The machine's proxy is not part of the target.
        .no_proxy()
        .connect_timeout(connect_timeout)
        .user_agent(concat!("assay/", env!("CARGO_PKG_VERSION")))
        .build()?;
    Ok(client)
}

async fn fetch(request: reqwest::RequestBuilder, limit: u64) -> Result<Response, Error> {
    let started = Instant::now();
    let mut response = request.send().await.map_err(|error| classify(&error))?;
    let headers: Headers =
        response.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    if headers.size() > LARGEST_HEADERS {
        return Err(Error::Protocol("the answer's headers are larger than 64 KiB".to_owned()));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| classify(&error))? {
        if (body.len() + chunk.len()) as u64 > limit {
            let limit = bytesize::ByteSize(limit);
            return Err(Error::Protocol(format!("the answer's body is larger than {limit}")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Response {
        status: response.status().as_u16(),
        url: response.url().to_string(),
        headers,
        body,
        service_time: nanos(started.elapsed()),
        sample: None,
    })
}

fn classify(error: &reqwest::Error) -> Error {
    let mut chain: Vec<&(dyn StdError + 'static)> = Vec::new();
    let mut cause = error.source();
    while let Some(inner) = cause {
        chain.push(inner);
        cause = inner.source();
    }
    let text = chain.last().map_or_else(|| error.to_string(), |cause| cause.to_string());
    let io = chain.iter().rev().find_map(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind);
    // Rustls' error is the inside of an I/O error, which is not its source.
    let is_tls = chain.iter().any(|cause| {
        cause.is::<rustls::Error>()
            || cause
                .downcast_ref::<io::Error>()
                .and_then(io::Error::get_ref)
                .is_some_and(|inner| inner.is::<rustls::Error>())
    });
    let is_name = chain.iter().any(|cause| cause.to_string().contains("dns error"));
    match io {
        _ if is_tls => Error::Tls(text),
        _ if is_name => Error::NameResolution(text),
        _ if error.is_timeout() && error.is_connect() => Error::ConnectTimeout(text),
        _ if error.is_timeout() => Error::Timeout(text),
        _ if error.is_builder() => Error::Invalid(text),
        Some(io::ErrorKind::ConnectionRefused) => Error::Refused(text),
        Some(io::ErrorKind::TimedOut) if error.is_connect() => Error::ConnectTimeout(text),
        Some(_) if error.is_connect() => Error::Refused(text),
        Some(_) => Error::Reset(text),
        None if text.contains("closed before message completed") => Error::Reset(text),
        None => Error::Protocol(text),
    }
}

fn method(method: Method) -> reqwest::Method {
    match method {
        Method::Get => reqwest::Method::GET,
        Method::Head => reqwest::Method::HEAD,
        Method::Post => reqwest::Method::POST,
        Method::Put => reqwest::Method::PUT,
        Method::Patch => reqwest::Method::PATCH,
        Method::Delete => reqwest::Method::DELETE,
        Method::Options => reqwest::Method::OPTIONS,
    }
}
