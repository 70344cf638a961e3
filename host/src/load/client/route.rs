//! Where requests go. Users ask for the same few URLs again and again, so what follows from one is
//! worked out once for all users of a behavior.

use std::{
    borrow::Cow,
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use http::{HeaderValue, Method, uri::PathAndQuery};
use url::{Position, Url};

use super::{dial::Origin, exchange, http1};

/// Most URLs that are remembered, and the longest one, in bytes. Those with numbers in them come
/// and go; once there is no room they are worked out each time.
const MOST: usize = 1_000;
const LONGEST: usize = 256;

/// A URL that may be asked for, taken apart.
#[derive(Debug)]
pub(super) struct Route {
    pub url: Url,
    pub origin: Origin,
    /// Path and query, as they go over the wire.
    pub target: PathAndQuery,
    /// The `host` header.
    pub host: HeaderValue,
    /// The headers of a request that says nothing of its own, as HTTP/1.1 has them.
    pub said: Box<[u8]>,
    /// Method and path, for the method that came first: mostly there is no other.
    name: (Method, String),
}

impl Route {
    /// The error says why this cannot be asked for.
    pub(super) fn new(url: Url, method: &Method) -> Result<Self, String> {
        let odd = |text: &str| format!("`{text}` cannot be sent");
        let target = &url[Position::BeforePath..Position::AfterQuery];
        let target = target.parse().map_err(|_| odd(target))?;
        let host = &url[Position::BeforeHost..Position::AfterPort];
        let host = HeaderValue::from_str(host).map_err(|_| odd(host))?;
        let origin = Origin {
            tls: url.scheme() == "https",
            // Addresses of IPv6 stand in brackets in URLs and nowhere else.
            host: url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned(),
            port: url.port_or_known_default().unwrap_or(80),
        };
        let name = (method.clone(), name(method, &url));
        let said = http1::lines(exchange::defaults(&host));
        Ok(Self { url, origin, target, host, said, name })
    }

    /// What a request that has no name of its own is called: method and path, without the query.
    pub(super) fn name(&self, method: &Method) -> Cow<'_, str> {
        match self.name.0 == *method {
            true => Cow::Borrowed(&self.name.1),
            false => Cow::Owned(name(method, &self.url)),
        }
    }
}

fn name(method: &Method, url: &Url) -> String {
    format!("{method} {}", url.path())
}

/// Routes by what plugins wrote. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Routes(Arc<RwLock<HashMap<String, Arc<Route>>>>);

impl Routes {
    /// The route of a text; if it is not known, what `make` makes of it.
    pub(super) fn find<E>(
        &self,
        text: &str,
        make: impl FnOnce() -> Result<Route, E>,
    ) -> Result<Arc<Route>, E> {
        if let Some(known) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(text) {
            return Ok(known.clone());
        }
        let route = Arc::new(make()?);
        if text.len() <= LONGEST {
            let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
            if known.len() < MOST {
                known.insert(text.to_owned(), route.clone());
            }
        }
        Ok(route)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(text: &str) -> Result<Route, String> {
        Route::new(text.parse().map_err(|error| format!("{error}"))?, &Method::GET)
    }

    #[test]
    fn a_url_is_taken_apart() {
        let taken = route("http://[::1]:8080/a?b=c").expect("right");
        assert_eq!((taken.origin.host.as_str(), taken.origin.port, taken.origin.tls), ("::1", 8080, false));
        assert_eq!(
            (taken.target.to_string().as_str(), taken.host.as_bytes()),
            ("/a?b=c", &b"[::1]:8080"[..])
        );
        assert_eq!((&*taken.name(&Method::GET), &*taken.name(&Method::PUT)), ("GET /a", "PUT /a"));
        let secure = route("https://site.test").expect("right");
        assert_eq!(
            (secure.origin.port, secure.origin.tls, secure.host.as_bytes()),
            (443, true, &b"site.test"[..])
        );
    }

    #[test]
    fn what_is_known_is_bounded_and_refusals_are_not_kept() {
        let routes = Routes::default();
        assert_eq!(routes.find("/x", || Err("no")).map(|_| ()), Err("no"));
        let first = routes.find("/x", || route("http://a/x")).expect("right");
        let again = routes.find("/x", || Err("it is known".to_owned())).expect("right");
        assert!(Arc::ptr_eq(&first, &again));
        routes.find(&"x".repeat(LONGEST + 1), || route("http://a/long")).expect("right");
        for number in 0..2 * MOST {
            routes.find(&format!("/{number}"), || route("http://a/")).expect("right");
        }
        assert_eq!(routes.0.read().expect("not poisoned").len(), MOST);
    }
}
