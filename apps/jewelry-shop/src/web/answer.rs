//! What a handler answers when it cannot answer with a page.

use axum::Json;
use axum::extract::Request;
use axum::http::header::{CACHE_CONTROL, LOCATION, RETRY_AFTER};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use serde_json::json;

use crate::data::DataError;
use crate::html;
use crate::store::StoreError;

/// The header that says what became of a sale, beyond what a status can say.
pub(super) const OUTCOME: HeaderName = HeaderName::from_static("x-outcome");

/// Why there is no page.
#[derive(Debug)]
pub(super) enum Fault {
    /// Nobody is signed in; afterwards to the given path.
    SignIn(String),
    /// The request may be forged.
    Forged,
    /// There is no such page, or it is another tenant's, which is the same.
    NotFound,
    /// What was sent makes no sense.
    Invalid(String),
    /// What was sent collides with what is there.
    Conflict(String),
    /// Something that the shop needs is away or overloaded.
    Unavailable(&'static str),
    /// A mistake in the shop.
    Broken,
}

impl From<DataError> for Fault {
    fn from(error: DataError) -> Self {
        if error.is_passing() {
            tracing::debug!("{error}");
            return Self::Unavailable("the database is not available");
        }
        tracing::error!("{error}");
        Self::Broken
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Away => Self::Unavailable("sessions are not available"),
            StoreError::Refused(_) => {
                tracing::error!("{error}");
                Self::Broken
            }
        }
    }
}

impl From<anyhow::Error> for Fault {
    fn from(error: anyhow::Error) -> Self {
        tracing::error!("{error:#}");
        Self::Broken
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        match self {
            Self::SignIn(next) => {
                let target = format!("/login/?next={}", html::url_part(&next));
                redirect(&target).unwrap_or_else(|| StatusCode::FORBIDDEN.into_response())
            }
            Self::Forged => {
                plain(StatusCode::FORBIDDEN, "Forbidden", "CSRF verification failed. Request aborted.")
            }
            Self::NotFound => plain(StatusCode::NOT_FOUND, "Not Found", "There is no such page."),
            Self::Invalid(why) => plain(StatusCode::UNPROCESSABLE_ENTITY, "Not accepted", &why),
            Self::Conflict(why) => plain(StatusCode::CONFLICT, "Conflict", &why),
            Self::Unavailable(why) => {
                let mut response = plain(StatusCode::SERVICE_UNAVAILABLE, "Not available", why);
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
                response
            }
            Self::Broken => plain(StatusCode::INTERNAL_SERVER_ERROR, "Server Error", "Something went wrong."),
        }
    }
}

/// 302, as Django redirects; nothing if the target cannot be a header.
pub(super) fn redirect(target: &str) -> Option<Response> {
    let location = HeaderValue::from_str(target).ok()?;
    Some((StatusCode::FOUND, [(LOCATION, location)]).into_response())
}

/// A JSON answer.
pub(super) fn data(status: StatusCode, value: &serde_json::Value) -> Response {
    (status, Json(value)).into_response()
}

/// A JSON answer that names an error.
pub(super) fn error(status: StatusCode, error: &str, detail: &str) -> Response {
    data(status, &json!({ "error": error, "detail": detail }))
}

fn plain(status: StatusCode, title: &str, text: &str) -> Response {
    let body = format!("<p>{}</p>", html::esc(text));
    (status, Html(html::page(title, "", &body))).into_response()
}

/// Keeps every page out of caches on the way: each is for one user and one moment.
pub(super) async fn no_store(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
