//! The connections of one user: which are kept, which is taken, when one is opened.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use futures::future::BoxFuture;

use crate::{
    config::{ConnectionReuse, HttpVersion},
    observe::ErrorClass,
};

use super::{
    MOST_CONNECTIONS,
    dial::{Origin, dial},
    exchange::{Answer, Broken, Message},
    failure::Failure,
    http1::Http1,
    http2::{self, Driver, Session},
    policy::Policy,
    wire::Traffic,
};

/// A connection at the disposal of one request. In a box, because it is moved about, and is part of
/// the state of every request under way.
pub(super) enum Connection {
    /// Nobody else uses it meanwhile.
    Http1(Box<Http1>),
    /// Others may use it as well.
    Http2(Box<Session>),
}

impl Connection {
    pub(super) fn traffic(&self) -> &Arc<Traffic> {
        match self {
            Self::Http1(connection) => connection.traffic(),
            Self::Http2(session) => session.traffic(),
        }
    }

    pub(super) async fn exchange(&mut self, message: &Message<'_>, limit: u64) -> Result<Answer, Broken> {
        match self {
            Self::Http1(connection) => connection.exchange(message, limit).await,
            Self::Http2(session) => session.exchange(message, limit).await,
        }
    }
}

#[derive(Default)]
pub(super) struct Pool {
    /// Behind a lock because requests sent at once share it; never held across a wait.
    kept: Mutex<Kept>,
    /// Held while a connection is opened that others may be able to share.
    opening: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Kept {
    #[expect(clippy::vec_box, reason = "it stays in the box that it was made in")]
    idle: Vec<Box<Http1>>,
    multiplexed: Vec<Multiplexed>,
    /// Origins that were asked for HTTP/2 and speak 1.1.
    simple: Vec<Origin>,
}

/// An HTTP/2 connection that has not ended.
struct Multiplexed {
    /// None if no more requests shall be sent over it.
    session: Option<Session>,
    driver: Driver,
}

impl Pool {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for something that may need HTTP/2 connections to be driven. Must be around all that
    /// uses this pool. What is waited for is pinned by the caller: moved in here, it would take its
    /// room twice.
    pub(super) async fn drive<F: Future + Unpin>(&self, mut wanted: F) -> F::Output {
        poll_fn(|cx| {
            let output = Pin::new(&mut wanted).poll(cx);
            // After the end as well, so that the peer hears at once what was taken back.
            let again = self.poll_drivers(cx) && output.is_pending();
            if again { Pin::new(&mut wanted).poll(cx) } else { output }
        })
        .await
    }

    /// Answers whether there was anything to drive.
    fn poll_drivers(&self, cx: &mut Context<'_>) -> bool {
        let multiplexed = &mut self.kept().multiplexed;
        let some = !multiplexed.is_empty();
        multiplexed.retain_mut(|connection| connection.driver.poll(cx).is_pending());
        some
    }

    /// A kept connection that the peer has not closed.
    pub(super) async fn take(&self, origin: &Origin) -> Option<Connection> {
        loop {
            let taken = self.kept().take(origin)?;
            match taken {
                Connection::Http1(mut connection) => {
                    if connection.is_ready().await {
                        return Some(Connection::Http1(connection));
                    }
                }
                Connection::Http2(mut session) => {
                    let ready = poll_fn(|cx| {
                        self.poll_drivers(cx);
                        Poll::Ready(session.is_ready(cx))
                    });
                    if ready.await {
                        return Some(Connection::Http2(session));
                    }
                    self.retire(&session);
                }
            }
        }
    }

