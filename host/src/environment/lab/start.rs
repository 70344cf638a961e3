//! Starting a lab of one's own, and ending it.

use std::{
    fs::File,
    io::{self, Read, Seek},
    os::{fd::OwnedFd, unix::net::UnixStream as StdUnixStream},
    path::PathBuf,
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use rustix::process::geteuid;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::UnixStream,
    process::{Child, Command},
};

use super::{
    Lab, Stack, cgroup,
    connection::{Connection, OnEvent},
    init,
    protocol::{Call, Hello, monotonic},
    state::{self, State},
};
use crate::{
    environment::{EnvironmentError, Result},
    observe::{Fact, Severity, Stream},
};

/// How long `lab-init` may take to make the network and control groups.
const MADE_WITHIN: Duration = Duration::from_secs(30);

/// How long it may take to end everything.
const ENDED_WITHIN: Duration = Duration::from_secs(15);

/// What can be chosen about a lab beyond its stack.
#[derive(Debug, Clone, Default)]
pub struct LabOptions {
    /// The `host` binary, to be run as the lab's helpers; absent: this process' own. A stack's own
    /// programs are looked for beside it.
    pub program: Option<PathBuf>,
}

/// What ends with a lab of one's own.
#[derive(Debug)]
pub(super) struct Owned {
    warden: Child,
    state: State,
    errors: File,
}

impl Lab {
    /// Makes a lab. It is there when this returns, but its instances are only about to start:
    /// [`wait_ready`](crate::environment::Environment::wait_ready) waits for them.
    pub async fn start(stack: &Stack, stream: Stream, options: LabOptions) -> Result<Self> {
        if !geteuid().is_root() {
            return Err(EnvironmentError::Invalid(
                "a lab needs root, for namespaces and control groups: run this with sudo".to_owned(),
            ));
        }
        let rootfs = stack.recipe().path();
        if !rootfs.is_dir() {
            return Err(EnvironmentError::NotFound(format!(
                "the root file system of stack '{}', {}, is not built: run `make setup`",
                stack.name(),
                rootfs.display()
            )));
        }
        let id = format!("{}-{:08x}", stack.name(), rand::random::<u32>());
        cgroup::of_lab(&id).map_err(other)?;
        let root = state::root();
        for dead in state::sweep(&root).map_err(other)? {
            let message = format!("removed what lab {dead}, which was killed, had left");
            stream.tell(Fact::Finding { source: "lab".to_owned(), severity: Severity::Note, message });
        }

        let program = options.program.map_or_else(|| std::env::current_exe().map_err(other), Ok)?;
        let secrets = stack.make_secrets();
        let state = State::create(&root, &id).map_err(other)?;
        let programs = program.parent().map(PathBuf::from).unwrap_or_default();
        let plan = stack
            .plan(id.clone(), state.path.clone(), rootfs, &programs, &secrets)
            .map_err(|error| EnvironmentError::Invalid(error.to_string()));
        let plan = match plan {
            Ok(plan) => plan,
            Err(error) => {
                state::remove(&state.path).map_err(other)?;
                return Err(error);
            }
        };
        for (name, path) in &plan.programs {
            if !path.is_file() {
                state::remove(&state.path).map_err(other)?;
                let text =
                    format!("the stack's program '{name}' is not at {}: build it first", path.display());
                return Err(EnvironmentError::NotFound(text));
            }
        }

        let target = plan.target;
        let (socket, mut owned, init) = spawn(&program, state).await?;
        let on_event = tell_into(stream.clone());
        let connection = Arc::new(Connection::new(socket, on_event));
        let begun = tokio::time::timeout(MADE_WITHIN, connection.call(Call::Begin(Box::new(plan)))).await;
        let begun =
            begun.unwrap_or_else(|_| Err(EnvironmentError::TimedOut("the lab is not made".to_owned())));
        let network = begun.and_then(|_| open_network(init));
        let network = match network {
            Ok(network) => network,
            Err(error) => {
                connection.close();
                owned.end().await?;
                return Err(EnvironmentError::Other(format!("cannot make the lab: {error}{}", owned.said())));
            }
        };
        let hello = Hello { stack: stack.name().to_owned(), id, init, target };
        Ok(Self {
            connection,
            hello,
            network,
            stream,
            usage: Default::default(),
            owned: tokio::sync::Mutex::new(Some(owned)),
            secrets,
        })
    }

