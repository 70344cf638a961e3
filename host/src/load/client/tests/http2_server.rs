//! A server for tests that speaks HTTP/2 and does what it is told.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use h2::{Reason, server::SendResponse};
use http::{Request, Response};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

/// A request as it came.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    /// 0, 1, 2, … in the order in which connections were accepted.
    pub connection: usize,
    pub head: Arc<Request<()>>,
    pub body: Vec<u8>,
}

impl Asked {
    pub(super) fn path(&self) -> &str {
        self.head.uri().path()
    }
}

/// What to do with a request.
pub(super) enum Reply {
    Answer(Response<Vec<u8>>),
    /// Answers after a while, and takes others meanwhile.
    After(std::time::Duration, Response<Vec<u8>>),
    Reset(Reason),
    /// Sends a piece of a body, then takes back the stream.
    ResetAfter(&'static [u8]),
    /// Closes the connection without a word.
    Hangup,
    /// Answers, takes no more requests on this connection and says so.
    AnswerAndLeave(Response<Vec<u8>>),
    Hang,
    /// A body without an end.
    Endless,
}

pub(super) fn reply(body: impl AsRef<[u8]>) -> Reply {
    Reply::Answer(Response::new(body.as_ref().to_vec()))
}

type Handler = Arc<dyn Fn(&Asked) -> Reply + Send + Sync>;

/// Serves until dropped.
pub(super) struct Http2Server {
    pub address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Http2Server {
    pub(super) async fn start(
        tls: Option<TlsAcceptor>,
        handler: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port on loopback");
        let address = listener.local_addr().expect("it is bound");
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let (log, handler): (_, Handler) = (asked.clone(), Arc::new(handler));
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            for connection in 0.. {
                let Ok((stream, _)) = listener.accept().await else { return };
                let (handler, log, tls) = (handler.clone(), log.clone(), tls.clone());
                connections.spawn(async move {
                    match tls {
                        None => serve(stream, connection, handler, log).await,
                        Some(tls) => {
                            let Ok(stream) = tls.accept(stream).await else { return };
                            serve(stream, connection, handler, log).await;
                        }
                    }
                });
            }
        });
        Self { address, asked, task }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All requests so far.
    pub(super) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The connections that requests for this path came over.
    pub(super) fn connections(&self, path: &str) -> Vec<usize> {
        self.asked().iter().filter(|asked| asked.path() == path).map(|asked| asked.connection).collect()
    }
}

impl Drop for Http2Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    connection: usize,
    handler: Handler,
    log: Arc<Mutex<Vec<Asked>>>,
) {
    let Ok(mut peer) = h2::server::handshake(stream).await else { return };
    let mut replies = tokio::task::JoinSet::new();
    let (hangup, mut hung_up) = tokio::sync::mpsc::channel::<bool>(1);
    loop {
        tokio::select! {
            accepted = peer.accept() => {
                let Some(Ok((request, respond))) = accepted else { return };
                let (handler, log, hangup) = (handler.clone(), log.clone(), hangup.clone());
                replies.spawn(async move {
                    let (head, mut stream) = request.into_parts();
                    let mut body = Vec::new();
                    while let Some(Ok(data)) = stream.data().await {
                        let _ = stream.flow_control().release_capacity(data.len());
                        body.extend_from_slice(&data);
                    }
                    let asked = Asked { connection, head: Arc::new(Request::from_parts(head, ())), body };
                    log.lock().unwrap_or_else(PoisonError::into_inner).push(asked.clone());
                    act(handler(&asked), respond, hangup).await
                });
            }
            Some(graceful) = hung_up.recv() => match graceful {
                true => peer.graceful_shutdown(),
                false => return,
            },
        }
    }
}

async fn act(
    reply: Reply,
    mut respond: SendResponse<Bytes>,
    hangup: tokio::sync::mpsc::Sender<bool>,
) -> Result<(), h2::Error> {
    let whole = |answer: Response<Vec<u8>>, respond: &mut SendResponse<Bytes>| {
        let (head, body) = answer.into_parts();
        let mut stream = respond.send_response(Response::from_parts(head, ()), body.is_empty())?;
        if body.is_empty() { Ok(()) } else { stream.send_data(body.into(), true) }
    };
    match reply {
        Reply::Answer(answer) => whole(answer, &mut respond),
        Reply::After(pause, answer) => {
            tokio::time::sleep(pause).await;
            whole(answer, &mut respond)
        }
        Reply::Reset(reason) => {
            respond.send_reset(reason);
            Ok(())
        }
        Reply::ResetAfter(piece) => {
            let mut stream = respond.send_response(Response::new(()), false)?;
            stream.send_data(Bytes::from_static(piece), false)?;
            // The piece goes first.
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            stream.send_reset(Reason::INTERNAL_ERROR);
            Ok(())
        }
        Reply::Hangup => {
            let _ = hangup.send(false).await;
            std::future::pending().await
        }
        Reply::AnswerAndLeave(answer) => {
            whole(answer, &mut respond)?;
            let _ = hangup.send(true).await;
            Ok(())
        }
        Reply::Hang => std::future::pending().await,
        Reply::Endless => {
            let mut stream = respond.send_response(Response::new(()), false)?;
            loop {
                stream.reserve_capacity(16 << 10);
                match std::future::poll_fn(|cx| stream.poll_capacity(cx)).await {
                    Some(Ok(room)) => stream.send_data(vec![b'x'; room].into(), false)?,
                    _ => return Ok(()),
                }
            }
        }
    }
}
