//! Signing in and out, with the answers that Django gives.

use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::{Html, IntoResponse as _, Response};
use serde::Deserialize;
use tokio_postgres::types::Type;

use super::Shop;
use super::answer::{Fault, redirect};
use super::posted::Posted;
use super::visitor::{Forms, SESSION, cookie, set_cookie};
use crate::session::Session;
use crate::{html, password, session};

/// Where to go once signed in.
const HOME: &str = "/dashboard/";

/// What Django says, whichever of the two was wrong.
const WRONG: &str =
    "Please enter a correct username and password. Note that both fields may be case-sensitive.";

#[derive(Debug, Deserialize)]
pub(super) struct Next {
    #[serde(default)]
    next: String,
}

/// `GET /login/`
pub(super) async fn form(headers: HeaderMap, Query(query): Query<Next>) -> Response {
    page(&Forms::of(&headers), &query.next, "")
}

/// `POST /login/`
pub(super) async fn submit(
    State(shop): State<Shop>,
    headers: HeaderMap,
    posted: Posted,
) -> Result<Response, Fault> {
    let next = posted.field("next").to_owned();
    let Some(session) = check(&shop, posted.field("username"), posted.field("password")).await? else {
        return Ok(page(&Forms::of(&headers), &next, WRONG));
    };
    let key = session::open(&shop.store, &session, shop.session_lifetime).await??;
    let target = if is_local(&next) { &next } else { HOME };
    let mut response = redirect(target).or_else(|| redirect(HOME)).ok_or(Fault::Broken)?;
    let lifetime = format!("; HttpOnly; Max-Age={}", shop.session_lifetime.as_secs());
    set_cookie(&mut response, SESSION, Some(&key), &lifetime);
    // A secret that was known before signing in must not be of use after it.
    Forms::renewed().keep(&mut response);
    Ok(response)
}

/// `POST /logout/`
pub(super) async fn leave(
    State(shop): State<Shop>,
    headers: HeaderMap,
    _posted: Posted,
) -> Result<Response, Fault> {
    if let Some(key) = cookie(&headers, SESSION) {
        session::close(&shop.store, key).await?;
    }
    let mut response = redirect("/login/").ok_or(Fault::Broken)?;
    set_cookie(&mut response, SESSION, None, "; HttpOnly");
    Ok(response)
}

/// The user of that name and password.
async fn check(shop: &Shop, name: &str, given: &str) -> Result<Option<Session>, Fault> {
    let row = shop
        .database
        .read_opt(
            "SELECT users.id, users.tenant_id, users.name, tenants.name, users.password
             FROM users JOIN tenants ON tenants.id = users.tenant_id WHERE users.email = $1",
            &[(&name, Type::TEXT)],
        )
        .await?;
    let stored: Option<String> = row.as_ref().map(|row| row.get(4));
    let given = given.to_owned();
    // A hash is long enough to hold up the other requests of a thread.
    let is_right = tokio::task::spawn_blocking(move || match stored {
        Some(stored) => password::verify(&given, &stored),
        None => {
            password::verify_nobody(&given);
            false
        }
    })
    .await
    .map_err(anyhow::Error::from)?;
    Ok(row.filter(|_| is_right).map(|row| Session {
        user: row.get(0),
        tenant: row.get(1),
        name: row.get(2),
        shop: row.get(3),
    }))
}

/// Whether a target leads to a page of ours and not, by way of a signed-in user, to another site.
fn is_local(target: &str) -> bool {
    target.starts_with('/') && !target.starts_with("//") && !target.contains(['\\', '\r', '\n'])
}

fn page(forms: &Forms, next: &str, error: &str) -> Response {
    let error = match error {
        "" => String::new(),
        error => format!("<ul class=\"errorlist\"><li>{}</li></ul>", html::esc(error)),
    };
    let body = format!(
        "{error}<form method=\"post\" action=\"/login/\">{field}\
         <input type=\"hidden\" name=\"next\" value=\"{next}\">\
         <p><label>Username <input name=\"username\" autocomplete=\"username\" required></label></p>\
         <p><label>Password <input type=\"password\" name=\"password\" required></label></p>\
         <button>Sign in</button></form>",
        field = forms.field(),
        next = html::esc(next),
    );
    let mut response = Html(html::page("Sign in", "", &body)).into_response();
    forms.keep(&mut response);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sign_in_leads_nowhere_else() {
        assert!(is_local("/inventory/?page=2"));
        for target in
            ["", "https://evil.example/", "//evil.example/", "/\\evil.example", "inventory/", "/a\r\nb"]
        {
            assert!(!is_local(target), "{target}");
        }
    }
}
