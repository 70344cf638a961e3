//! What is asked of a request before it is sent: where it goes, and whether it is well-formed.

use std::{sync::Arc, time::Duration};

use assay_bindings::imports::http::{Body, Error, Request};
use url::Url;

use crate::{capability::HttpGrant, environment::Environment, observe::nanos};

/// What a request may take if it does not say, and at most.
pub(super) const LONGEST: Duration = Duration::from_secs(30 * 60);
const TIMEOUT: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const REDIRECTS: u32 = 5;
const MOST_REDIRECTS: u32 = 20;
const LARGEST_BODY: usize = 1 << 20;
const MOST_HEADERS: usize = 100;
const LONGEST_URL: usize = 8 << 10;

/// Decides where requests may go.
#[derive(Clone)]
pub(crate) struct Gate {
    grant: HttpGrant,
    base: Option<Url>,
    /// May the target be asked at all? Then may every path of it.
    target: bool,
    /// Where addresses of instances are looked up; absent if none are granted.
    environment: Option<Arc<dyn Environment>>,
}

impl Gate {
    /// For a plugin whose relative URLs go to `base_url`.
    pub(crate) fn new(grant: HttpGrant, base_url: &str, environment: Option<Arc<dyn Environment>>) -> Self {
        let base = Url::parse(base_url).ok();
        let target = base.as_ref().is_some_and(|base| grant.covers(base));
        Self { grant, base, target, environment }
    }

    /// Where relative URLs go.
    pub(crate) fn base(&self) -> Option<&Url> {
        self.base.as_ref()
    }

    /// May this be asked, as is plain to see? So it is of most requests, whose URLs then need not be
    /// taken apart; of the others [`resolve`](Self::resolve) knows.
    pub(super) fn is_open_to(&self, text: &str) -> bool {
        self.target && is_plain_path(text)
    }

    /// May this be asked?
    pub(super) async fn check_url(&self, text: &str) -> Result<(), Error> {
        if self.is_open_to(text) {
            return Ok(());
        }
        self.resolve(text).await.map(drop)
    }

    /// The URL in full, if it may be asked.
    pub(crate) async fn resolve(&self, text: &str) -> Result<Url, Error> {
        let url = self.in_full(text)?;
        self.admit(&url).await?;
        Ok(url)
    }

    /// May this be asked? For redirects, too.
    pub(crate) async fn admit(&self, url: &Url) -> Result<(), Error> {
        if self.grant.covers(url) {
            return Ok(());
        }
        if let (Some(address), Some(environment)) = (self.grant.may_be_instance(url), &self.environment) {
            let everything = "".parse().map_err(|error| Error::Denied(format!("{error}")))?;
            let instances = environment.instances(&everything).await;
            if instances.is_ok_and(|all| all.iter().any(|instance| instance.address == Some(address))) {
                return Ok(());
            }
        }
        Err(Error::Denied(self.grant.denial(url)))
    }

    fn in_full(&self, text: &str) -> Result<Url, Error> {
        if text.len() > LONGEST_URL {
            let length = text.len();
            return Err(Error::Invalid(format!(
                "a URL of {length} bytes; at most {LONGEST_URL} are allowed"
            )));
        }
        // A path such as `//host/` would go elsewhere.
        let is_path = text.starts_with('/') && !text.starts_with("//");
        let url = match (&self.base, is_path) {
            (Some(base), true) => base.join(text),
            (None, true) => {
                return Err(Error::Invalid(format!("'{text}' is relative, and there is no target")));
            }
            (_, false) => Url::parse(text),
        };
        let url = url.map_err(|error| Error::Invalid(format!("'{text}' is not a URL: {error}")))?;
        match url.scheme() {
            "http" | "https" => Ok(url),
            other => {
                Err(Error::Invalid(format!("'{other}' URLs are not spoken; allowed are http and https")))
            }
        }
    }
}

/// A path that leads to the target however it is read. URLs have several ways to write the two
/// slashes that lead elsewhere, and leave out some control characters.
fn is_plain_path(text: &str) -> bool {
    let mut bytes = text.bytes();
    text.len() <= LONGEST_URL
        && bytes.next() == Some(b'/')
        && bytes.next().is_none_or(|second| second.is_ascii_graphic() && !b"/\\".contains(&second))
}

/// Is the request well-formed, and no more than may be sent?
pub(super) fn check(request: &Request) -> Result<(), Error> {
    let size = match &request.body {
        Body::Empty => 0,
        Body::Bytes(bytes) => bytes.len(),
        Body::Text(text) | Body::Json(text) => text.len(),
        Body::Form(fields) => fields.iter().map(|(name, value)| name.len() + value.len() + 2).sum(),
    };
    if size > LARGEST_BODY {
        return Err(Error::Invalid(format!("a body of {size} bytes; at most {LARGEST_BODY} are allowed")));
    }
    if request.headers.len() > MOST_HEADERS {
        let count = request.headers.len();
        return Err(Error::Invalid(format!("{count} headers; at most {MOST_HEADERS} are allowed")));
    }
    for (name, value) in &request.headers {
        if http::HeaderName::from_bytes(name.as_bytes()).is_err() {
            return Err(Error::Invalid(format!("'{name}' is not a header's name")));
        }
        if http::HeaderValue::from_str(value).is_err() {
            return Err(Error::Invalid(format!("the value of header '{name}' has forbidden characters")));
        }
    }
    if request.redirects.is_some_and(|redirects| redirects > MOST_REDIRECTS) {
        return Err(Error::Invalid(format!("more redirects than the {MOST_REDIRECTS} that are allowed")));
    }
    Ok(())
}

