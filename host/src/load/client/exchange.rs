//! One request and its answer, over a kept connection or a new one.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::Full;
use rustls::ClientConfig;

use super::{
    body,
    connection::{Connection, Origin},
    failure::Failure,
    wire::Traffic,
};

/// An answer, read to its end and unpacked.
#[derive(Debug)]
pub(super) struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

/// What an exchange needs beside its request.
pub(super) struct Terms<'a> {
    pub origin: &'a Origin,
    pub tls: &'a Arc<ClientConfig>,
    pub connect_timeout: Duration,
    pub body_limit: u64,
}

/// Counts the bytes of an exchange, also when it is given up in its middle.
#[derive(Debug, Default)]
pub(super) struct Meter {
    before: (u64, u64),
    current: Option<(Arc<Traffic>, (u64, u64))>,
}

impl Meter {
    fn follow(&mut self, connection: &Connection) {
        self.before = self.bytes();
        let traffic = connection.traffic();
        self.current = Some((traffic.clone(), traffic.so_far()));
    }

    /// Bytes sent and received so far.
    pub(super) fn bytes(&self) -> (u64, u64) {
        let (sent, received) = match &self.current {
            Some((traffic, start)) => {
                let now = traffic.so_far();
                (now.0 - start.0, now.1 - start.1)
            }
            None => (0, 0),
        };
        (self.before.0 + sent, self.before.1 + received)
    }
}

/// Exchanges a request for its answer, and gives back the connection if it can be used again.
///
/// A connection that was kept may have been closed by the peer just when the request left. If then
/// not a single byte was answered, the request is sent once more on a new connection, within the
/// same sample: always if nothing of it had been sent, else only if its method is idempotent,
/// because the peer may have acted on it.
pub(super) async fn exchange(
    kept: Option<Connection>,
    request: Request<Full<Bytes>>,
    terms: &Terms<'_>,
    meter: &mut Meter,
) -> (Result<Answer, Failure>, Option<Connection>) {
    let mut request = request;
    if let Some(connection) = kept {
        let again = may_repeat(request.method()).then(|| request.clone());
        match attempt(connection, request, terms, meter).await {
            Ok((answer, connection)) => return (Ok(answer), connection),
            Err(Broken { unsent: Some(unsent), .. }) => request = *unsent,
            Err(Broken { unanswered: true, failure, .. }) => match again {
                Some(again) => request = again,
                None => return (Err(failure), None),
            },
            Err(Broken { failure, .. }) => return (Err(failure), None),
        }
    }
    let connection = match Connection::open(terms.origin, terms.tls, terms.connect_timeout).await {
        Ok(connection) => connection,
        Err(failure) => return (Err(failure), None),
    };
    match attempt(connection, request, terms, meter).await {
        Ok((answer, connection)) => (Ok(answer), connection),
        Err(broken) => (Err(broken.failure), None),
    }
}

/// Doing it twice is doing it once.
fn may_repeat(method: &Method) -> bool {
    method.is_idempotent()
}

/// How an attempt failed.
struct Broken {
    failure: Failure,
    /// The connection broke before a byte was answered.
    unanswered: bool,
    /// The request, if nothing of it was sent.
    unsent: Option<Box<Request<Full<Bytes>>>>,
}

async fn attempt(
    mut connection: Connection,
    request: Request<Full<Bytes>>,
    terms: &Terms<'_>,
    meter: &mut Meter,
) -> Result<(Answer, Option<Connection>), Broken> {
    meter.follow(&connection);
    let (_, received) = connection.traffic().so_far();
    let (head, body) = match connection.send(request).await {
        Ok(answer) => answer.into_parts(),
        Err((error, unsent)) => {
            return Err(Broken {
                failure: Failure::exchanging(&terms.origin.place(), &error),
                unanswered: !error.is_parse() && connection.traffic().so_far().1 == received,
                unsent: unsent.map(Box::new),
            });
        }
    };
    let broken = |failure| Broken { failure, unanswered: false, unsent: None };
    let body = body::read(&mut connection, body, terms.body_limit).await.map_err(broken)?;
    let body = body::unpack(&head.headers, body, terms.body_limit).map_err(broken)?;
    // Asked right away, so that a connection that the peer closes is closed here too, and does not
    // hold a descriptor while the user thinks.
    let reusable = connection.is_ready().await;
    Ok((Answer { status: head.status, headers: head.headers, body }, reusable.then_some(connection)))
}
