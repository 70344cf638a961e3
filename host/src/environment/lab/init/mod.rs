//! `lab-init`: the process that a lab is.
//!
//! Two processes share the name. The outer one, the warden, does nothing but wait for the inner one
//! and remove what outlives processes: control groups and data. The inner one is the first process
//! of a pid namespace and has a network and mounts of its own. It makes the lab, watches over it, and
//! obeys the socket that is its standard input. When that socket ends, because the host closed it or
//! died, the inner process exits, and the kernel ends every process of the lab and takes down every
//! interface and mount with it.
//!
//! The inner process has one thread and one loop ([`center`]), because namespaces belong to threads.

mod autoscale;
mod calls;
mod center;
mod control;
mod exec;
mod filter;
mod instance;
mod logs;
mod network;
mod nodes;
mod probe;
mod replicas;
mod signals;
mod supervise;

use std::{
    ffi::OsString,
    io::{self, Write},
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
};

use rustix::{
    mount::{MountFlags, MountPropagationFlags, mount, mount_change},
    thread::UnshareFlags,
};

use super::{inside, state};

/// What the re-execution is called.
pub(super) const NAME: &str = "lab-init";

/// Marks the inner process.
const INNER: &str = "--inner";

/// `lab-init FOLDER`, and within it `lab-init --inner FOLDER`. The socket is standard input.
pub(super) fn init(mut arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let done = match (arguments.next(), arguments.next()) {
        (Some(inner), Some(folder)) if inner == INNER => be_inner(Path::new(&folder)),
        (Some(folder), None) => be_warden(&PathBuf::from(folder)),
        _ => Err(io::Error::other("it is for the lab's own use")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{NAME}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn be_warden(folder: &Path) -> io::Result<()> {
    let state = state::State::join(folder)?;
    // Only children are affected: the warden stays where control groups and data can be removed.
    inside::unshare(UnshareFlags::NEWPID)?;
    let mut inner = Command::new("/proc/self/exe")
        .arg(NAME)
        .arg(INNER)
        .arg(folder)
        .stdin(Stdio::from(take_stdin()?))
        .stdout(Stdio::null())
        .spawn()?;
    let mut stdout = io::stdout().lock();
    // The host needs the number by which the machine knows the inner process.
    writeln!(stdout, "{}", inner.id())?;
    stdout.flush()?;
    drop(stdout);
    let ended = inner.wait();
    state::remove(&state.path)?;
    let status = ended?;
    match status.success() {
        true => Ok(()),
        false => Err(io::Error::other(format!("the lab ended: {status}"))),
    }
}

fn be_inner(folder: &Path) -> io::Result<()> {
    // A lock of its own: if the warden is killed, nobody may take the living lab for a dead one.
    let _state = state::State::join(folder)?;
    let socket = take_stdin()?;
    inside::unshare(
        UnshareFlags::NEWNET | UnshareFlags::NEWNS | UnshareFlags::NEWIPC | UnshareFlags::NEWUTS,
    )?;
    mount_change("/", MountPropagationFlags::REC | MountPropagationFlags::PRIVATE)?;
    mount("proc", "/proc", "proc", MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC, c"")?;
    rustix::system::sethostname(b"lab")?;
    center::serve(control::Control::new(socket)?)
}

/// Standard input as a descriptor of its own; children are not to have it.
fn take_stdin() -> io::Result<OwnedFd> {
    let socket = io::stdin().as_fd().try_clone_to_owned()?;
    rustix::stdio::dup2_stdin(std::fs::File::open("/dev/null")?)?;
    Ok(socket)
}
