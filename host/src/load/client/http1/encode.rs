//! Writes an HTTP/1.1 request.

use http::{
    Method,
    header::{CONNECTION, CONTENT_LENGTH},
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
    for (name, value) in message.headers() {
        says_how_long |= *name == CONNECTION;
        put(name.as_str().as_bytes());
        put(b": ");
        put(value.as_bytes());
        put(b"\r\n");
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
