//! Keeping a lab up for others: a socket on which they ask this process, its owner.

use std::{
    io,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
    sync::{Notify, mpsc},
};

use super::{
    Lab,
    protocol::{Answer, Call, Message, Request, line, monotonic},
    start::other,
};
use crate::{
    environment::{EnvironmentError, Result},
    observe::Fact,
};

/// The socket, removed when this is dropped.
#[derive(Debug)]
pub struct Listening {
    listener: UnixListener,
    path: PathBuf,
}

impl Listening {
    /// Takes the socket, unless another lab has it. To be done before the lab is started.
    pub async fn at(path: &Path) -> Result<Self> {
        if let Some(folder) = path.parent() {
            let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
            made.map_err(|error| EnvironmentError::Other(format!("{}: {error}", folder.display())))?;
        }
        match UnixStream::connect(path).await {
            Ok(_) => {
                let text = format!("a lab is already up at {}; `host lab down` ends it", path.display());
                return Err(EnvironmentError::Conflict(text));
            }
            // Left by a process that was killed.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                fs_err::remove_file(path).map_err(other)?;
            }
            Err(_) => {}
        }
        let listener = UnixListener::bind(path)
            .map_err(|error| EnvironmentError::Other(format!("{}: {error}", path.display())))?;
        fs_err::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(other)?;
        Ok(Self { listener, path: path.to_owned() })
    }

    /// Answers until someone asks for the lab's end.
    pub async fn serve(&self, lab: &Arc<Lab>) -> Result<()> {
        let shutdown = Arc::new(Notify::new());
        let claims: Arc<Claims> = Arc::default();
        for client in 0.. {
            tokio::select! {
                accepted = self.listener.accept() => {
                    let (socket, _) = accepted.map_err(other)?;
                    let claimant = Claimant { client, claims: claims.clone() };
                    tokio::spawn(converse(socket, lab.clone(), claimant, shutdown.clone()));
                }
                () = shutdown.notified() => break,
            }
        }
        Ok(())
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        // Another owner finds a left socket refused and removes it.
        let _removed = std::fs::remove_file(&self.path);
    }
}

/// Whose the lab is now: a client, and the run that it carries out.
type Claims = Mutex<Option<(u64, String)>>;

/// One client. Dropped, it claims nothing any more.
#[derive(Debug)]
struct Claimant {
    client: u64,
    claims: Arc<Claims>,
}

impl Claimant {
    /// Makes the lab this client's, unless it is another's: what one run breaks, the other would measure.
    fn claim(&self, run: String) -> Result<Answer> {
        let mut claimed = self.claims.lock().unwrap_or_else(PoisonError::into_inner);
        match &*claimed {
            Some((client, other)) if *client != self.client => Err(EnvironmentError::Conflict(format!(
                "run {other} is using the lab; wait for its end, or use a lab of your own"
            ))),
            _ => {
                *claimed = Some((self.client, run));
                Ok(Answer::Done)
            }
        }
    }
}

impl Drop for Claimant {
    fn drop(&mut self) {
        let mut claimed = self.claims.lock().unwrap_or_else(PoisonError::into_inner);
        claimed.take_if(|(client, _)| *client == self.client);
    }
}

/// One client, until it goes away.
async fn converse(socket: UnixStream, lab: Arc<Lab>, claimant: Claimant, shutdown: Arc<Notify>) {
    let (reading, mut writing) = socket.into_split();
    let (sender, mut outgoing) = mpsc::unbounded_channel::<Message>();
    let mut events = lab.stream.subscribe();
    let (stream, clock) = (sender.clone(), lab.stream.clock());
    let telling = tokio::spawn(async move {
        while let Some(event) = events.recv().await {
            let is_of_the_lab = match &event.fact {
                Fact::Instance(_) | Fact::Replicas { .. } | Fact::Rescaled { .. } | Fact::Quota { .. } => {
                    true
                }
                Fact::Finding { source, .. } => source.starts_with("autoscaler "),
                _ => false,
            };
            if is_of_the_lab {
                let at = monotonic().saturating_sub(clock.now().saturating_sub(event.at));
                if stream.send(Message::Event { at, fact: event.fact.clone() }).is_err() {
                    return;
                }
            }
        }
    });
    let writer = tokio::spawn(async move {
        while let Some(message) = outgoing.recv().await {
            if writing.write_all(&line(&message)).await.is_err() {
                return;
            }
        }
    });
    let mut lines = BufReader::new(reading).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let Ok(Request { id, call }) = serde_json::from_str(&line) else { break };
        if let Call::Claim { run } = call {
            let _sent = sender.send(Message::Answer { id, result: claimant.claim(run) });
            continue;
        }
        let (lab, sender, shutdown) = (lab.clone(), sender.clone(), shutdown.clone());
        // Each in its own task: one that takes long does not keep others waiting.
        tokio::spawn(async move {
            let ends = matches!(call, Call::Shutdown);
            let result = lab.answer(call).await;
            let _sent = sender.send(Message::Answer { id, result });
            if ends {
                shutdown.notify_one();
            }
        });
    }
    // What it has asked for may take long yet; the next one need not wait for that.
    drop(claimant);
    telling.abort();
    drop(sender);
    // Answers under way are still sent, if there is anyone to read them.
    let _written = writer.await;
}

impl Lab {
    /// Answers for the owner what is the owner's to answer, and passes on the rest.
    async fn answer(&self, call: Call) -> Result<Answer> {
        match call {
            Call::Hello => Ok(Answer::Hello(Box::new(self.hello.clone()))),
            Call::Secret { name } => self.secret(&name).await.map(Answer::Text),
            Call::Shutdown => Ok(Answer::Done),
            Call::Begin(_) => Err(EnvironmentError::Invalid("the lab has begun already".to_owned())),
            call => self.connection.call(call).await,
        }
    }
}
