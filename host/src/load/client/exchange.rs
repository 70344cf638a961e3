//! One request and its answer, over a kept connection or a new one.

use std::{sync::Arc, time::Duration};

use assay_bindings::Headers;
use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Method, StatusCode,
    header::{ACCEPT, ACCEPT_ENCODING, COOKIE, HOST, USER_AGENT},
};

use super::{
    body,
    failure::Failure,
    policy::Policy,
    pool::{Connection, Pool, Watch},
    route::Route,
    wire::Traffic,
};

/// Largest head of an answer.
pub(super) const HEAD: usize = 64 << 10;

/// What every request says unless the plugin says it otherwise.
static DEFAULTS: [(HeaderName, HeaderValue); 3] = [
    (USER_AGENT, HeaderValue::from_static(concat!("assay/", env!("CARGO_PKG_VERSION")))),
    (ACCEPT, HeaderValue::from_static("*/*")),
    (ACCEPT_ENCODING, HeaderValue::from_static("gzip, deflate")),
];

/// What the host says in every request to this one.
pub(super) fn defaults(host: &HeaderValue) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
    std::iter::once((&HOST, host)).chain(DEFAULTS.iter().map(|(name, value)| (name, value)))
}

/// A request, in no version's form yet.
pub(super) struct Message<'a> {
    pub method: &'a Method,
    pub route: &'a Route,
    /// The plugin's own.
    pub own: &'a [(HeaderName, HeaderValue)],
    /// The jar's.
    pub cookies: Option<HeaderValue>,
    pub body: &'a Bytes,
}

impl Message<'_> {
    /// The plugin's headers, and the host's where the plugin gave none of that name; neither the jar's
    /// cookies, nor any that says how long the body is.
    pub(super) fn said(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        let own = self.own.iter().map(|(name, value)| (name, value));
        let defaults = defaults(&self.route.host);
        own.chain(defaults.filter(|(name, _)| self.own.iter().all(|(own, _)| own != *name)))
    }

    /// All of them. Cookies that the plugin gave itself go along, in a header of their own.
    pub(super) fn headers(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        self.said().chain(self.cookies.iter().map(|cookies| (&COOKIE, cookies)))
    }
}

/// An answer, read to its end.
#[derive(Debug)]
pub(super) struct Answer {
    pub status: StatusCode,
    pub headers: Headers,
    pub body: Vec<u8>,
}

/// How an exchange failed on its connection.
pub(super) struct Broken {
    pub failure: Failure,
    /// The connection broke before anything of the answer had come.
    pub unanswered: bool,
    /// The peer did not get the request, or said that it has not acted on it.
    pub unsent: bool,
}

impl From<Failure> for Broken {
    fn from(failure: Failure) -> Self {
        Self { failure, unanswered: false, unsent: false }
    }
}

/// What an exchange needs beside its request.
pub(super) struct Terms<'a> {
    pub policy: &'a Policy,
    pub connect_timeout: Duration,
    /// Most bytes of a body, packed and unpacked.
    pub body_limit: u64,
    /// Doing it twice is doing it once.
    pub idempotent: bool,
}

/// Counts the bytes of an exchange, also when it is given up in its middle.
///
/// Requests that share a connection at the same time share its bytes as well: each counts what
/// nobody has counted before it, so that the sum is right.
#[derive(Debug, Default)]
pub(super) struct Meter {
    before: (u64, u64),
    current: Option<Arc<Traffic>>,
}

impl Meter {
    fn follow(&mut self, traffic: &Arc<Traffic>) {
        self.before = self.count();
        self.current = Some(traffic.clone());
    }

    /// Bytes sent and received so far.
    pub(super) fn count(&mut self) -> (u64, u64) {
        let (sent, received) = self.current.as_ref().map_or((0, 0), |traffic| traffic.count());
        self.before = (self.before.0 + sent, self.before.1 + received);
        self.before
    }
}

/// Exchanges a request for its answer, and unpacks it.
///
/// A connection that was kept may have been closed by the peer just when the request left. If then
/// not a single byte was answered, the request is sent once more, within the same sample: always if
/// the peer cannot have acted on it, else only if it is idempotent.
pub(super) async fn exchange(
    pool: &Pool,
    message: &Message<'_>,
    terms: &Terms<'_>,
    meter: &mut Meter,
) -> Result<Answer, Failure> {
    let origin = &message.route.origin;
    let mut kept = pool.take(origin).await;
    let mut repeated = false;
    loop {
        let (connection, used) = match kept.take() {
            Some(connection) => (connection, true),
            None => pool.open(origin, terms.policy, terms.connect_timeout).await?,
        };
        match attempt(pool, connection, message, terms, meter).await {
            Ok(answer) => return Ok(answer),
            Err(broken) if used && !repeated && (broken.unsent || broken.unanswered && terms.idempotent) => {
                repeated = true;
            }
            Err(broken) => return Err(broken.failure),
        }
    }
}

async fn attempt(
    pool: &Pool,
    mut connection: Connection,
    message: &Message<'_>,
    terms: &Terms<'_>,
    meter: &mut Meter,
) -> Result<Answer, Broken> {
    meter.follow(connection.traffic());
    let watch = Watch::new(pool, &connection);
    let exchanged = connection.exchange(message, terms.body_limit).await;
    watch.over();
    let answer = match exchanged {
        Ok(answer) => answer,
        Err(broken) => {
            if let Connection::Http2(session) = &connection
                && (broken.unsent || broken.unanswered)
            {
                pool.retire(session);
            }
            return Err(broken);
        }
    };
    pool.give_back(connection);
    let body = body::unpack(&answer.headers, answer.body, terms.body_limit)?;
    Ok(Answer { body, ..answer })
}
