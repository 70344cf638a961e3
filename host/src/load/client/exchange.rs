//! One request and its answer, over a kept connection or a new one.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};

use super::{
    body,
    dial::Origin,
    failure::Failure,
    policy::Policy,
    pool::{Connection, Pool, Watch},
    wire::Traffic,
};

/// Largest head of an answer, and the most that is buffered of an HTTP/1.1 connection.
pub(super) const HEAD: usize = 64 << 10;

/// A request as HTTP/1.1 has it: with a `host` header, and a path in place of a URL.
pub(super) type Message = Request<Bytes>;

/// An answer, read to its end.
#[derive(Debug)]
pub(super) struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
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
    pub origin: &'a Origin,
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
    message: impl Fn() -> Message,
    terms: &Terms<'_>,
    meter: &mut Meter,
) -> Result<Answer, Failure> {
    let mut kept = pool.take(terms.origin).await;
    let mut repeated = false;
    loop {
        let (connection, used) = match kept.take() {
            Some(connection) => (connection, true),
            None => pool.open(terms.origin, terms.policy, terms.connect_timeout).await?,
        };
        match attempt(pool, connection, message(), terms, meter).await {
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
    message: Message,
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
    pool.give_back(connection, terms.policy).await;
    let body = body::unpack(&answer.headers, answer.body, terms.body_limit)?;
    Ok(Answer { body, ..answer })
}
