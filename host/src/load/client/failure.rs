//! Why a request has no answer, in the classes that reports know.

use std::io;

use crate::{load::limits::Shortage, observe::ErrorClass};
use assay_bindings::imports::http;

/// A request that was sent, or would have been, and got no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{because}")]
pub(super) struct Failure {
    pub class: ErrorClass,
    pub because: String,
    /// It is not the target's fault, but this side's.
    pub own: Option<Shortage>,
}

impl Failure {
    pub(super) fn new(class: ErrorClass, because: impl Into<String>) -> Self {
        Self { class, because: because.into(), own: None }
    }

    /// Of opening a connection.
    pub(super) fn connecting(place: &str, error: &io::Error) -> Self {
        let class = match error.kind() {
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::UnexpectedEof => ErrorClass::Reset,
            io::ErrorKind::TimedOut => ErrorClass::ConnectTimeout,
            // Refused by the peer, by a router on the way (no such host or network), or by this
            // machine; the text says which.
            _ => ErrorClass::Refused,
        };
        let own = Shortage::of(error);
        let explained =
            own.map_or(String::new(), |own| format!(": the load generator {}", own.explanation()));
        Self { own, ..Self::new(class, format!("{place}: {error}{explained}")) }
    }

    /// Of a TLS handshake.
    pub(super) fn shaking_hands(place: &str, error: &io::Error) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(inner) => Self::new(ErrorClass::Tls, format!("{place}: {inner}")),
            None => Self::new(ErrorClass::Reset, format!("{place}: during the TLS handshake: {error}")),
        }
    }

    /// Of reading from an HTTP/1.1 connection.
    pub(super) fn exchanging(place: &str, error: &io::Error) -> Self {
        Self::new(broken(error.kind()), format!("{place}: {error}"))
    }

    /// Of an exchange on an HTTP/2 connection.
    pub(super) fn multiplexing(place: &str, error: &h2::Error) -> Self {
        let class = match error.get_io().map(io::Error::kind) {
            Some(kind) => broken(kind),
            // The peer took back the stream, or the connection; all else was noticed here.
            None if error.is_remote() => ErrorClass::Reset,
            None => ErrorClass::Protocol,
        };
        Self::new(class, format!("{place}: {error}"))
    }

    /// As the plugin gets it.
    pub(super) fn into_error(self) -> http::Error {
        let because = self.because;
        match self.class {
            ErrorClass::NameResolution => http::Error::NameResolution(because),
            ErrorClass::Refused => http::Error::Refused(because),
            ErrorClass::Reset => http::Error::Reset(because),
            ErrorClass::ConnectTimeout => http::Error::ConnectTimeout(because),
            ErrorClass::Timeout => http::Error::Timeout(because),
            ErrorClass::Tls => http::Error::Tls(because),
            // The last two are judgements on an answer, which a failure does not have.
            ErrorClass::Protocol | ErrorClass::Expectation | ErrorClass::Check => {
                http::Error::Protocol(because)
            }
        }
    }
}

/// A connection that broke: what came over it made no sense, or nothing came any more.
fn broken(kind: io::ErrorKind) -> ErrorClass {
    match kind {
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => ErrorClass::Protocol,
        _ => ErrorClass::Reset,
    }
}
