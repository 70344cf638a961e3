//! A web server on loopback that answers every request alike.

use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

/// Runs until the test's process ends.
pub(crate) struct Server {
    pub address: SocketAddr,
    requests: Arc<AtomicU64>,
}

impl Server {
    /// Answers 200 with a short body to whatever comes.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let requests = Arc::new(AtomicU64::new(0));
        let counted = requests.clone();
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let counted = counted.clone();
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
fn serve(connection: TcpStream, requests: &AtomicU64) {
    let Ok(mut writer) = connection.try_clone() else { return };
    let mut lines = BufReader::new(connection).lines();
    loop {
        let mut any = false;
        loop {
            match lines.next() {
                Some(Ok(line)) if line.is_empty() => break,
                Some(Ok(_)) => any = true,
                _ => return,
            }
        }
        if any {
            requests.fetch_add(1, Ordering::SeqCst);
            let answer = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\ncontent-type: text/plain\r\n\r\nhello\n";
            if writer.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    }
}
