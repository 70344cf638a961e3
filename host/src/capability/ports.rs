//! What capabilities act through. Rooms above implement these; capabilities know nothing of them.

use assay_bindings::{
    Response,
    imports::{http, types::Failure},
};
use futures::future::BoxFuture;

use crate::{environment::Inverse, observe::Nanos};

/// Carries out the HTTP requests of one plugin instance, with its cookies and connections.
///
/// The load room implements it for virtual users, where every hop is recorded; for faults there is
/// one that records nothing. The first URL of a request was checked against the grant; whoever
/// follows redirects checks every hop, by [`HttpGrant`](super::HttpGrant).
pub trait Browser: Send {
    /// Sends one request, follows redirects, reads the body to its end.
    fn send<'a>(
        &'a mut self,
        request: http::Request,
        deadline: Nanos,
    ) -> BoxFuture<'a, Result<Response, http::Error>>;

    /// Sends one request likewise, commits its sample, and lets go of the answer.
    fn visit<'a>(
        &'a mut self,
        request: http::Request,
        deadline: Nanos,
    ) -> BoxFuture<'a, Result<http::Visited, http::Error>>;

    /// Sends several over at most `connections` connections; answers in the order of the requests.
    fn send_all<'a>(
        &'a mut self,
        requests: Vec<http::Request>,
        connections: u32,
        deadline: Nanos,
    ) -> BoxFuture<'a, Vec<Result<Response, http::Error>>>;

    /// Turns an uncommitted sample into a failure of class `check`.
    fn fail(&mut self, sample: u64, reason: &str);
    /// Commits a sample. Unknown ones are ignored: `commit_all` may have been first.
    fn commit(&mut self, sample: u64);
    /// Commits what is left when an export returns.
    fn commit_all(&mut self);

    fn cookie(&self, name: &str) -> Option<String>;
    fn set_cookie(&mut self, name: &str, value: &str);
    /// Forgets cookies and closes connections.
    fn reset(&mut self);
}

/// Keeps the record of writes. Keys that break the rules are answered with what is wrong.
pub trait Ledger: Send + Sync {
    fn attempt(&self, behavior: &str, key: &str) -> Result<(), String>;
    fn confirm(&self, behavior: &str, key: &str) -> Result<(), String>;
    fn reject(&self, behavior: &str, key: &str) -> Result<(), String>;
}

/// Hands out rows of data that users share.
pub trait Feeds: Send + Sync {
    /// The row that is next for the user at this place among all that live, as a JSON object. `draw`
    /// answers the next number of its own random stream, any of the 2^64. Fails with `not-found`
    /// where there is no such feed, or no row for this place. That it is granted was checked.
    fn next(&self, feed: &str, place: u64, draw: &mut dyn FnMut() -> u64) -> Result<String, Failure>;
}

/// Takes the plugin's own figures.
pub trait Metrics: Send + Sync {
    fn check(&self, name: &str, passed: bool);
    fn count(&self, name: &str, amount: f64);
    fn trend(&self, name: &str, value: f64);
}

/// The journal of what must be undone: on disk, synced, before this returns.
pub trait Journal: Send + Sync {
    fn before(&self, fault: &str, inverse: &Inverse) -> std::io::Result<()>;
    /// What is to be undone now, a line each as on disk.
    fn pending_lines(&self) -> String;
}
