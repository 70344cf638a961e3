//! One HTTP/1.1 connection, driven by whoever uses it.
//!
//! The HTTP library splits a connection into a sender and a driver that somebody has to poll. Most
//! programs spawn the driver as a task; here the user's own task polls it while it waits for an
//! answer. That saves a task per connection and two switches per request. Nothing is polled while
//! the user thinks; whether the peer hung up meanwhile is seen when the connection is used next.

use std::{
    future::{Future, poll_fn},
    net::SocketAddr,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::{
    body::Incoming,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_util::task::AbortOnDropHandle;

use crate::observe::ErrorClass;

use super::{
    failure::Failure,
    wire::{Traffic, Wire},
};

/// Largest head of an answer, and the most that is buffered of a connection.
const HEAD: usize = 64 << 10;

/// Where a connection leads: connections are used again for the same one only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    pub tls: bool,
    /// A name, or an address without brackets.
    pub host: String,
    pub port: u16,
}

impl Origin {
    /// For messages: `host:port`.
    pub(super) fn place(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

type Driver = http1::Connection<TokioIo<Wire>, Full<Bytes>>;

pub(super) struct Connection {
    pub origin: Origin,
    sender: SendRequest<Full<Bytes>>,
    /// Boxed, because a connection is moved in and out of a list. None once it has ended.
    driver: Option<Box<Driver>>,
    traffic: Arc<Traffic>,
}

impl Connection {
    /// Opens a connection, TLS handshake included.
    pub(super) async fn open(
        origin: &Origin,
        tls: &Arc<ClientConfig>,
        at_most: Duration,
    ) -> Result<Self, Failure> {
        match tokio::time::timeout(at_most, Self::open_unbounded(origin, tls)).await {
            Ok(opened) => opened,
            Err(_) => Err(Failure::new(
                ErrorClass::ConnectTimeout,
                format!("{}: no connection after {at_most:?}", origin.place()),
            )),
        }
    }

    async fn open_unbounded(origin: &Origin, tls: &Arc<ClientConfig>) -> Result<Self, Failure> {
        let wire = if origin.tls {
            // On a task of its own: requests run on the stack of the plugin's fiber, and a handshake
            // may need more than is left there.
            let (origin, tls) = (origin.clone(), tls.clone());
            let shaking = tokio::spawn(async move { shake_hands(&origin, tls).await });
            AbortOnDropHandle::new(shaking).await.unwrap_or_else(|error| {
                Err(Failure::new(ErrorClass::Tls, format!("the TLS handshake broke down: {error}")))
            })?
        } else {
            Wire::plain(dial(origin).await?)
        };
        let traffic = wire.traffic();
        let (sender, driver) = http1::Builder::new()
            .max_buf_size(HEAD)
            .handshake(TokioIo::new(wire))
            .await
            .map_err(|error| Failure::exchanging(&origin.place(), &error))?;
        let driver = Some(Box::new(driver));
        Ok(Self { origin: origin.clone(), sender, driver, traffic })
    }

    /// Bytes sent and received over its whole life; readable even after it is gone.
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

    /// Sends a request and waits for the head of its answer. On an error the request is handed
    /// back if nothing of it was sent.
    pub(super) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, (hyper::Error, Option<Request<Full<Bytes>>>)> {
        let answer = self.sender.try_send_request(request);
        self.drive(answer).await.map_err(|mut error| {
            let request = error.take_message();
            (error.into_error(), request)
        })
    }

    /// Waits for something that needs this connection to be driven.
    pub(super) async fn drive<F: Future>(&mut self, wanted: F) -> F::Output {
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

/// Connects, and agrees on TLS.
async fn shake_hands(origin: &Origin, tls: Arc<ClientConfig>) -> Result<Wire, Failure> {
    let place = origin.place();
    let name = ServerName::try_from(origin.host.clone())
        .map_err(|error| Failure::new(ErrorClass::Tls, format!("{place}: {error}")))?;
    let stream = dial(origin).await?;
    let shaken = TlsConnector::from(tls).connect(name, stream).await;
    shaken.map(Wire::tls).map_err(|error| Failure::shaking_hands(&place, &error))
}

/// Connects to the first address of the origin that takes the connection.
async fn dial(origin: &Origin) -> Result<TcpStream, Failure> {
    let place = origin.place();
    if let Ok(address) = origin.host.parse() {
        let address = SocketAddr::new(address, origin.port);
        let stream = TcpStream::connect(address).await;
        return stream.map(at_once).map_err(|error| Failure::connecting(&place, &error));
    }
    let addresses: Vec<SocketAddr> = tokio::net::lookup_host((origin.host.as_str(), origin.port))
        .await
        .map_err(|error| Failure::new(ErrorClass::NameResolution, format!("{}: {error}", origin.host)))?
        .collect();
    let mut last = None;
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(at_once(stream)),
            Err(error) => last = Some(error),
        }
    }
    Err(match last {
        Some(error) => Failure::connecting(&place, &error),
        None => Failure::new(ErrorClass::NameResolution, format!("{}: the name has no address", origin.host)),
    })
}

/// Small writes do not wait for one another. A refusal of that is no reason not to go on.
fn at_once(stream: TcpStream) -> TcpStream {
    let _ = stream.set_nodelay(true);
    stream
}
