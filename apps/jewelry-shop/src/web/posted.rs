//! What a browser sends: forms, and JSON from scripts. Taking one from a request checks that the
//! request is not forged, so that no handler can forget to.

use axum::Form;
use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;

use super::Shop;
use super::answer::Fault;
use super::visitor::{CSRF, cookie};
use crate::csrf;

/// The field that carries the token in a form.
const FIELD: &str = "csrfmiddlewaretoken";

/// The header that carries it otherwise.
const HEADER: &str = "x-csrftoken";

/// A body whose sender proved to know the CSRF secret.
#[derive(Debug)]
pub(super) enum Posted {
    /// The fields of a form, in their order.
    Form(Vec<(String, String)>),
    /// JSON as it was sent.
    Json(Bytes),
}

impl Posted {
    /// The first value of a field, without surrounding blanks; empty if there is none.
    pub(super) fn field(&self, name: &'static str) -> &str {
        self.fields(name).next().unwrap_or_default()
    }

    /// All values of a field.
    pub(super) fn fields(&self, name: &'static str) -> impl Iterator<Item = &str> {
        let fields = match self {
            Self::Form(fields) => fields.as_slice(),
            Self::Json(_) => &[],
        };
        fields.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.trim())
    }
}

impl FromRequest<Shop> for Posted {
    type Rejection = Fault;

    async fn from_request(request: Request, shop: &Shop) -> Result<Self, Fault> {
        let headers = request.headers().clone();
        let is_json = headers
            .get(CONTENT_TYPE)
            .and_then(|kind| kind.to_str().ok())
            .is_some_and(|kind| kind.starts_with("application/json"));
        let posted = if is_json {
            let body = Bytes::from_request(request, shop).await;
            Self::Json(body.map_err(|error| Fault::Invalid(error.body_text()))?)
        } else {
            match Form::<Vec<(String, String)>>::from_request(request, shop).await {
                Ok(Form(fields)) => Self::Form(fields),
                // Whatever is not a form carries no field; the header may still vouch for it.
                Err(_) => Self::Form(Vec::new()),
            }
        };
        if is_genuine(&headers, posted.field(FIELD)) { Ok(posted) } else { Err(Fault::Forged) }
    }
}

fn is_genuine(headers: &HeaderMap, field: &str) -> bool {
    let Some(secret) = cookie(headers, CSRF) else {
        return false;
    };
    let header = headers.get(HEADER).and_then(|token| token.to_str().ok()).unwrap_or_default();
    let token = if field.is_empty() { header } else { field };
    csrf::matches(token, secret)
}
