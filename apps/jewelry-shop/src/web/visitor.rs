//! Who asks: the cookies of a request, the session they lead to, and the frame of the pages.

use axum::extract::FromRequestParts;
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::response::{Html, IntoResponse, Response};

use super::Shop;
use super::answer::Fault;
use crate::session::Session;
use crate::{csrf, html, session};

/// The cookie with the key of the session.
pub(super) const SESSION: &str = "sessionid";

/// The cookie with the secret behind all form tokens.
pub(super) const CSRF: &str = "csrftoken";

/// The value of a cookie.
pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(key, value)| (key == name).then_some(value))
}

/// Adds a cookie to a response; without a value, takes it away from the browser.
pub(super) fn set_cookie(response: &mut Response, name: &str, value: Option<&str>, more: &str) {
    let text = match value {
        Some(value) => format!("{name}={value}; Path=/; SameSite=Lax{more}"),
        None => format!("{name}=; Path=/; SameSite=Lax; Max-Age=0{more}"),
    };
    // Values are letters and digits of our own making, which are always fit for a header.
    if let Ok(text) = HeaderValue::from_str(&text) {
        response.headers_mut().append(SET_COOKIE, text);
    }
}

/// The CSRF secret of a browser, new if it has none.
#[derive(Debug)]
pub(super) struct Forms {
    secret: String,
    is_new: bool,
}

impl Forms {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        match cookie(headers, CSRF).filter(|secret| csrf::is_secret(secret)) {
            Some(secret) => Self { secret: secret.to_owned(), is_new: false },
            None => Self::renewed(),
        }
    }

    /// A new secret, whatever the browser had.
    pub(super) fn renewed() -> Self {
        Self { secret: csrf::new_secret(), is_new: true }
    }

    /// The hidden field of a form.
    pub(super) fn field(&self) -> String {
        html::csrf_field(&csrf::mask(&self.secret))
    }

    /// Gives the browser the secret, unless it has it. For a year, as Django does.
    pub(super) fn keep(&self, response: &mut Response) {
        if self.is_new {
            set_cookie(response, CSRF, Some(&self.secret), "; Max-Age=31449600");
        }
    }
}

/// A signed-in user; asking for one turns everybody else away.
#[derive(Debug)]
pub(super) struct Visitor {
    pub(super) session: Session,
    pub(super) forms: Forms,
}

impl Visitor {
    /// The tenant whose rows this visitor may see.
    pub(super) fn tenant(&self) -> i32 {
        self.session.tenant
    }

    /// A whole page with navigation.
    pub(super) fn page(&self, title: &str, body: &str) -> Response {
        let navigation = format!(
            "<nav><b>{shop}</b> <a href=\"/dashboard/\">Dashboard</a><a href=\"/inventory/\">Inventory</a>\
             <a href=\"/pos/\">Point of sale</a><a href=\"/customers/\">Customers</a>\
             <a href=\"/reports/sales/\">Sales report</a><a href=\"/reports/inventory/\">Inventory report</a>\
             <a href=\"/accounting/\">Accounting</a>\
             <form method=\"post\" action=\"/logout/\">{field}{name} <button>Sign out</button></form></nav>",
            shop = html::esc(&self.session.shop),
            field = self.forms.field(),
            name = html::esc(&self.session.name),
        );
        let mut response = Html(html::page(title, &navigation, body)).into_response();
        self.forms.keep(&mut response);
        response
    }
}

impl FromRequestParts<Shop> for Visitor {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, shop: &Shop) -> Result<Self, Fault> {
        let session = match cookie(&parts.headers, SESSION) {
            Some(key) => session::find(&shop.store, key).await?,
            None => None,
        };
        let Some(session) = session else {
            // A form that was sent cannot be sent again by a redirect.
            let next = match parts.method {
                Method::GET => parts.uri.path_and_query().map_or("/", |target| target.as_str()),
                _ => "/dashboard/",
            };
            return Err(Fault::SignIn(next.to_owned()));
        };
        Ok(Self { session, forms: Forms::of(&parts.headers) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("a=1; sessionid=abc;csrftoken=x=y"));
        headers.append(COOKIE, HeaderValue::from_static("late=2"));
        assert_eq!(cookie(&headers, "sessionid"), Some("abc"));
        assert_eq!(cookie(&headers, "csrftoken"), Some("x=y"));
        assert_eq!(cookie(&headers, "late"), Some("2"));
        assert_eq!(cookie(&headers, "session"), None);
    }
}
