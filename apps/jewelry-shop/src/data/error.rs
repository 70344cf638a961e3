//! What can go wrong between the shop and its database, sorted by what it means for the caller.

use tokio_postgres::error::{DbError, Severity, SqlState};

/// A failed use of the database.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DataError {
    /// No connection could be had; nothing was sent.
    #[error("the database is away")]
    Away,
    /// All connections are in use; nothing was sent.
    #[error("no database connection is free")]
    Busy,
    /// The connection failed or fell silent after something was sent; whether it was done is
    /// not known.
    #[error("the database connection was lost: {0}")]
    Lost(String),
    /// The connection leads to a replica, which did nothing.
    #[error("the database is read-only")]
    ReadOnly,
    /// The server answered that it did not do what it was asked.
    #[error("the database refused: {}: {}", .0.code().code(), .0.message())]
    Refused(Box<DbError>),
    /// A row that must be there is not.
    #[error("a row is missing")]
    NoRow,
    /// The answer does not fit the question: a mistake in the shop.
    #[error("the database answered something unexpected: {0}")]
    Unexpected(String),
}

impl DataError {
    /// Whether the server refused with the given state.
    pub(crate) fn is(&self, state: &SqlState) -> bool {
        matches!(self, Self::Refused(error) if error.code() == state)
    }

    /// Whether waiting may help: the fault lies with the database, or with its load.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Away | Self::Busy | Self::Lost(_) | Self::ReadOnly => true,
            Self::Refused(error) => [
                SqlState::T_R_DEADLOCK_DETECTED,
                SqlState::T_R_SERIALIZATION_FAILURE,
                SqlState::QUERY_CANCELED,
                SqlState::LOCK_NOT_AVAILABLE,
                SqlState::DISK_FULL,
                SqlState::OUT_OF_MEMORY,
                SqlState::TOO_MANY_CONNECTIONS,
            ]
            .contains(error.code()),
            Self::NoRow | Self::Unexpected(_) => false,
        }
    }
}

impl From<tokio_postgres::Error> for DataError {
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(answer) = error.as_db_error() else {
            return if error.is_closed() || is_io(&error) {
                Self::Lost(explain(&error))
            } else {
                Self::Unexpected(explain(&error))
            };
        };
        if *answer.code() == SqlState::READ_ONLY_SQL_TRANSACTION {
            Self::ReadOnly
        } else if ends_session(answer) {
            Self::Lost(explain(&error))
        } else {
            Self::Refused(Box::new(answer.clone()))
        }
    }
}

/// Whether the session ended with this answer: a shutdown, or a proxy that lost its server. Only PostgreSQL
/// says so in the field that is the same in every language; PgBouncer has the other one alone.
fn ends_session(answer: &DbError) -> bool {
    match answer.parsed_severity() {
        Some(severity) => matches!(severity, Severity::Fatal | Severity::Panic),
        None => matches!(answer.severity(), "FATAL" | "PANIC"),
    }
}

/// The error and its cause in one line; the outer error alone says little more than "db error".
pub(super) fn explain(error: &tokio_postgres::Error) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

/// Whether the server has no room for one more session: it is there, and busy.
pub(super) fn is_crowded(error: &tokio_postgres::Error) -> bool {
    error.code() == Some(&SqlState::TOO_MANY_CONNECTIONS)
}

/// Whether the answer says that nothing useful lies behind this address at present.
pub(super) fn is_outage(error: &tokio_postgres::Error) -> bool {
    error.code().is_some_and(|state| state.code().starts_with("08") || *state == SqlState::CANNOT_CONNECT_NOW)
}

fn is_io(error: &tokio_postgres::Error) -> bool {
    std::error::Error::source(error).is_some_and(|cause| cause.is::<std::io::Error>())
}
