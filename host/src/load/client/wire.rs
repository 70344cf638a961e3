//! The bytes of a connection: plain or TLS, counted.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;

/// How much went over a connection so far. Shared with whoever counts, also after the connection is
/// gone; but only by what belongs to one user, and so to one task, which is why adding to a number
/// need not be one step.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    sent: AtomicU64,
    received: AtomicU64,
    /// How much of it was counted as some request's.
    counted: (AtomicU64, AtomicU64),
}

impl Traffic {
    /// Bytes received over its whole life; readable even after it is gone.
    pub(super) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Bytes sent and received that have not been counted before.
    pub(super) fn count(&self) -> (u64, u64) {
        let count = |all: &AtomicU64, counted: &AtomicU64| {
            let all = all.load(Ordering::Relaxed);
            let before = counted.load(Ordering::Relaxed);
            counted.store(all, Ordering::Relaxed);
            all.saturating_sub(before)
        };
        (count(&self.sent, &self.counted.0), count(&self.received, &self.counted.1))
    }
}

fn add(number: &AtomicU64, more: usize) {
    number.store(number.load(Ordering::Relaxed).wrapping_add(more as u64), Ordering::Relaxed);
}

/// A connection whose bytes are counted, above TLS.
#[derive(Debug)]
pub(super) struct Wire {
    stream: Stream,
    traffic: Arc<Traffic>,
}

#[derive(Debug)]
enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Wire {
    pub(super) fn plain(stream: TcpStream) -> Self {
        Self { stream: Stream::Plain(stream), traffic: Arc::default() }
    }

    pub(super) fn tls(stream: TlsStream<TcpStream>) -> Self {
        Self { stream: Stream::Tls(Box::new(stream)), traffic: Arc::default() }
    }

    pub(super) fn traffic(&self) -> &Arc<Traffic> {
        &self.traffic
    }

    /// Did the peer agree, while shaking hands, to speak HTTP/2?
    pub(super) fn agreed_on_http2(&self) -> bool {
        match &self.stream {
            Stream::Plain(_) => false,
            Stream::Tls(stream) => stream.get_ref().1.alpn_protocol() == Some(b"h2"),
        }
    }

    /// Is there nothing to read, not even the end?
    pub(super) fn is_silent(&mut self, cx: &mut Context<'_>) -> bool {
        let mut byte = [0];
        match &mut self.stream {
            // Asks what is known already, and for no wake-up.
            Stream::Plain(stream) => {
                stream.try_read(&mut byte).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
            }
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, &mut ReadBuf::new(&mut byte)).is_pending(),
        }
    }

    fn wrote(&self, written: usize) -> usize {
        add(&self.traffic.sent, written);
        written
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        })?;
        let read = buffer.filled().len() - before;
        add(&self.traffic.received, read);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Stream::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        })?;
        Poll::Ready(Ok(self.wrote(written)))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Stream::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        })?;
        Poll::Ready(Ok(self.wrote(written)))
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Plain(stream) => stream.is_write_vectored(),
            Stream::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