    /// Opens a connection within `at_most`, or takes one that was opened meanwhile. Answers whether
    /// it has been used before.
    ///
    /// In a box of a function's own, as is whatever is large and seldom needed: neither the state of
    /// every request nor the stack of every fiber shall have room for it.
    #[inline(never)]
    pub(super) fn open<'a>(
        &'a self,
        origin: &'a Origin,
        policy: &'a Policy,
        at_most: Duration,
    ) -> BoxFuture<'a, Result<(Connection, bool), Failure>> {
        let opening = async move {
            // What others may be able to share is not opened twice at a time.
            let mut turn = None;
            if self.may_be_shared(origin, policy) {
                turn = Some(self.opening.lock().await);
                if let Some(connection) = self.take(origin).await {
                    return Ok((connection, true));
                }
            }
            // It may have turned out meanwhile that nothing can be shared.
            turn.take_if(|_| !self.may_be_shared(origin, policy));
            self.open_another(origin, policy).await.map(|connection| (connection, false))
        };
        Box::pin(async move {
            tokio::time::timeout(at_most, opening).await.unwrap_or_else(|_| {
                let because = format!("{}: no connection after {at_most:?}", origin.place());
                Err(Failure::new(ErrorClass::ConnectTimeout, because))
            })
        })
    }

    fn may_be_shared(&self, origin: &Origin, policy: &Policy) -> bool {
        policy.reuse != ConnectionReuse::Never
            && match policy.version {
                HttpVersion::Auto => origin.tls && !self.kept().simple.contains(origin),
                HttpVersion::Http1 => false,
                HttpVersion::Http2 => true,
            }
    }

    async fn open_another(&self, origin: &Origin, policy: &Policy) -> Result<Connection, Failure> {
        let wire = dial(origin, &policy.tls).await?;
        let agreed = wire.agreed_on_http2();
        if policy.version == HttpVersion::Http2 && origin.tls && !agreed {
            let because = format!("{}: the peer does not offer HTTP/2", origin.place());
            return Err(Failure::new(ErrorClass::Protocol, because));
        }
        let once = policy.reuse == ConnectionReuse::Never;
        if !agreed && policy.version != HttpVersion::Http2 {
            if policy.version == HttpVersion::Auto && origin.tls {
                self.kept().remember_as_simple(origin);
            }
            return Ok(Connection::Http1(Box::new(Http1::new(origin.clone(), wire, once))));
        }
        let (session, driver) = http2::begin(origin.clone(), wire).await?;
        self.kept().add(Multiplexed { session: (!once).then(|| session.clone()), driver });
        Ok(Connection::Http2(Box::new(session)))
    }

    /// Takes back a connection whose exchange went well.
    pub(super) fn give_back(&self, connection: Connection) {
        let Connection::Http1(connection) = connection else { return };
        if !connection.rests() {
            return;
        }
        let mut kept = self.kept();
        if kept.idle.len() < MOST_CONNECTIONS as usize {
            kept.idle.push(connection);
        }
    }

    /// Sends no more requests over a connection. What is under way on it goes on.
    pub(super) fn retire(&self, session: &Session) {
        for connection in &mut self.kept().multiplexed {
            connection.session.take_if(|known| known.is(session));
        }
    }

    /// Closes all connections.
    pub(super) fn clear(&self) {
        let mut kept = self.kept();
        kept.idle.clear();
        kept.multiplexed.clear();
    }
}

impl Kept {
    fn take(&mut self, origin: &Origin) -> Option<Connection> {
        if let Some(place) = self.idle.iter().rposition(|connection| connection.origin == *origin) {
            return Some(Connection::Http1(self.idle.swap_remove(place)));
        }
        let mut sessions = self.multiplexed.iter().filter_map(|connection| connection.session.as_ref());
        sessions.find(|session| *session.origin == *origin).cloned().map(Box::new).map(Connection::Http2)
    }

    fn add(&mut self, connection: Multiplexed) {
        if self.multiplexed.len() >= MOST_CONNECTIONS as usize
            && let Some(oldest) = self.multiplexed.iter_mut().find(|known| known.session.is_some())
        {
            oldest.session = None;
        }
        self.multiplexed.push(connection);
    }

    fn remember_as_simple(&mut self, origin: &Origin) {
        if self.simple.len() >= MOST_CONNECTIONS as usize {
            self.simple.clear();
        }
        if !self.simple.contains(origin) {
            self.simple.push(origin.clone());
        }
    }
}

/// Gives up a connection that stays silent: dropped before [`Watch::over`], the exchange was given
/// up, and if nothing at all came meanwhile, others shall not wait in vain as well.
pub(super) struct Watch<'a> {
    pool: &'a Pool,
    session: Option<Box<Session>>,
    received: u64,
}

impl<'a> Watch<'a> {
    pub(super) fn new(pool: &'a Pool, connection: &Connection) -> Self {
        let session = match connection {
            Connection::Http1(_) => None,
            Connection::Http2(session) => Some(session.clone()),
        };
        Self { pool, session, received: connection.traffic().received() }
    }

    pub(super) fn over(mut self) {
        self.session = None;
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if let Some(session) = &self.session
            && session.traffic().received() == self.received
        {
            self.pool.retire(session);
        }
    }
}
