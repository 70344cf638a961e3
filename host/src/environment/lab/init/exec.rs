//! Commands inside instances: for callers, and for readiness checks that are commands.

use std::{
    io::{self, Read},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::process::CommandExt,
    },
    process::{ChildStderr, ChildStdout, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use super::super::inside::Entry;
use crate::environment::ExecOutput;

/// The most of each output that is handed out.
const MOST: usize = 64 << 10;

/// Who wants to know.
#[derive(Debug, Clone, Copy)]
pub(super) enum Asker {
    Request(u64),
    /// Whether this instance's start of this number is ready.
    Readiness(usize, u32),
}

/// A command under way.
#[derive(Debug)]
pub(super) struct Exec {
    pub(super) asker: Asker,
    pub(super) pid: Pid,
    pub(super) handle: OwnedFd,
    pub(super) deadline: Instant,
    pub(super) timeout: Duration,
    stdout: Output<ChildStdout>,
    stderr: Output<ChildStderr>,
}

#[derive(Debug)]
struct Output<T> {
    pipe: Option<T>,
    bytes: Vec<u8>,
}

impl Exec {
    pub(super) fn begin(entry: &Entry, asker: Asker, timeout: Duration, now: Instant) -> io::Result<Self> {
        // A group of its own: what the command starts is ended together with it.
        let mut child = entry
            .command()?
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let pid = Pid::from_child(&child);
        Ok(Self {
            asker,
            pid,
            handle: pidfd_open(pid, PidfdFlags::empty())?,
            deadline: now + timeout,
            timeout,
            stdout: Output::new(child.stdout.take())?,
            stderr: Output::new(child.stderr.take())?,
        })
    }

    /// Takes what the command has printed, so that it never waits for a reader.
    pub(super) fn read(&mut self) {
        self.stdout.read();
        self.stderr.read();
    }

    pub(super) fn kill(&self) {
        // It may have ended by itself in the meantime.
        let _ended = kill_process_group(self.pid, Signal::KILL);
    }

    pub(super) fn output(mut self, exit_code: i32) -> ExecOutput {
        self.read();
        ExecOutput { exit_code, stdout: self.stdout.text(), stderr: self.stderr.text() }
    }

    pub(super) fn pipes(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let stdout = self.stdout.pipe.as_ref().map(AsFd::as_fd);
        stdout.into_iter().chain(self.stderr.pipe.as_ref().map(AsFd::as_fd))
    }
}

impl<T: Read + AsFd> Output<T> {
    fn new(pipe: Option<T>) -> io::Result<Self> {
        if let Some(pipe) = &pipe {
            rustix::io::ioctl_fionbio(pipe, true)?;
        }
        Ok(Self { pipe, bytes: Vec::new() })
    }

    fn read(&mut self) {
        let mut buffer = [0; 8192];
        while let Some(pipe) = &mut self.pipe {
            match pipe.read(&mut buffer) {
                Ok(0) => self.pipe = None,
                Ok(length) => {
                    let room = MOST.saturating_sub(self.bytes.len());
                    self.bytes.extend_from_slice(&buffer[..length.min(room)]);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => self.pipe = None,
            }
        }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}
