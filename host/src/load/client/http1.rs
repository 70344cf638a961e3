//! One HTTP/1.1 connection, driven by whoever uses it.
//!
//! The HTTP library splits a connection into a sender and a driver that somebody has to poll. Most
//! programs spawn the driver as a task; here the user's own task polls it while it waits for an
//! answer. That saves a task per connection and two switches per request. Nothing is polled while
//! the user thinks; whether the peer hung up meanwhile is seen when the connection is used next.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue,
    header::{CONNECTION, Entry, TRANSFER_ENCODING},
};
use http_body_util::{BodyExt, Full};
use hyper::{
    body::{Body, Incoming},
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;

use crate::observe::ErrorClass;

use super::{
    body,
    dial::Origin,
    exchange::{Answer, Broken, HEAD, Message},
    failure::Failure,
    wire::{Traffic, Wire},
};

type Driver = http1::Connection<TokioIo<Wire>, Full<Bytes>>;

pub(super) struct Http1 {
    pub origin: Origin,
    sender: SendRequest<Full<Bytes>>,
    /// Boxed, because a connection is moved in and out of a list. None once it has ended.
    driver: Option<Box<Driver>>,
    traffic: Arc<Traffic>,
    /// Used for one request only, which says so to the peer.
    once: bool,
}

impl Http1 {
    pub(super) async fn begin(origin: Origin, wire: Wire, once: bool) -> Result<Self, Failure> {
        let traffic = wire.traffic();
        let (sender, driver) = http1::Builder::new()
            .max_buf_size(HEAD)
            // Most requests are a head and nothing else: one plain write costs less than one of a list.
            .writev(false)
            .handshake(TokioIo::new(wire))
            .await
            .map_err(|error| Failure::exchanging(&origin.place(), &error))?;
        Ok(Self { origin, sender, driver: Some(Box::new(driver)), traffic, once })
    }

    pub(super) fn traffic(&self) -> &Arc<Traffic> {
        &self.traffic
    }

    /// Can it take a request right now? Notices a peer that has hung up.
    pub(super) async fn is_ready(&mut self) -> bool {
        poll_fn(|cx| {
            self.poll_driver(cx);
            Poll::Ready(matches!(self.sender.poll_ready(cx), Poll::Ready(Ok(()))))
        })
        .await
    }

    /// Sends a request and reads its answer to the end, up to `limit` bytes of body.
    pub(super) async fn exchange(&mut self, message: Message, limit: u64) -> Result<Answer, Broken> {
        let mut request = message.map(Full::new);
        if self.once
            && let Entry::Vacant(vacant) = request.headers_mut().entry(CONNECTION)
        {
            vacant.insert(HeaderValue::from_static("close"));
        }
        let received = self.traffic.received();
        let answer = self.sender.try_send_request(request);
        let (head, body) = match self.drive(answer).await {
            Ok(answer) => answer.into_parts(),
            Err(mut error) => {
                let unsent = error.take_message().is_some();
                let error = error.into_error();
                return Err(Broken {
                    failure: Failure::exchanging(&self.origin.place(), &error),
                    unanswered: !error.is_parse() && self.traffic.received() == received,
                    unsent,
                });
            }
        };
        if let Some(coding) = unknown_coding(&head.headers) {
            let because = format!("{}: the transfer coding {coding:?} is not known", self.origin.place());
            return Err(Failure::new(ErrorClass::Protocol, because).into());
        }
        let body = self.read(body, limit).await?;
        Ok(Answer { status: head.status, headers: head.headers, body })
    }

    async fn read(&mut self, mut body: Incoming, limit: u64) -> Result<Vec<u8>, Failure> {
        if body.size_hint().lower() > limit {
            return Err(body::too_long(&self.origin, limit));
        }
        let mut whole = Vec::new();
        while !body.is_end_stream() {
            let frame = match self.drive(body.frame()).await {
                Some(Ok(frame)) => frame,
                Some(Err(error)) => return Err(Failure::exchanging(&self.origin.place(), &error)),
                None => break,
            };
            if let Ok(data) = frame.into_data() {
                body::append(&mut whole, data, &self.origin, limit)?;
            }
        }
        Ok(whole)
    }

    /// Waits for something that needs this connection to be driven.
    async fn drive<F: Future>(&mut self, wanted: F) -> F::Output {
        let mut wanted = pin!(wanted);
        poll_fn(|cx| {
            // Asked first, because a body tells the driver only when asked that it is wanted; and
            // again after the driver went on, to not wait for a wake-up that is due at once.
            if let Poll::Ready(output) = wanted.as_mut().poll(cx) {
                return Poll::Ready(output);
            }
            self.poll_driver(cx);
            wanted.as_mut().poll(cx)
        })
        .await
    }

    fn poll_driver(&mut self, cx: &mut Context<'_>) {
        if let Some(driver) = &mut self.driver {
            // How it ended reaches whoever waits for an answer or a body.
            if Pin::new(&mut **driver).poll(cx).is_ready() {
                self.driver = None;
            }
        }
    }
}

/// A way to frame the body that the library takes for a body until the connection's end.
fn unknown_coding(headers: &HeaderMap) -> Option<&HeaderValue> {
    let known = |coding: &HeaderValue| {
        let coding = coding.as_bytes();
        coding.eq_ignore_ascii_case(b"chunked") || coding.eq_ignore_ascii_case(b"identity")
    };
    headers.get_all(TRANSFER_ENCODING).into_iter().find(|coding| !known(coding))
}
