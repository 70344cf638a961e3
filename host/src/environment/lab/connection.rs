//! The host's end of a line to `lab-init`, or to a lab's owner.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{mpsc, oneshot},
};

use super::protocol::{Answer, Call, Message, Request, line};
use crate::{environment::EnvironmentError, observe::Fact};

/// What is done with each event, its stamp on the machine's monotonic clock.
pub(super) type OnEvent = Box<dyn Fn(u64, Fact) + Send>;

type Waiting = Arc<Mutex<Option<HashMap<u64, oneshot::Sender<Result<Answer, EnvironmentError>>>>>>;

/// Calls may be made from many tasks at once; answers find their call by its id.
#[derive(Debug)]
pub(super) struct Connection {
    next: AtomicU64,
    /// Absent once the other side is gone.
    waiting: Waiting,
    outgoing: Mutex<Option<mpsc::UnboundedSender<Vec<u8>>>>,
}

impl Connection {
    pub(super) fn new(socket: UnixStream, on_event: OnEvent) -> Self {
        let (reading, writing) = socket.into_split();
        let waiting: Waiting = Arc::new(Mutex::new(Some(HashMap::new())));
        let (outgoing, lines) = mpsc::unbounded_channel();
        tokio::spawn(write(writing, lines));
        tokio::spawn(read(reading, waiting.clone(), on_event));
        Self { next: AtomicU64::new(1), waiting, outgoing: Mutex::new(Some(outgoing)) }
    }

    /// Asks, and waits for the answer.
    pub(super) async fn call(&self, call: Call) -> Result<Answer, EnvironmentError> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = oneshot::channel();
        lock(&self.waiting).as_mut().ok_or_else(gone)?.insert(id, sender);
        let sent = lock(&self.outgoing).as_ref().map(|outgoing| outgoing.send(line(&Request { id, call })));
        match sent {
            Some(Ok(())) => receiver.await.map_err(|_| gone())?,
            _ => Err(gone()),
        }
    }

    /// Closes this side, so that the other one sees the end.
    pub(super) fn close(&self) {
        lock(&self.outgoing).take();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn gone() -> EnvironmentError {
    EnvironmentError::Unreachable("the lab has ended".to_owned())
}

async fn write(mut socket: OwnedWriteHalf, mut lines: mpsc::UnboundedReceiver<Vec<u8>>) {
    while let Some(line) = lines.recv().await {
        if socket.write_all(&line).await.is_err() {
            return;
        }
    }
    // Dropping this half shuts it down, which the other side reads as the end.
}

async fn read(socket: OwnedReadHalf, waiting: Waiting, on_event: OnEvent) {
    let mut lines = BufReader::new(socket).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        match serde_json::from_str(&line) {
            Ok(Message::Event { at, fact }) => on_event(at, fact),
            Ok(Message::Answer { id, result }) => {
                let asker = lock(&waiting).as_mut().and_then(|waiting| waiting.remove(&id));
                if let Some(asker) = asker {
                    // Who asked may have given up.
                    let _taken = asker.send(result);
                }
            }
            Err(error) => {
                tracing::error!("the lab said what this host does not understand: {error}");
                break;
            }
        }
    }
    // Whoever still waits learns that there is nobody to answer.
    lock(&waiting).take();
}