    /// Waits until a lab of one's own has ended without being asked to, and says why.
    pub async fn ended(&self) -> EnvironmentError {
        loop {
            if let Some(owned) = self.owned.lock().await.as_mut()
                && let Ok(Some(status)) = owned.warden.try_wait()
            {
                return EnvironmentError::Other(format!("the lab has ended ({status}){}", owned.said()));
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

/// Starts the warden and learns from it which process the lab is.
async fn spawn(program: &std::path::Path, state: State) -> Result<(UnixStream, Owned, i32)> {
    let (ours, theirs) = StdUnixStream::pair().map_err(other)?;
    ours.set_nonblocking(true).map_err(other)?;
    let errors = File::options()
        .create(true)
        .append(true)
        .read(true)
        .open(state.path.join("lab-init.log"))
        .map_err(other)?;
    let mut warden = Command::new(program)
        .arg(init::NAME)
        .arg(&state.path)
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::piped())
        .stderr(Stdio::from(errors.try_clone().map_err(other)?))
        // Ctrl-C on a terminal is for the host: the lab must stay while faults are reverted.
        .process_group(0)
        .spawn()
        .map_err(|error| EnvironmentError::Other(format!("cannot run {}: {error}", program.display())))?;
    let mut line = String::new();
    if let Some(stdout) = warden.stdout.take() {
        let read = tokio::time::timeout(MADE_WITHIN, BufReader::new(stdout).read_line(&mut line)).await;
        read.map_err(|_| EnvironmentError::TimedOut("lab-init did not start".to_owned()))?.map_err(other)?;
    }
    let mut owned = Owned { warden, state, errors };
    match line.trim().parse() {
        Ok(init) => Ok((UnixStream::from_std(ours).map_err(other)?, owned, init)),
        Err(_) => {
            drop(ours);
            owned.end().await?;
            Err(EnvironmentError::Other(format!("lab-init did not start{}", owned.said())))
        }
    }
}

/// The network of a running lab, by its first process.
pub(super) fn open_network(init: i32) -> Result<Arc<File>> {
    File::open(format!("/proc/{init}/ns/net")).map(Arc::new).map_err(other)
}

/// Carries events over to the run's clock.
pub(super) fn tell_into(stream: Stream) -> OnEvent {
    Box::new(move |at, fact| stream.tell_at(on_clock(&stream, at), fact))
}

/// A moment of the machine's monotonic clock on the run's clock; before the run's start it is 0.
pub(super) fn on_clock(stream: &Stream, at: u64) -> u64 {
    stream.clock().now().saturating_sub(monotonic().saturating_sub(at))
}

impl Owned {
    /// Waits for the end that the closed connection brings about, and sees to it that nothing stays.
    pub(super) async fn end(&mut self) -> Result<()> {
        let ended = tokio::time::timeout(ENDED_WITHIN, self.warden.wait()).await;
        if ended.is_err() {
            self.warden.kill().await.map_err(other)?;
        }
        let path = self.state.path.clone();
        // The warden has done this already, unless it was killed.
        tokio::task::spawn_blocking(move || state::remove(&path))
            .await
            .map_err(io::Error::other)
            .map_err(other)?
            .map_err(other)
    }

    /// What lab-init had to say, to be put behind another message.
    fn said(&mut self) -> String {
        let mut text = String::new();
        let read = self.errors.rewind().and_then(|()| self.errors.read_to_string(&mut text));
        match read {
            Ok(_) if !text.trim().is_empty() => format!("\n{}", text.trim()),
            _ => String::new(),
        }
    }
}

pub(super) fn other(error: io::Error) -> EnvironmentError {
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            EnvironmentError::Other(format!("{error} (a lab needs all of root's rights)"))
        }
        _ => EnvironmentError::Other(error.to_string()),
    }
}
