//! Using a lab that another process keeps up.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use tokio::net::UnixStream;

use super::{
    Lab,
    connection::Connection,
    inside::Entry,
    protocol::{Answer, Call},
    start::{open_network, other, tell_into},
};
use crate::{
    environment::{EnvironmentError, Result},
    observe::Stream,
};

/// Where the owner of a stack's lab listens. The folder is root's alone: who may write to it may do
/// anything in the lab.
pub fn socket_path(stack: &str) -> PathBuf {
    sockets().join(format!("{stack}.sock"))
}

fn sockets() -> PathBuf {
    let folder = std::env::var_os("ASSAY_RUN_DIR").filter(|folder| !folder.is_empty());
    folder.map_or_else(|| PathBuf::from("/run/assay"), PathBuf::from)
}

/// Names of the stacks whose labs are up.
pub async fn running() -> Result<Vec<String>> {
    let entries = match fs_err::read_dir(sockets()) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(other(error)),
    };
    let mut up = Vec::new();
    for entry in entries {
        let path = entry.map_err(other)?.path();
        if path.extension().is_some_and(|extension| extension == "sock")
            && UnixStream::connect(&path).await.is_ok()
            && let Some(name) = path.file_stem().and_then(|name| name.to_str())
        {
            up.push(name.to_owned());
        }
    }
    up.sort();
    Ok(up)
}

impl Lab {
    /// Attaches to the lab that listens there; none if nobody does. The lab outlives this process.
    pub async fn attach(socket: &Path, stream: Stream) -> Result<Option<Self>> {
        let socket = match UnixStream::connect(socket).await {
            Ok(connected) => connected,
            Err(error)
                if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) =>
            {
                return Ok(None);
            }
            Err(error) => {
                let text = format!("cannot attach to the lab at {}: {error}", socket.display());
                return Err(EnvironmentError::Unreachable(text));
            }
        };
        let connection = Arc::new(Connection::new(socket, tell_into(stream.clone())));
        let Answer::Hello(hello) = connection.call(Call::Hello).await? else {
            return Err(EnvironmentError::Other("what listens there is not a lab".to_owned()));
        };
        let network = open_network(hello.init)?;
        Ok(Some(Self {
            connection,
            hello: *hello,
            network,
            stream,
            usage: Default::default(),
            owned: tokio::sync::Mutex::new(None),
            secrets: BTreeMap::new(),
        }))
    }

    /// Keeps other runs out of a lab that was attached to, until this is dropped.
    ///
    /// Fails with `conflict` if another run is using it.
    pub async fn claim(&self, run: &str) -> Result<()> {
        self.ask(Call::Claim { run: run.to_owned() }).await.map(drop)
    }

    /// Asks the lab's owner to end it.
    pub async fn shut_down(&self) -> Result<()> {
        self.ask(Call::Shutdown).await.map(drop)
    }

    /// A command that will run inside an instance, with this process' input, output and terminal.
    pub async fn enter(&self, instance: &str, command: Vec<String>) -> Result<Command> {
        let Answer::Door(door) = self.ask(Call::Door { instance: instance.to_owned() }).await? else {
            return Err(EnvironmentError::Other("the lab did not say how to enter".to_owned()));
        };
        // The lab's own view of its processes, seen through its first one.
        let proc = PathBuf::from(format!("/proc/{}/root/proc", self.hello.init));
        Entry { proc, door: *door, command }.command().map_err(other)
    }
}
