//! A plugin's request, checked and with the contract's defaults filled in.

use std::{borrow::Cow, sync::Arc, time::Duration};

use assay_bindings::imports::http as wit;
use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Method,
    header::{
        AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, EXPECT, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
    },
};
use url::{Url, form_urlencoded};

use super::route::Route;
use crate::capability::EXPECTED;

/// Longest body that a plugin may send.
const LONGEST_BODY: usize = 1 << 20;

/// Most redirects that are followed.
const MOST_REDIRECTS: u32 = 20;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(30);
const REDIRECTS: u32 = 5;

/// What frames a message: the host's alone, because a contradiction would break the connection.
const FRAMING: [HeaderName; 6] = [CONTENT_LENGTH, TRANSFER_ENCODING, TE, TRAILER, UPGRADE, EXPECT];

/// A request that can be sent.
#[derive(Debug)]
pub(super) struct Checked {
    pub method: Method,
    pub route: Arc<Route>,
    /// The plugin's own, content type included.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    pub body: Bytes,
    pub name: Option<String>,
    pub expect: wit::Expectation,
    pub connect_timeout: Duration,
    pub timeout: Duration,
    pub redirects: u32,
}

impl Checked {
    pub(super) fn new(request: wit::Request, route: Arc<Route>) -> Result<Self, String> {
        let mut headers = Vec::with_capacity(request.headers.len());
        for (name, value) in &request.headers {
            headers.push(header(name, value)?);
        }
        let (content_type, body) = encode(request.body);
        if body.len() > LONGEST_BODY {
            return Err(format!("a body of {} bytes; at most {LONGEST_BODY} are allowed", body.len()));
        }
        if let Some(content_type) = content_type
            && !headers.iter().any(|(name, _)| *name == CONTENT_TYPE)
        {
            headers.push((CONTENT_TYPE, HeaderValue::from_static(content_type)));
        }
        let redirects = request.redirects.unwrap_or(REDIRECTS);
        if redirects > MOST_REDIRECTS {
            return Err(format!("{redirects} redirects; at most {MOST_REDIRECTS} are allowed"));
        }
        Ok(Self {
            method: method(request.method),
            route,
            headers,
            body,
            name: request.name,
            expect: request.expect.unwrap_or(EXPECTED),
            connect_timeout: request.connect_timeout.map_or(CONNECT_TIMEOUT, Duration::from_nanos),
            timeout: request.timeout.map_or(TIMEOUT, Duration::from_nanos),
            redirects,
        })
    }

    /// What the sample is called. Hops after the first go where the target says, so a name that
    /// the plugin gave keeps them together, apart from the first one.
    pub(super) fn sample_name(&self, hop: u32) -> Cow<'_, str> {
        match &self.name {
            Some(name) if hop == 0 => Cow::Borrowed(name),
            Some(name) => Cow::Owned(format!("{name} (redirected)")),
            None => self.route.name(&self.method),
        }
    }

    /// What must not follow to another host.
    pub(super) fn drop_secrets(&mut self) {
        self.headers.retain(|(name, _)| *name != AUTHORIZATION && *name != COOKIE);
    }

    /// A redirect that turns this into a plain GET.
    pub(super) fn drop_body(&mut self) {
        self.body = Bytes::new();
        self.headers.retain(|(name, _)| *name != CONTENT_TYPE);
    }
}

pub(super) fn method(method: wit::Method) -> Method {
    match method {
        wit::Method::Get => Method::GET,
        wit::Method::Head => Method::HEAD,
        wit::Method::Post => Method::POST,
        wit::Method::Put => Method::PUT,
        wit::Method::Patch => Method::PATCH,
        wit::Method::Delete => Method::DELETE,
        wit::Method::Options => Method::OPTIONS,
    }
}

/// `base` is scheme, host and port of the target, without a trailing slash.
///
/// A path is put behind the target's origin as text and not joined as a URL, because a path like
/// `//other.host/` joined would lead away from the target.
pub(super) fn resolve(text: &str, base: &str) -> Result<Url, String> {
    let parsed = if text.starts_with('/') { Url::parse(&format!("{base}{text}")) } else { Url::parse(text) };
    let mut url = parsed.map_err(|error| {
        format!("url `{text}`: {error}; allowed is http://, https:// or a path that begins with /")
    })?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(format!("url `{text}`: allowed is http://, https:// or a path that begins with /"));
    }
    url.set_fragment(None);
    Ok(url)
}

fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), String> {
    let parsed = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| format!("header name `{name}` has characters that no header name may have"))?;
    if FRAMING.contains(&parsed) {
        return Err(format!("header `{parsed}` is set by the host alone"));
    }
    let value = HeaderValue::from_str(value)
        .or_else(|_| HeaderValue::from_bytes(value.as_bytes()))
        .map_err(|_| format!("the value of header `{parsed}` has control characters"))?;
    Ok((parsed, value))
}

fn encode(body: wit::Body) -> (Option<&'static str>, Bytes) {
    match body {
        wit::Body::Empty => (None, Bytes::new()),
        wit::Body::Bytes(bytes) => (None, bytes.into()),
        wit::Body::Text(text) => (Some("text/plain; charset=utf-8"), text.into()),
        wit::Body::Json(json) => (Some("application/json"), json.into()),
        wit::Body::Form(fields) => {
            let mut form = form_urlencoded::Serializer::new(String::new());
            form.extend_pairs(fields);
            (Some("application/x-www-form-urlencoded"), form.finish().into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(url: &str) -> wit::Request {
        wit::Request {
            method: wit::Method::Post,
            url: url.to_owned(),
            headers: Vec::new(),
            body: wit::Body::Empty,
            name: None,
            expect: None,
            connect_timeout: None,
            timeout: None,
            redirects: None,
        }
    }

    fn check(request: wit::Request) -> Result<Checked, String> {
        let url = resolve(&request.url, "http://10.0.0.2:8080")?;
        let route = Route::new(url, &method(request.method))?;
        Checked::new(request, Arc::new(route))
    }

    #[test]
    fn paths_never_lead_away_from_the_target() {
        for path in ["/", "/a/b?c=d#e", "//other.host/x", "/\\other.host/x", "/@other.host/", "/../../x"] {
            let url = check(request(path)).expect("a path").route.url.clone();
            assert_eq!((url.host_str(), url.port()), (Some("10.0.0.2"), Some(8080)), "{path}");
        }
    }

    #[test]
    fn what_cannot_be_sent_says_why() {
        let header = |name: &str, value: &str| wit::Request {
            headers: vec![(name.to_owned(), value.to_owned())],
            ..request("/")
        };
        let refused = [
            request("ftp://host/"),
            request("nonsense"),
            request("http://"),
            header("bad name", "x"),
            header("content-length", "5"),
            header("x-line", "a\r\nb: c"),
            wit::Request { redirects: Some(21), ..request("/") },
            wit::Request { body: wit::Body::Bytes(vec![0; LONGEST_BODY + 1]), ..request("/") },
        ]
        .map(|request| check(request).expect_err("it cannot be sent"));
        insta::assert_debug_snapshot!(refused);
    }

    #[test]
    fn bodies_carry_their_type() {
        let sent = |body| {
            let checked = check(wit::Request { body, ..request("/") }).expect("a fine body");
            let kind = checked.headers.first().and_then(|(_, value)| value.to_str().ok()).map(str::to_owned);
            (kind, String::from_utf8_lossy(&checked.body).into_owned())
        };
        let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            sent(wit::Body::Form(vec![field("name", "Ring & Stein"), field("preis", "5 €")])),
            (
                Some("application/x-www-form-urlencoded".to_owned()),
                "name=Ring+%26+Stein&preis=5+%E2%82%AC".to_owned()
            )
        );
        assert_eq!(sent(wit::Body::Json("{}".to_owned())).0.as_deref(), Some("application/json"));
        assert_eq!(sent(wit::Body::Empty), (None, String::new()));
    }

    #[test]
    fn samples_are_named_without_their_query() {
        let plain = check(request("/items/?page=2")).expect("a path");
        assert_eq!(plain.sample_name(0), "POST /items/");
        let named = wit::Request { name: Some("sell".to_owned()), ..request("/items/7") };
        let named = check(named).expect("a path");
        assert_eq!(named.sample_name(0), "sell");
        assert_eq!(named.sample_name(1), "sell (redirected)");
    }
}
