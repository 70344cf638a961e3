//! The socket to the host: lines in, lines out, never waiting for the other side.

use std::{
    io::{self, Read, Write},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
};

use super::super::protocol::{Answer, Message, Request, line, monotonic};
use crate::{environment::EnvironmentError, observe::Fact};

/// A host that reads nothing for so long is not there any more.
const MOST_UNREAD: usize = 64 << 20;

#[derive(Debug)]
pub(super) struct Control {
    socket: UnixStream,
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
}

impl Control {
    pub(super) fn new(socket: OwnedFd) -> io::Result<Self> {
        let socket = UnixStream::from(socket);
        socket.set_nonblocking(true)?;
        Ok(Self { socket, incoming: Vec::new(), outgoing: Vec::new() })
    }

    /// Takes in what has come; none if the host is gone.
    pub(super) fn requests(&mut self) -> io::Result<Option<Vec<Request>>> {
        let mut buffer = [0; 16 << 10];
        let mut open = true;
        loop {
            match self.socket.read(&mut buffer) {
                Ok(0) => {
                    open = false;
                    break;
                }
                Ok(length) => self.incoming.extend_from_slice(&buffer[..length]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                    open = false;
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        if !open {
            return Ok(None);
        }
        let mut requests = Vec::new();
        while let Some(end) = self.incoming.iter().position(|byte| *byte == b'\n') {
            let rest = self.incoming.split_off(end + 1);
            let line = std::mem::replace(&mut self.incoming, rest);
            requests.push(serde_json::from_slice(&line)?);
        }
        Ok(Some(requests))
    }

    pub(super) fn answer(&mut self, id: u64, result: Result<Answer, EnvironmentError>) {
        self.outgoing.extend(line(&Message::Answer { id, result }));
    }

    pub(super) fn tell(&mut self, fact: Fact) {
        self.outgoing.extend(line(&Message::Event { at: monotonic(), fact }));
    }

    /// Sends what can be sent without waiting.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        while !self.outgoing.is_empty() {
            match self.socket.write(&self.outgoing) {
                Ok(length) => drop(self.outgoing.drain(..length)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        match self.outgoing.len() > MOST_UNREAD {
            true => Err(io::Error::other("the host does not read any more")),
            false => Ok(()),
        }
    }

    pub(super) fn has_more_to_send(&self) -> bool {
        !self.outgoing.is_empty()
    }

    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
