//! HTTP, as a browser's user has it: cookies are kept per instance, connections are reused,
//! redirects followed.
//!
//! In a behavior every hop is a recorded sample; in a fault none is. The run's target is always
//! granted to behaviors, every other host needs a grant. URLs are absolute, or paths that begin with
//! `/` and go to the run's target.
//!
//! ```
//! # use assay_sdk::{http, Result};
//! # fn sign_in() -> Result<()> {
//! let page = http::get("/login").send()?.expected()?;
//! let token = page.capture(r#"name="csrf" value="([^"]+)""#).ok_or_else(|| page.fail("no CSRF token"))?;
//! http::post("/login")
//!     .name("sign in")
//!     .form([("csrf", token.as_str()), ("user", "ada"), ("password", "secret")])
//!     .visit()
//! # }
//! ```

mod error;
mod request;
mod response;

pub use crate::bindings::imports::http::Method;
use crate::host;
pub use error::Error;
pub use request::{Request, delete, get, head, patch, post, put};
pub use response::Response;

/// Sends several requests over at most `connections` connections (1 to 16), as a browser loads a
/// page. At most 64 requests; answers come in their order.
pub fn send_all(
    requests: impl IntoIterator<Item = Request>,
    connections: u32,
) -> Vec<Result<Response, Error>> {
    let (mut sent, mut refused) = (Vec::new(), Vec::new());
    for request in requests {
        match request.into_raw() {
            Ok(request) => {
                sent.push(request);
                refused.push(None);
            }
            Err(error) => refused.push(Some(error)),
        }
    }
    let mut answers = host::http::send_all(&sent, connections).into_iter().zip(sent);
    let answered = |refused: Option<Error>| {
        refused.map_or(Ok(()), Err)?;
        let (answer, request) =
            answers.next().ok_or_else(|| Error::Protocol("the host answered too few".to_owned()))?;
        answer.map(|answer| Response::new(answer, request))
    };
    refused.into_iter().map(answered).collect()
}

/// The value of a cookie that would be sent to the run's target.
pub fn cookie(name: &str) -> Option<String> {
    host::http::cookie(name)
}

/// Sets a cookie for the run's target, path `/`. An empty value removes it.
pub fn set_cookie(name: &str, value: &str) {
    host::http::set_cookie(name, value);
}

/// Forgets cookies and closes connections: what signing in anew on a fresh browser is.
pub fn reset() {
    host::http::reset();
}
