//! Opening a wire to an origin.

use std::{net::SocketAddr, sync::Arc};

use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{net::TcpStream, task::JoinHandle};
use tokio_rustls::TlsConnector;
use tokio_util::task::AbortOnDropHandle;

use crate::observe::ErrorClass;

use super::{failure::Failure, wire::Wire};

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

/// Connects, and agrees on TLS where the origin has it.
pub(super) async fn dial(origin: &Origin, tls: &Arc<ClientConfig>) -> Result<Wire, Failure> {
    if !origin.tls {
        return connect(origin).await.map(Wire::plain);
    }
    let shaking = AbortOnDropHandle::new(begin_shaking(origin.clone(), tls.clone()));
    shaking.await.unwrap_or_else(|error| {
        Err(Failure::new(ErrorClass::Tls, format!("the TLS handshake broke down: {error}")))
    })
}

/// On a task of its own: requests run on the stack of the plugin's fiber, and a handshake may need
/// more than is left there.
#[inline(never)]
fn begin_shaking(origin: Origin, tls: Arc<ClientConfig>) -> JoinHandle<Result<Wire, Failure>> {
    tokio::spawn(async move { shake_hands(&origin, tls).await })
}

async fn shake_hands(origin: &Origin, tls: Arc<ClientConfig>) -> Result<Wire, Failure> {
    let place = origin.place();
    let name = ServerName::try_from(origin.host.clone())
        .map_err(|error| Failure::new(ErrorClass::Tls, format!("{place}: {error}")))?;
    let stream = connect(origin).await?;
    let shaken = TlsConnector::from(tls).connect(name, stream).await;
    shaken.map(Wire::tls).map_err(|error| Failure::shaking_hands(&place, &error))
}

/// Connects to the first address of the origin that takes the connection.
async fn connect(origin: &Origin) -> Result<TcpStream, Failure> {
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
