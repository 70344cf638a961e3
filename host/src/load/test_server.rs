//! A server for tests that counts what it gets and answers what it is told to, good or bad.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

/// A request as it came over the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Got {
    /// 0, 1, 2, … in the order in which connections were accepted.
    pub connection: usize,
    pub line: String,
    /// As sent, one a line.
    pub headers: String,
    pub body: Vec<u8>,
}

/// What to do with a request.
pub(crate) enum Act {
    Answer(Vec<u8>),
    /// And then close without a word.
    AnswerAndClose(Vec<u8>),
    /// Answers after a while.
    After(Duration, Vec<u8>),
    Hang,
    /// Sends a byte every now and then.
    Trickle(&'static [u8]),
    /// Sends this and then resets the connection.
    Reset(&'static [u8]),
    /// Sends the first and then the second until the peer has had enough.
    Endless(&'static [u8], &'static [u8]),
}

/// A whole answer with a body.
pub(crate) fn answer(status: u16, headers: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let mut whole =
        format!("HTTP/1.1 {status} Because\r\n{headers}content-length: {}\r\n\r\n", body.len()).into_bytes();
    whole.extend_from_slice(body);
    whole
}

type Handler = Arc<dyn Fn(&Got) -> Act + Send + Sync>;

/// Serves until dropped.
pub(crate) struct TestServer {
    pub address: SocketAddr,
    got: Arc<Mutex<Vec<Got>>>,
    task: tokio::task::JoinHandle<()>,
}

impl TestServer {
    pub(crate) async fn start(handler: impl Fn(&Got) -> Act + Send + Sync + 'static) -> Self {
        Self::listen(Arc::new(handler), None).await
    }

    pub(crate) async fn start_tls(
        acceptor: TlsAcceptor,
        handler: impl Fn(&Got) -> Act + Send + Sync + 'static,
    ) -> Self {
        Self::listen(Arc::new(handler), Some(acceptor)).await
    }

    async fn listen(handler: Handler, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port on loopback");
        let address = listener.local_addr().expect("it is bound");
        let got: Arc<Mutex<Vec<Got>>> = Arc::default();
        let log = got.clone();
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            for connection in 0.. {
                let Ok((stream, _)) = listener.accept().await else { return };
                let (handler, log, tls) = (handler.clone(), log.clone(), tls.clone());
                connections.spawn(async move {
                    match tls {
                        None => serve(stream, connection, handler, log).await,
                        Some(tls) => serve(tls.accept(stream).await?, connection, handler, log).await,
                    }
                });
            }
        });
        Self { address, got, task }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All requests so far.
    pub(crate) fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many requests had this first line, up to the version.
    pub(crate) fn count(&self, line: &str) -> u64 {
        self.got().iter().filter(|got| got.line == line).count() as u64
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What a peer may be connected by.
trait Wire: AsyncRead + AsyncWrite + Unpin {
    fn tcp(&self) -> &TcpStream;
}

impl Wire for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Wire for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

async fn serve(
    mut stream: impl Wire,
    connection: usize,
    handler: Handler,
    log: Arc<Mutex<Vec<Got>>>,
) -> io::Result<()> {
    let mut buffer = Vec::new();
    loop {
        let head = loop {
            if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break end;
            }
            if stream.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
        };
        let text = String::from_utf8_lossy(&buffer[..head]).into_owned();
        let (line, headers) = text.split_once("\r\n").unwrap_or((&text, ""));
        let length = headers
            .lines()
            .find_map(|header| header.strip_prefix("content-length: "))
            .and_then(|length| length.parse().ok())
            .unwrap_or(0);
        while buffer.len() < head + 4 + length {
            if stream.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
        }
        let got = Got {
            connection,
            line: line.trim_end_matches(" HTTP/1.1").to_owned(),
            headers: headers.replace("\r\n", "\n"),
            body: buffer[head + 4..head + 4 + length].to_vec(),
        };
        buffer.drain(..head + 4 + length);
        log.lock().unwrap_or_else(PoisonError::into_inner).push(got.clone());
        match handler(&got) {
            Act::Answer(bytes) => stream.write_all(&bytes).await?,
            Act::AnswerAndClose(bytes) => {
                stream.write_all(&bytes).await?;
                return stream.shutdown().await;
            }
            Act::After(pause, bytes) => {
                tokio::time::sleep(pause).await;
                stream.write_all(&bytes).await?;
            }
            Act::Hang => std::future::pending().await,
            Act::Trickle(bytes) => {
                for byte in bytes {
                    stream.write_all(&[*byte]).await?;
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                std::future::pending().await
            }
            Act::Reset(bytes) => {
                stream.write_all(bytes).await?;
                return stream.tcp().set_zero_linger();
            }
            Act::Endless(first, rest) => {
                stream.write_all(first).await?;
                loop {
                    stream.write_all(rest).await?;
                }
            }
        }
    }
}
