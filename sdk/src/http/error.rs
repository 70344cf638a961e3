//! Why there is no answer.

use std::fmt;

/// Why there is no answer. All but the first two are recorded as failures of that class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The host is not granted. Not sent, not recorded.
    Denied(String),
    /// The request is malformed: URL, header, more than 1 MiB of body. Not sent, not recorded.
    Invalid(String),
    /// The host's name has no address.
    NameResolution(String),
    /// Nobody listens there.
    Refused(String),
    /// The connection broke, before or amid the answer.
    Reset(String),
    /// Connecting took too long.
    ConnectTimeout(String),
    /// The answer took too long.
    Timeout(String),
    /// No secure connection came about.
    Tls(String),
    /// The peer does not speak HTTP, or too much of it: headers over 64 KiB, body over the limit.
    Protocol(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (class, text) = match self {
            Error::Denied(text) => ("request denied", text),
            Error::Invalid(text) => ("request invalid", text),
            Error::NameResolution(text) => ("name not resolved", text),
            Error::Refused(text) => ("connection refused", text),
            Error::Reset(text) => ("connection reset", text),
            Error::ConnectTimeout(text) => ("connecting timed out", text),
            Error::Timeout(text) => ("request timed out", text),
            Error::Tls(text) => ("TLS failed", text),
            Error::Protocol(text) => ("not understood", text),
        };
        write!(f, "{class}: {text}")
    }
}

impl std::error::Error for Error {}
