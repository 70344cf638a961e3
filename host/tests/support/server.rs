//! A web server on loopback that answers every request alike.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use rustls::{ServerConfig, ServerConnection, StreamOwned, pki_types::PrivateKeyDer};

const HELLO: &str = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\ncontent-type: text/plain\r\n\r\nhello\n";

/// The first line of every request that was answered, in order.
type Heard = Arc<Mutex<Vec<String>>>;

/// Runs until the test's process ends.
pub(crate) struct Server {
    pub address: SocketAddr,
    heard: Heard,
}

impl Server {
    /// Answers 200 with a short body to whatever comes.
    pub(crate) fn start() -> Self {
        Self::serving(|connection, heard| serve(connection, heard, HELLO))
    }

    /// Answers 500 to everything.
    pub(crate) fn start_failing() -> Self {
        let answer = "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n";
        Self::serving(move |connection, heard| serve(connection, heard, answer))
    }

    /// The same over TLS, with a certificate that nobody has reason to trust.
    pub(crate) fn start_tls() -> Self {
        let signed = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
        let key = PrivateKeyDer::try_from(signed.signing_key.serialize_der()).expect("a key");
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![signed.cert.der().clone()], key);
        let config = Arc::new(config.expect("a server"));
        Self::serving(move |connection, heard| {
            let session = ServerConnection::new(config.clone()).expect("a session");
            serve(StreamOwned::new(session, connection), heard, HELLO);
        })
    }

    fn serving(serve: impl Fn(TcpStream, &Heard) + Clone + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let heard = Heard::default();
        let hearing = heard.clone();
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let (serve, heard) = (serve.clone(), hearing.clone());
                thread::spawn(move || serve(connection, &heard));
            }
        });
        Self { address, heard }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many requests it has answered.
    pub(crate) fn requests(&self) -> u64 {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).len() as u64
    }

    /// Their first lines, such as `GET /items?id=3 HTTP/1.1`, since this was last asked.
    pub(crate) fn take_heard(&self) -> Vec<String> {
        std::mem::take(&mut *self.heard.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Answers until the peer leaves; a broken connection is the peer's business.
fn serve(connection: impl Read + Write, heard: &Heard, answer: &str) {
    let mut connection = BufReader::new(connection);
    loop {
        let mut first = String::new();
        loop {
            let mut line = String::new();
            match connection.read_line(&mut line) {
                Ok(1..) if line == "\r\n" => break,
                Ok(1..) if first.is_empty() => first = line.trim_end().to_owned(),
                Ok(1..) => {}
                _ => return,
            }
        }
        if !first.is_empty() {
            heard.lock().unwrap_or_else(PoisonError::into_inner).push(first);
            if connection.get_mut().write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    }
}
