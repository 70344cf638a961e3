//! One HTTP/2 connection, shared by all requests of a user to one origin.
//!
//! As with HTTP/1.1 there is no task per connection: requests wait on their own streams, and
//! whoever waits for all of them together, which is the user's task, drives the connection with
//! [`Driver::poll`]. Not the requests themselves: a connection wakes only who polled it last, and
//! that request may be the first to have its answer. Pings that come while the user thinks are
//! answered when it goes on.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures::future::BoxFuture;
use h2::{
    RecvStream,
    client::{Builder, Connection, SendRequest},
};
use http::{
    HeaderMap, HeaderName, Request, Uri, Version,
    header::{CONNECTION, CONTENT_LENGTH, HOST},
    uri::{self, Authority, Scheme},
};

use crate::observe::ErrorClass;

use super::{
    body,
    dial::Origin,
    exchange::{Answer, Broken, HEAD, Message},
    failure::Failure,
    wire::{Traffic, Wire},
};

/// How much may be under way towards this user: in one answer, and in all of a connection. What
/// has come is taken at once, so this bounds what a peer can make wait here.
const WINDOW: u32 = 256 << 10;
const CONNECTION_WINDOW: u32 = 1 << 20;

/// What belongs to an HTTP/1.1 connection and must not be sent over this one.
const HOP_BY_HOP: [HeaderName; 3] =
    [CONNECTION, HeaderName::from_static("keep-alive"), HeaderName::from_static("proxy-connection")];

/// A way to send requests over the connection. Clones share it.
#[derive(Clone)]
pub(super) struct Session {
    pub origin: Arc<Origin>,
    sender: SendRequest<Bytes>,
    traffic: Arc<Traffic>,
}

/// What has to be polled for anything to happen on the connection.
pub(super) struct Driver(Box<Connection<Wire, Bytes>>);

/// Begins to speak HTTP/2; what the peer says to that comes with the first request.
#[inline(never)]
pub(super) fn begin(origin: Origin, wire: Wire) -> BoxFuture<'static, Result<(Session, Driver), Failure>> {
    Box::pin(async move {
        let traffic = wire.traffic().clone();
        let (sender, connection) = Builder::new()
            .enable_push(false)
            .max_header_list_size(HEAD as u32)
            .initial_window_size(WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .handshake(wire)
            .await
            .map_err(|error| Failure::multiplexing(&origin.place(), &error))?;
        let session = Session { origin: Arc::new(origin), sender, traffic };
        Ok((session, Driver(Box::new(connection))))
    })
}

impl Driver {
    /// Ready once the connection has ended; how, its streams have been told.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut *self.0).poll(cx).map(|_| ())
    }
}

impl Session {
    pub(super) fn traffic(&self) -> &Arc<Traffic> {
        &self.traffic
    }

    /// Are these the same connection?
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.traffic, &other.traffic)
    }

    /// Can it take a request? Not once the peer has said goodbye.
    pub(super) fn is_ready(&mut self, cx: &mut Context<'_>) -> bool {
        matches!(self.sender.poll_ready(cx), Poll::Ready(Ok(())))
    }

    /// Sends a request and reads its answer to the end, up to `limit` bytes of body, while somebody
    /// else drives the connection.
    #[inline(never)]
    pub(super) fn exchange<'a>(
        &'a mut self,
        message: &'a Message<'_>,
        limit: u64,
    ) -> BoxFuture<'a, Result<Answer, Broken>> {
        Box::pin(self.ask(message, limit))
    }

    async fn ask(&mut self, message: &Message<'_>, limit: u64) -> Result<Answer, Broken> {
        let broken = |unsent: bool, error: &h2::Error| Broken {
            failure: Failure::multiplexing(&self.origin.place(), error),
            unanswered: error.is_io() || error.is_go_away() && error.is_remote(),
            unsent: unsent || was_refused(error),
        };
        let (head, body) = (self.address(message)?, message.body.clone());
        let (answer, mut sending) =
            self.sender.send_request(head, body.is_empty()).map_err(|error| broken(true, &error))?;
        if !body.is_empty() {
            sending.send_data(body, true).map_err(|error| broken(false, &error))?;
        }
        let (head, body) = answer.await.map_err(|error| broken(false, &error))?.into_parts();
        let body = self.read(&head.headers, body, limit).await?;
        let headers = head.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        Ok(Answer { status: head.status, headers, body })
    }

    async fn read(&self, headers: &HeaderMap, body: RecvStream, limit: u64) -> Result<Vec<u8>, Failure> {
        let mut body = body;
        let announced = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        if !body.is_end_stream() && announced.unwrap_or(0) > limit {
            return Err(body::too_long(&self.origin, limit));
        }
        let mut whole = Vec::new();
        while let Some(data) = body.data().await {
            let data = data.map_err(|error| Failure::multiplexing(&self.origin.place(), &error))?;
            // It cannot fail with what was received.
            let _ = body.flow_control().release_capacity(data.len());
            body::append(&mut whole, data, &self.origin, limit)?;
        }
        Ok(whole)
    }

    /// The message as HTTP/2 has it: with the whole address in place of the `host` header.
    fn address(&self, message: &Message<'_>) -> Result<Request<()>, Failure> {
        let mut head = Request::new(());
        *head.version_mut() = Version::HTTP_2;
        *head.method_mut() = message.method.clone();
        let headers = head.headers_mut();
        for (name, value) in message.headers().filter(|(name, _)| !HOP_BY_HOP.contains(name)) {
            headers.append(name, value.clone());
        }
        if !message.body.is_empty() {
            headers.insert(CONTENT_LENGTH, message.body.len().into());
        }
        let host = headers.remove(HOST);
        let mut uri = uri::Parts::default();
        uri.path_and_query = Some(message.route.target.clone());
        uri.scheme = Some(if self.origin.tls { Scheme::HTTPS } else { Scheme::HTTP });
        uri.authority = host.and_then(|host| Authority::try_from(host.as_bytes()).ok());
        *head.uri_mut() = Uri::from_parts(uri).map_err(|error| {
            let because = format!("{}: this cannot be asked over HTTP/2: {error}", self.origin.place());
            Failure::new(ErrorClass::Protocol, because)
        })?;
        Ok(head)
    }
}

/// Did the peer say that it has not acted on the request? By refusing its stream, or by a goodbye
/// that names an earlier one as the last.
fn was_refused(error: &h2::Error) -> bool {
    let reason = error.reason();
    error.is_remote()
        && (error.is_reset() && reason == Some(h2::Reason::REFUSED_STREAM)
            || error.is_go_away() && reason == Some(h2::Reason::NO_ERROR))
}
