//! A virtual user's cookies.

use cookie_store::{CookieStore, RawCookie};
use url::Url;

/// Most cookies of one user; a target that sets more is not obeyed.
const MOST: usize = 300;

/// A jar with a browser's rules on domains, paths and ages. Public suffixes are not known: a run
/// talks to the few hosts that it was granted.
#[derive(Debug, Default)]
pub(super) struct Cookies(CookieStore);

impl Cookies {
    /// What goes into the `cookie` header; none without cookies.
    pub(super) fn header(&self, url: &Url) -> Option<String> {
        // Most jars are empty, and to ask one costs as much as to search it.
        self.0.iter_any().next()?;
        let mut header = String::new();
        for (name, value) in self.0.get_request_values(url) {
            if !header.is_empty() {
                header.push_str("; ");
            }
            header.push_str(name);
            header.push('=');
            header.push_str(value);
        }
        (!header.is_empty()).then_some(header)
    }

    /// Obeys one `set-cookie` header. One that breaks the rules is ignored, as browsers do.
    pub(super) fn obey(&mut self, set_cookie: &[u8], url: &Url) {
        if let Ok(text) = std::str::from_utf8(set_cookie)
            && let Ok(cookie) = RawCookie::parse(text)
        {
            self.insert(&cookie, url);
        }
    }

    pub(super) fn get(&self, name: &str, url: &Url) -> Option<String> {
        self.0.get_request_values(url).find(|(known, _)| *known == name).map(|(_, value)| value.to_owned())
    }

    /// Sets a cookie for a URL's host, path `/`. An empty value removes it.
    pub(super) fn set(&mut self, name: &str, value: &str, url: &Url) {
        let mut cookie = RawCookie::new(name, value);
        cookie.set_path("/");
        if value.is_empty() {
            // Expired: what is there under this name goes.
            cookie.make_removal();
        }
        if name.bytes().all(is_name) && !name.is_empty() && value.bytes().all(is_value) {
            self.insert(&cookie, url);
        }
    }

    fn insert(&mut self, cookie: &RawCookie<'_>, url: &Url) {
        if self.0.iter_any().nth(MOST).is_none() {
            // What it answers on a cookie that breaks the rules is of no use to anyone.
            let _ = self.0.insert_raw(cookie, url);
        }
    }
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?={}".contains(&byte)
}

fn is_value(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"\",;\\".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).expect("a URL")
    }

    #[test]
    fn cookies_go_where_they_belong() {
        let mut cookies = Cookies::default();
        let home = url("http://site.test/account/login");
        cookies.obey(b"sessionid=abc; Path=/; HttpOnly", &home);
        cookies.obey(b"step=2; Path=/account", &home);
        cookies.obey(b"evil=1; Domain=other.test", &home);
        cookies.obey(b"\xff\xfe", &home);
        let sent = |text| {
            cookies.header(&url(text)).map(|header| {
                let mut parts: Vec<_> = header.split("; ").map(str::to_owned).collect();
                parts.sort();
                parts
            })
        };
        assert_eq!(sent("http://site.test/account/"), Some(vec!["sessionid=abc".into(), "step=2".into()]));
        assert_eq!(sent("http://site.test/"), Some(vec!["sessionid=abc".into()]));
        assert_eq!(sent("http://other.test/"), None);
        assert_eq!(cookies.get("sessionid", &home).as_deref(), Some("abc"));
    }

    #[test]
    fn plugins_set_and_remove() {
        let mut cookies = Cookies::default();
        let home = url("http://127.0.0.1:8000/");
        cookies.set("theme", "dark", &home);
        assert_eq!(cookies.header(&home).as_deref(), Some("theme=dark"));
        cookies.set("theme", "light", &home);
        assert_eq!(cookies.get("theme", &url("http://127.0.0.1:8000/deep/")).as_deref(), Some("light"));
        cookies.set("theme", "", &home);
        cookies.set("bad name", "x", &home);
        cookies.set("bad", "x; Domain=y", &home);
        assert_eq!(cookies.header(&home), None);
    }

    #[test]
    fn the_jar_is_bounded() {
        let mut cookies = Cookies::default();
        let home = url("http://site.test/");
        for number in 0..1_000 {
            cookies.obey(format!("c{number}=1").as_bytes(), &home);
        }
        assert!(cookies.0.iter_any().count() <= MOST + 1);
    }
}
