//! A web server on loopback that answers every request alike.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use rustls::{ServerConfig, ServerConnection, StreamOwned, pki_types::PrivateKeyDer};

const HELLO: &str = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\ncontent-type: text/plain\r\n\r\nhello\n";

/// Runs until the test's process ends.
pub(crate) struct Server {
    pub address: SocketAddr,
    requests: Arc<AtomicU64>,
}

impl Server {
    /// Answers 200 with a short body to whatever comes.
    pub(crate) fn start() -> Self {
        Self::serving(|connection, counted| serve(connection, counted, HELLO))
    }

    /// Answers 500 to everything.
    pub(crate) fn start_failing() -> Self {
        let answer = "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n";
        Self::serving(move |connection, counted| serve(connection, counted, answer))
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
        Self::serving(move |connection, counted| {
            let session = ServerConnection::new(config.clone()).expect("a session");
            serve(StreamOwned::new(session, connection), counted, HELLO);
        })
    }

    fn serving(serve: impl Fn(TcpStream, &AtomicU64) + Clone + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let requests = Arc::new(AtomicU64::new(0));
        let counted = requests.clone();
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let (serve, counted) = (serve.clone(), counted.clone());
                thread::spawn(move || serve(connection, &counted));
            }
        });
        Self { address, requests }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many requests it has answered.
    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::SeqCst)
    }
}

/// Answers until the peer leaves; a broken connection is the peer's business.
fn serve(connection: impl Read + Write, requests: &AtomicU64, answer: &str) {
    let mut connection = BufReader::new(connection);
    loop {
        let mut any = false;
        loop {
            let mut line = String::new();
            match connection.read_line(&mut line) {
                Ok(1..) if line == "\r\n" => break,
                Ok(1..) => any = true,
                _ => return,
            }
        }
        if any {
            requests.fetch_add(1, Ordering::SeqCst);
            if connection.get_mut().write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    }
}
