//! One HTTP/1.1 connection, driven by whoever uses it.
//!
//! Our own, and not the HTTP library's, because this is where a load generator spends its time: no
//! task or channel per connection, nothing that is kept between requests but the socket, one read and
//! one write per exchange. Nothing is polled while the user thinks; whether the peer hung up
//! meanwhile is seen when the connection is used next.

mod decode;
mod encode;

use std::{
    cell::RefCell,
    future::poll_fn,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::Method;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{
    dial::Origin,
    exchange::{Answer, Broken, Message},
    failure::Failure,
    wire::{Traffic, Wire},
};
use decode::{Decoded, Decoder};
pub(super) use encode::lines;

/// What is read at a time.
const SCRATCH: usize = 32 << 10;

thread_local! {
    /// Where bytes are on their way from a socket to an answer: one place for all users of a thread,
    /// in the cache and not in every connection.
    static SCRATCH_SPACE: RefCell<Box<[u8]>> = RefCell::new(vec![0; SCRATCH].into());
}

pub(super) struct Http1 {
    pub origin: Origin,
    wire: Wire,
    /// Used for one request only, which says so to the peer.
    once: bool,
    /// It is between two requests, and the peer has agreed to a next one.
    rests: bool,
}

impl Http1 {
    pub(super) fn new(origin: Origin, wire: Wire, once: bool) -> Self {
        Self { origin, wire, once, rests: true }
    }

    pub(super) fn traffic(&self) -> &Arc<Traffic> {
        self.wire.traffic()
    }

    /// May it be kept for another request?
    pub(super) fn rests(&self) -> bool {
        self.rests
    }

    /// Has the peer not hung up since? Nor said anything unasked.
    pub(super) async fn is_ready(&mut self) -> bool {
        self.rests && poll_fn(|cx| Poll::Ready(self.wire.is_silent(cx))).await
    }

    /// Sends a request and reads its answer to the end, up to `limit` bytes of body.
    pub(super) async fn exchange(&mut self, message: &Message<'_>, limit: u64) -> Result<Answer, Broken> {
        self.rests = false;
        let before = self.traffic().received();
        let mut sending = Sending::new(encode::encode(message, self.once));
        let mut decoder = Decoder::new(*message.method == Method::HEAD, limit);
        let decoded = poll_fn(|cx| {
            // Sending and reading go side by side: a peer may answer before it has the whole request,
            // and then read no more of it.
            sending.poll(cx, &mut self.wire);
            self.poll_answer(cx, &mut decoder)
        })
        .await;
        match decoded {
            Ok(Decoded { answer, lasts }) => {
                self.rests = lasts && sending.is_over() && !self.once;
                Ok(answer)
            }
            Err(failure) => Err(Broken {
                unanswered: self.traffic().received() == before,
                unsent: sending.broken && sending.sent == 0,
                failure,
            }),
        }
    }

    fn poll_answer(&mut self, cx: &mut Context<'_>, decoder: &mut Decoder) -> Poll<Result<Decoded, Failure>> {
        SCRATCH_SPACE.with_borrow_mut(|scratch| {
            loop {
                let mut buffer = ReadBuf::new(scratch);
                let read = ready!(Pin::new(&mut self.wire).poll_read(cx, &mut buffer));
                let decoded = match read {
                    Err(error) => return Poll::Ready(Err(Failure::exchanging(&self.origin.place(), &error))),
                    Ok(()) if buffer.filled().is_empty() => decoder.end().map(Some),
                    Ok(()) => decoder.take(buffer.filled()),
                };
                match decoded {
                    Ok(None) => {}
                    Ok(Some(decoded)) => return Poll::Ready(Ok(decoded)),
                    Err(fault) => {
                        let because = format!("{}: {fault}", self.origin.place());
                        return Poll::Ready(Err(Failure::new(fault.class(), because)));
                    }
                }
            }
        })
    }
}

/// A request on its way out.
struct Sending {
    /// Given back when all was sent: it would only lie there until there is an answer.
    request: Vec<u8>,
    sent: usize,
    flushed: bool,
    /// The peer takes no more. It may have answered all the same, so that is not the end.
    broken: bool,
}

impl Sending {
    fn new(request: Vec<u8>) -> Self {
        Self { request, sent: 0, flushed: false, broken: false }
    }

    fn is_over(&self) -> bool {
        self.request.is_empty() && self.flushed
    }

    /// Sends what can be sent now.
    fn poll(&mut self, cx: &mut Context<'_>, wire: &mut Wire) {
        while !self.broken && !self.is_over() {
            let sent = match &self.request[self.sent..] {
                [] => Pin::new(&mut *wire).poll_flush(cx).map_ok(|()| {
                    self.flushed = true;
                    (self.request, self.sent) = (Vec::new(), 0);
                }),
                rest => Pin::new(&mut *wire).poll_write(cx, rest).map(|written| match written? {
                    0 => Err(io::ErrorKind::WriteZero.into()),
                    written => {
                        self.sent += written;
                        Ok(())
                    }
                }),
            };
            match sent {
                Poll::Pending => return,
                Poll::Ready(sent) => self.broken = sent.is_err(),
            }
        }
    }
}
