//! Writes an HTTP/1.1 request.

use http::{
    HeaderName, HeaderValue, Method,
    header::{CONNECTION, CONTENT_LENGTH, COOKIE},
};

use crate::load::client::exchange::Message;

/// The bytes of a request. `once` says to the peer that the connection ends with its answer.
pub(super) fn encode(message: &Message<'_>, once: bool) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(512 + message.body.len());
    let mut put = |part: &[u8]| bytes.extend_from_slice(part);
    put(message.method.as_str().as_bytes());
    put(b" ");
    put(message.route.target.as_str().as_bytes());
    put(b" HTTP/1.1\r\n");
    let mut says_how_long = false;
    // Mostly the plugin says nothing, and what the host says is the same for all who go there.
    if message.own.is_empty() {
        put(&message.route.said);
    } else {
        for (name, value) in message.said() {
            says_how_long |= *name == CONNECTION;
            line(&mut put, name, value);
        }
    }
    if let Some(cookies) = &message.cookies {
        line(&mut put, &COOKIE, cookies);
    }
    if once && !says_how_long {
        put(b"connection: close\r\n");
    }
    // What usually has a body says so when it has none.
    let usual = [Method::POST, Method::PUT, Method::PATCH].contains(message.method);
    if usual || !message.body.is_empty() {
        put(CONTENT_LENGTH.as_str().as_bytes());
        put(b": ");
        put(message.body.len().to_string().as_bytes());
        put(b"\r\n");
    }
    put(b"\r\n");
    put(message.body);
    bytes
}

/// The lines of headers, as they go over the wire.
pub(in crate::load::client) fn lines<'a>(
    headers: impl Iterator<Item = (&'a HeaderName, &'a HeaderValue)>,
) -> Box<[u8]> {
    let mut bytes = Vec::new();
    for (name, value) in headers {
        line(&mut |part| bytes.extend_from_slice(part), name, value);
    }
    bytes.into()
}

fn line(put: &mut impl FnMut(&[u8]), name: &HeaderName, value: &HeaderValue) {
    put(name.as_str().as_bytes());
    put(b": ");
    put(value.as_bytes());
    put(b"\r\n");
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::load::client::route::Route;

    #[test]
    fn who_says_nothing_says_what_the_host_says() {
        let url = "http://pages.test:8000/a?b=c".parse().expect("a URL");
        let route = Route::new(url, &Method::GET).expect("a route");
        let said = |own: &[(HeaderName, HeaderValue)], cookies| {
            let message = Message { method: &Method::GET, route: &route, own, cookies, body: &Bytes::new() };
            String::from_utf8(encode(&message, false)).expect("plain text")
        };
        let own = (HeaderName::from_static("x-own"), HeaderValue::from_static("1"));
        let cookies = || Some(HeaderValue::from_static("sid=7"));
        assert_eq!(said(&[], cookies()), said(&[own], cookies()).replace("x-own: 1\r\n", ""));
        let alone = said(&[], None).replace(env!("CARGO_PKG_VERSION"), "VERSION");
        assert_eq!(
            alone.split("\r\n").collect::<Vec<_>>(),
            [
                "GET /a?b=c HTTP/1.1",
                "host: pages.test:8000",
                "user-agent: assay/VERSION",
                "accept: */*",
                "accept-encoding: gzip, deflate",
                "",
                ""
            ]
        );
    }
}
