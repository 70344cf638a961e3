//! Where an answer sends the user.

use assay_bindings::Headers;
use http::{Method, StatusCode};
use url::Url;

/// The next hop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Redirect {
    pub url: Url,
    /// Differs from the first one's where browsers turn a POST into a GET.
    pub method: Method,
}

/// The hop that an answer asks for; none if it is an answer in its own right, which one without a
/// place to go to is as well.
pub(super) fn redirect(
    status: StatusCode,
    headers: &Headers,
    method: &Method,
    from: &Url,
) -> Option<Redirect> {
    let method = match status {
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND if *method == Method::POST => Method::GET,
        StatusCode::SEE_OTHER if *method != Method::HEAD => Method::GET,
        StatusCode::MOVED_PERMANENTLY
        | StatusCode::FOUND
        | StatusCode::SEE_OTHER
        | StatusCode::TEMPORARY_REDIRECT
        | StatusCode::PERMANENT_REDIRECT => method.clone(),
        _ => return None,
    };
    let place = std::str::from_utf8(headers.get("location")?).ok()?;
    let mut url = from.join(place).ok()?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return None;
    }
    url.set_fragment(None);
    Some(Redirect { url, method })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hop(status: u16, method: Method, location: Option<&'static str>) -> Option<(Method, String)> {
        let headers = location.into_iter().map(|place| ("location", place)).collect();
        let from = Url::parse("http://site.test/account/login?next=/").expect("a URL");
        let status = StatusCode::from_u16(status).expect("a status");
        redirect(status, &headers, &method, &from).map(|hop| (hop.method, hop.url.into()))
    }

    #[test]
    fn hops_are_those_of_browsers() {
        let to = |method: Method, url: &str| Some((method, url.to_owned()));
        assert_eq!(hop(302, Method::POST, Some("/")), to(Method::GET, "http://site.test/"));
        assert_eq!(hop(301, Method::PUT, Some("/")), to(Method::PUT, "http://site.test/"));
        assert_eq!(hop(303, Method::PUT, Some("done")), to(Method::GET, "http://site.test/account/done"));
        assert_eq!(hop(303, Method::HEAD, Some("done")), to(Method::HEAD, "http://site.test/account/done"));
        assert_eq!(hop(307, Method::POST, Some("//b.test/x#y")), to(Method::POST, "http://b.test/x"));
        assert_eq!(hop(308, Method::GET, Some("https://b.test")), to(Method::GET, "https://b.test/"));
    }

    #[test]
    fn what_leads_nowhere_is_an_answer() {
        assert_eq!(hop(302, Method::GET, None), None);
        assert_eq!(hop(302, Method::GET, Some("mailto:a@b.test")), None);
        assert_eq!(hop(302, Method::GET, Some("http://[bad")), None);
        assert_eq!(hop(304, Method::GET, Some("/")), None);
        assert_eq!(hop(200, Method::GET, Some("/")), None);
    }
}
