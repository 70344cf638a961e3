//! Signing in, staying signed in, and pages.

use assay_sdk::{
    Failure, Result,
    http::{self, Request, Response},
    metrics,
};

use crate::Account;

/// A browser that is signed in.
#[derive(Debug)]
pub struct Session {
    account: Account,
    /// The shop showed the sign-in form in place of a page: the session is gone.
    signed_out: bool,
}

impl Session {
    /// Signs in through the form and ends up on the dashboard.
    ///
    /// # Errors
    ///
    /// Whatever the shop answers instead.
    pub fn sign_in(account: Account) -> Result<Self> {
        let form = http::get("/login/").send()?.expected()?;
        let token = csrf_token(&form)?;
        let fields = [
            ("username", account.name.as_str()),
            ("password", account.password.as_str()),
            ("csrfmiddlewaretoken", token.as_str()),
            ("next", "/dashboard/"),
        ];
        let page = http::post("/login/").form(fields).send()?.expected()?;
        page.check(!shows_sign_in(&page), "the shop did not accept the account")?;
        Ok(Self { account, signed_out: false })
    }

    /// A session whose cookies the browser already has.
    pub fn restored(account: Account) -> Self {
        Self { account, signed_out: false }
    }

    /// Whose session it is.
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// Gets a page. Signs in anew first if the session turned out to be gone, as a person would.
    ///
    /// # Errors
    ///
    /// An unexpected answer, or the sign-in form in place of the page.
    pub fn page(&mut self, request: Request) -> Result<Response> {
        if self.signed_out {
            http::reset();
            *self = Self::sign_in(self.account.clone())?;
        }
        let page = request.send()?.expected()?;
        self.signed_out = shows_sign_in(&page);
        metrics::still_signed_in(!self.signed_out);
        page.check(!self.signed_out, "signed out")?;
        Ok(page)
    }

    /// Gets a page for the token of its form.
    ///
    /// # Errors
    ///
    /// As [`Session::page`], or a page without a form.
    pub fn token(&mut self, path: &str) -> Result<String> {
        csrf_token(&self.page(http::get(path))?)
    }
}

/// The token that a form of this page must bring back.
///
/// # Errors
///
/// If the page has none; its sample is then a failure.
pub(crate) fn csrf_token(page: &Response) -> Result<String, Failure> {
    page.capture(r#"name="csrfmiddlewaretoken" value="([^"]+)""#)
        .ok_or_else(|| page.fail("no CSRF token in the form"))
}

fn shows_sign_in(page: &Response) -> bool {
    // The path alone decides: pages link to the form with other queries.
    let url = page.url();
    url.split('?').next().is_some_and(|path| path.ends_with("/login/"))
}
