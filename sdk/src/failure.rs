//! Why something could not be done.

use std::fmt;

use crate::http;

/// What most calls of the SDK answer, and most functions of a plugin too.
pub type Result<T, E = Failure> = std::result::Result<T, E>;

/// Why a call did not do what it was asked to. The case is for programs, the text for people: at
/// most 4 KiB of it reaches the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// This environment cannot do that at all, whatever is granted.
    Unsupported(String),
    /// The run config does not grant it. The text names the grant that is missing.
    Denied(String),
    /// The thing named does not exist, or no longer does.
    NotFound(String),
    /// It exists but its state forbids the act: a version moved on, a budget is used up.
    Conflict(String),
    /// A deadline passed. Whether the act took effect is unknown.
    TimedOut(String),
    /// No connection, or it broke. Whether the act took effect is unknown.
    Unreachable(String),
    /// The request itself is wrong; trying again will not help.
    Invalid(String),
    /// Anything else.
    Other(String),
}

impl Failure {
    /// A failure of no particular kind.
    pub fn other(text: impl Into<String>) -> Failure {
        Failure::Other(text.into())
    }

    /// The text, without the kind.
    pub fn text(&self) -> &str {
        match self {
            Failure::Unsupported(text)
            | Failure::Denied(text)
            | Failure::NotFound(text)
            | Failure::Conflict(text)
            | Failure::TimedOut(text)
            | Failure::Unreachable(text)
            | Failure::Invalid(text)
            | Failure::Other(text) => text,
        }
    }

    /// The same kind of failure, its text behind what was being done: `failure.during("signing in")`.
    #[must_use]
    pub fn during(self, act: &str) -> Failure {
        let prefixed = |text: String| format!("{act}: {text}");
        match self {
            Failure::Unsupported(text) => Failure::Unsupported(prefixed(text)),
            Failure::Denied(text) => Failure::Denied(prefixed(text)),
            Failure::NotFound(text) => Failure::NotFound(prefixed(text)),
            Failure::Conflict(text) => Failure::Conflict(prefixed(text)),
            Failure::TimedOut(text) => Failure::TimedOut(prefixed(text)),
            Failure::Unreachable(text) => Failure::Unreachable(prefixed(text)),
            Failure::Invalid(text) => Failure::Invalid(prefixed(text)),
            Failure::Other(text) => Failure::Other(prefixed(text)),
        }
    }

    /// Is it that nobody answered: no connection, or no answer in time?
    pub fn is_silence(&self) -> bool {
        matches!(self, Failure::TimedOut(_) | Failure::Unreachable(_))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Failure::Unsupported(_) => "unsupported: ",
            Failure::Denied(_) => "denied: ",
            Failure::NotFound(_) => "not found: ",
            Failure::Conflict(_) => "conflict: ",
            Failure::TimedOut(_) => "timed out: ",
            Failure::Unreachable(_) => "unreachable: ",
            Failure::Invalid(_) => "invalid: ",
            Failure::Other(_) => "",
        };
        write!(f, "{kind}{}", self.text())
    }
}

impl std::error::Error for Failure {}

impl From<http::Error> for Failure {
    fn from(error: http::Error) -> Failure {
        let text = error.to_string();
        match error {
            http::Error::Denied(_) => Failure::Denied(text),
            http::Error::Invalid(_) => Failure::Invalid(text),
            http::Error::ConnectTimeout(_) | http::Error::Timeout(_) => Failure::TimedOut(text),
            http::Error::NameResolution(_)
            | http::Error::Refused(_)
            | http::Error::Reset(_)
            | http::Error::Tls(_) => Failure::Unreachable(text),
            http::Error::Protocol(_) => Failure::Other(text),
        }
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Failure {
        Failure::Invalid(error.to_string())
    }
}

impl From<&str> for Failure {
    fn from(text: &str) -> Failure {
        Failure::Other(text.to_owned())
    }
}

impl From<String> for Failure {
    fn from(text: String) -> Failure {
        Failure::Other(text)
    }
}
