//! A guest's standard output and error, as lines of its log.
//!
//! Python's tracebacks and JavaScript's errors appear nowhere else. The last lines are kept, to say
//! why a call broke off.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::{
    cli::{IsTerminal, StdoutStream},
    p2::{OutputStream, Pollable, StreamResult},
};

use super::{Voice, text::LONGEST};
use crate::observe::Level;

/// Both of a guest's streams.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    voice: Arc<Voice>,
    tail: Arc<Mutex<Tail>>,
}

#[derive(Debug, Default)]
struct Tail {
    /// What was written after the last line feed, of each stream.
    unfinished: [Vec<u8>; 2],
    /// The last lines on standard error in this call, oldest first, 4 KiB in all.
    lines: Vec<String>,
}

impl Output {
    pub(crate) fn new(voice: Arc<Voice>) -> Self {
        Self { voice, tail: Arc::default() }
    }

    /// A call begins: what was written before does not explain how it ends.
    pub(crate) fn begin(&self) {
        self.tail().lines.clear();
    }

    /// What a Rust guest's own panic hook wrote, if it did: place and text.
    pub(crate) fn panic(&self) -> Option<String> {
        let text = self.tail().all_lines().join("\n");
        let (_, rest) = text.split_once("panicked at ")?;
        let mut lines = rest.lines().filter(|line| !line.starts_with("note: "));
        let place = lines.next()?;
        let message: Vec<_> = lines.collect();
        Some(format!("{place} {}", message.join(" ")).trim_end().to_owned())
    }

    /// The last line on standard error.
    pub(crate) fn last_line(&self) -> Option<String> {
        self.tail().all_lines().pop()
    }

    pub(crate) fn stream(&self, level: Level) -> Stream {
        Stream { output: self.clone(), level }
    }

    fn tail(&self) -> MutexGuard<'_, Tail> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, level: Level, bytes: &[u8]) {
        let mut finished = Vec::new();
        {
            let mut tail = self.tail();
            let stream = usize::from(level == Level::Warn);
            for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
                let unfinished = &mut tail.unfinished[stream];
                // A line without an end is cut rather than kept: the guest's memory is bounded, and
                // so is ours.
                let room = LONGEST.saturating_sub(unfinished.len());
                unfinished.extend_from_slice(&piece[..piece.len().min(room)]);
                if piece.ends_with(b"\n") {
                    let line = std::mem::take(unfinished);
                    let line = String::from_utf8_lossy(&line).trim_end().to_owned();
                    if !line.is_empty() {
                        if level == Level::Warn {
                            tail.keep(line.clone());
                        }
                        finished.push(line);
                    }
                }
            }
        }
        for line in finished {
            self.voice.log(level, line);
        }
    }
}

impl Tail {
    fn keep(&mut self, line: String) {
        self.lines.push(line);
        while self.lines.len() > 1 && self.lines.iter().map(String::len).sum::<usize>() > LONGEST {
            self.lines.remove(0);
        }
    }

    fn all_lines(&self) -> Vec<String> {
        let mut lines = self.lines.clone();
        let unfinished = String::from_utf8_lossy(&self.unfinished[1]).trim_end().to_owned();
        if !unfinished.is_empty() {
            lines.push(unfinished);
        }
        lines
    }
}

/// One of the two streams.
pub(crate) struct Stream {
    output: Output,
    /// Standard error is `warn`, standard output `info`.
    level: Level,
}

impl IsTerminal for Stream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Stream {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.output.stream(self.level))
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.output.stream(self.level))
    }
}

#[async_trait]
impl Pollable for Stream {
    async fn ready(&mut self) {}
}

#[async_trait]
impl OutputStream for Stream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.output.write(self.level, &bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(64 << 10)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.output.write(self.level, bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::{self, Clock, Fact};

    #[test]
    fn lines_reach_the_log_and_the_last_ones_explain() {
        let stream = observe::Stream::new(Clock::start());
        let mut events = stream.subscribe();
        let output = Output::new(Arc::new(Voice::new("py", stream)));
        output.write(Level::Info, b"hello\nhal");
        output.write(Level::Warn, b"thread 'main' panicked at src/lib.rs:3:5:\nno rows\nnote: run");
        assert_eq!(output.panic().as_deref(), Some("src/lib.rs:3:5: no rows"));
        assert_eq!(output.last_line().as_deref(), Some("note: run"));
        output.write(Level::Warn, "x".repeat(1 << 20).as_bytes());
        assert!(output.last_line().is_some_and(|line| line.len() <= LONGEST));

        let mut lines = Vec::new();
        while let Ok(event) = events.try_recv() {
            let Fact::PluginLog { message, .. } = &event.fact else { panic!("{event:?}") };
            lines.push(message.clone());
        }
        assert_eq!(lines, ["hello", "thread 'main' panicked at src/lib.rs:3:5:", "no rows"]);

        output.begin();
        assert_eq!(output.panic(), None);
    }
}
