//! Readiness by network: one connection at a time for each instance, never waited for.

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddrV4, TcpStream},
    os::fd::{AsFd, BorrowedFd},
    time::{Duration, Instant},
};

use rustix::{
    event::PollFlags,
    io::Errno,
    net::{AddressFamily, SocketFlags, SocketType, connect, socket_with, sockopt::socket_error},
};

/// The most of an answer that is looked at.
const MOST: usize = 64 << 10;

/// What an answer over HTTP has to be.
#[derive(Debug, Clone)]
pub(super) struct Expected {
    pub(super) path: String,
    pub(super) status: u16,
    pub(super) contains: Option<String>,
}

/// One attempt.
#[derive(Debug)]
pub(super) struct Probe {
    stream: TcpStream,
    stage: Stage,
    deadline: Instant,
    timeout: Duration,
    expected: Option<Expected>,
    target: SocketAddrV4,
    answer: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Connecting,
    Reading,
}

impl Probe {
    /// Begins to connect; with nothing expected, a connection is enough.
    pub(super) fn begin(
        address: Ipv4Addr,
        port: u16,
        expected: Option<Expected>,
        timeout: Duration,
        now: Instant,
    ) -> io::Result<Self> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
        let target = SocketAddrV4::new(address, port);
        match connect(&socket, &target) {
            Ok(()) | Err(Errno::INPROGRESS) => {}
            Err(error) => return Err(error.into()),
        }
        let (stage, deadline) = (Stage::Connecting, now + timeout);
        Ok(Self { stream: socket.into(), stage, deadline, timeout, expected, target, answer: Vec::new() })
    }

    /// Goes on as far as it can; answers once it is decided.
    pub(super) fn advance(&mut self, now: Instant) -> Option<Result<(), String>> {
        match self.step() {
            Ok(None) if now >= self.deadline => {
                Some(Err(format!("no answer from port {} within {:?}", self.target.port(), self.timeout)))
            }
            Ok(None) => None,
            Ok(Some(verdict)) => Some(verdict),
            Err(error) => Some(Err(format!("port {}: {error}", self.target.port()))),
        }
    }

    fn step(&mut self) -> io::Result<Option<Result<(), String>>> {
        if self.stage == Stage::Connecting {
            match socket_error(&self.stream)? {
                Ok(()) => {}
                Err(error) => return Err(error.into()),
            }
            // Not connected yet, and no error either.
            if self.stream.peer_addr().is_err() {
                return Ok(None);
            }
            let Some(expected) = &self.expected else { return Ok(Some(Ok(()))) };
            let request = format!(
                "GET {} HTTP/1.0\r\nHost: {}\r\nConnection: close\r\nUser-Agent: assay-lab\r\n\r\n",
                expected.path, self.target
            );
            // A fresh connection takes far more than this at once.
            self.stream.write_all(request.as_bytes())?;
            self.stage = Stage::Reading;
        }
        let mut buffer = [0; 4096];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return Ok(Some(self.judge())),
                Ok(length) => self.answer.extend_from_slice(&buffer[..length]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Some servers reset instead of closing; what was said still counts.
                Err(_) if !self.answer.is_empty() => return Ok(Some(self.judge())),
                Err(error) => return Err(error),
            }
            if self.answer.len() > MOST {
                return Ok(Some(self.judge()));
            }
        }
    }

    fn judge(&self) -> Result<(), String> {
        match &self.expected {
            Some(expected) => judge(&self.answer, expected),
            None => Ok(()),
        }
    }

    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }

    /// What has to happen before it can go on.
    pub(super) fn waits_for(&self) -> PollFlags {
        match self.stage {
            Stage::Connecting => PollFlags::OUT,
            Stage::Reading => PollFlags::IN,
        }
    }

    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }
}

fn judge(answer: &[u8], expected: &Expected) -> Result<(), String> {
    let text = String::from_utf8_lossy(answer);
    let status = text.split_whitespace().nth(1).and_then(|status| status.parse::<u16>().ok());
    match (status, &expected.contains) {
        (None, _) => Err(format!("GET {}: no HTTP answer", expected.path)),
        (Some(status), _) if status != expected.status => Err(format!("GET {}: {status}", expected.path)),
        (_, Some(wanted)) if !text.contains(wanted.as_str()) => {
            Err(format!("GET {}: the answer does not contain '{wanted}'", expected.path))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn expected(contains: Option<&str>) -> Expected {
        Expected { path: "/health".to_owned(), status: 200, contains: contains.map(str::to_owned) }
    }

    fn decided(mut probe: Probe) -> Result<(), String> {
        loop {
            if let Some(verdict) = probe.advance(Instant::now()) {
                return verdict;
            }
            std::thread::yield_now();
        }
    }

    #[test]
    fn answers_are_judged() {
        let good = b"HTTP/1.1 200 OK\r\n\r\n{\"health\":\"true\"}";
        assert_eq!(judge(good, &expected(Some("true"))), Ok(()));
        assert_eq!(
            judge(good, &expected(Some("false"))),
            Err("GET /health: the answer does not contain 'false'".to_owned())
        );
        assert_eq!(judge(b"HTTP/1.1 503 No\r\n\r\n", &expected(None)), Err("GET /health: 503".to_owned()));
        assert_eq!(judge(b"", &expected(None)), Err("GET /health: no HTTP answer".to_owned()));
    }

    #[test]
    fn a_server_is_asked() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
        let port = listener.local_addr().expect("bound").port();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a probe");
            let mut request = [0; 512];
            let length = stream.read(&mut request).expect("a request");
            stream.write_all(b"HTTP/1.0 200 OK\r\n\r\n").expect("sent");
            String::from_utf8_lossy(&request[..length]).into_owned()
        });
        let probe = Probe::begin(
            Ipv4Addr::LOCALHOST,
            port,
            Some(expected(None)),
            Duration::from_secs(5),
            Instant::now(),
        );
        assert_eq!(decided(probe.expect("begun")), Ok(()));
        assert!(server.join().expect("served").starts_with("GET /health HTTP/1.0\r\n"));
    }

    #[test]
    fn refused_and_silent_are_told_apart() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
        let port = listener.local_addr().expect("bound").port();
        let begin = |timeout| {
            Probe::begin(Ipv4Addr::LOCALHOST, port, Some(expected(None)), timeout, Instant::now())
                .expect("begun")
        };
        let silent = decided(begin(Duration::from_millis(20)));
        assert_eq!(silent, Err(format!("no answer from port {port} within 20ms")));
        drop(listener);
        let refused = decided(begin(Duration::from_secs(5))).expect_err("nobody listens");
        assert!(refused.contains("refused"), "{refused}");
    }
}