/// Fills in what the request leaves to the host. That it ends in time is up to who sends it.
pub(super) fn bound(request: &mut Request) {
    let within = |wanted: Option<u64>, default: Duration| {
        Some(wanted.unwrap_or_else(|| nanos(default)).min(nanos(LONGEST)))
    };
    request.timeout = within(request.timeout, TIMEOUT);
    request.connect_timeout = within(request.connect_timeout, CONNECT_TIMEOUT);
    request.redirects = Some(request.redirects.unwrap_or(REDIRECTS));
}

/// Can this be sent as a cookie?
pub(super) fn is_cookie(name: &str, value: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_graphic() && !b"\",;\\".contains(&byte);
    let size = name.len() + value.len();
    !name.is_empty() && size <= 4096 && !name.contains('=') && name.bytes().chain(value.bytes()).all(fits)
}

#[cfg(test)]
mod tests {
    use assay_bindings::imports::http::Method;

    use super::*;
    use crate::{capability::grant::tests::tenant, config::Grants, plugin::PluginKind};

    fn request(url: &str) -> Request {
        Request {
            method: Method::Get,
            url: url.to_owned(),
            headers: Vec::new(),
            body: Body::Empty,
            name: None,
            expect: None,
            connect_timeout: None,
            timeout: None,
            redirects: None,
        }
    }

    async fn resolved(url: &str) -> Result<String, Error> {
        let tenant = tenant(false, Grants::default());
        let base = "http://target.local:8080";
        let gate = Gate::new(HttpGrant::new(&tenant, PluginKind::Behavior, base), base, None);
        gate.resolve(url).await.map(String::from)
    }

    #[tokio::test]
    async fn paths_go_to_the_target_and_nothing_goes_elsewhere() {
        assert_eq!(resolved("/a?b=c").await, Ok("http://target.local:8080/a?b=c".to_owned()));
        assert!(matches!(resolved("//evil.example/").await, Err(Error::Invalid(_))));
        assert!(matches!(resolved("http://evil.example/").await, Err(Error::Denied(_))));
        assert!(matches!(resolved("http://target.local@evil.example/").await, Err(Error::Denied(_))));
        assert!(matches!(resolved("file:///etc/passwd").await, Err(Error::Invalid(_))));
        assert!(matches!(resolved("relative").await, Err(Error::Invalid(_))));
    }

    #[tokio::test]
    async fn the_short_way_admits_nothing_that_the_long_one_refuses() {
        let gate = |base: &str| {
            Gate::new(
                HttpGrant::new(&tenant(false, Grants::default()), PluginKind::Behavior, base),
                base,
                None,
            )
        };
        let gate = gate("http://target.local:8080");
        for (text, plain) in [
            ("/", true),
            ("/a/../..//b?c=//d", true),
            ("//evil.example/", false),
            ("/\\evil.example/", false),
            ("/\t/evil.example/", false),
            ("\t//evil.example/", false),
            ("http://evil.example/", false),
            ("relative", false),
        ] {
            assert_eq!(is_plain_path(text), plain, "{text:?}");
            let asked = gate.check_url(text).await;
            let resolved = gate.resolve(text).await;
            assert_eq!(asked.is_ok(), resolved.is_ok(), "{text:?}: {resolved:?}");
            if let Ok(url) = resolved {
                assert_eq!(url.host_str(), Some("target.local"), "{text:?}");
            }
        }
        assert!(gate.check_url(&format!("/{}", "a".repeat(LONGEST_URL))).await.is_err());
    }

    #[test]
    fn malformed_requests_are_named() {
        let with_header = |name: &str, value: &str| Request {
            headers: vec![(name.to_owned(), value.to_owned())],
            ..request("/")
        };
        for (bad, because) in [
            (with_header("a b", "c"), "'a b' is not a header's name"),
            (with_header("a", "b\r\nc: d"), "the value of header 'a' has forbidden characters"),
            (
                Request { body: Body::Bytes(vec![0; LARGEST_BODY + 1]), ..request("/") },
                "a body of 1048577 bytes",
            ),
            (Request { redirects: Some(21), ..request("/") }, "more redirects than the 20"),
        ] {
            let Err(Error::Invalid(text)) = check(&bad) else { panic!("{because}: accepted") };
            assert!(text.starts_with(because), "{text}");
        }
        check(&with_header("accept", "text/html")).expect("fine");
    }

    #[test]
    fn what_a_request_leaves_open_is_filled_in() {
        let mut request = Request { timeout: Some(u64::MAX), ..request("/") };
        bound(&mut request);
        assert_eq!(request.timeout, Some(nanos(LONGEST)));
        assert_eq!(request.connect_timeout, Some(5_000_000_000));
        assert_eq!(request.redirects, Some(5));
    }

    #[test]
    fn cookies_cannot_smuggle() {
        assert!(is_cookie("session", "abc"));
        assert!(is_cookie("session", ""));
        for (name, value) in [("", "x"), ("a=b", "x"), ("a", "x; b=y"), ("a", "x\r\n"), ("a b", "x")] {
            assert!(!is_cookie(name, value), "{name}={value}");
        }
    }
}
