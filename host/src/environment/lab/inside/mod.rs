//! The small programs that the lab runs inside of itself: re-executions of this binary that never
//! see an async runtime, because entering namespaces needs a process with one thread.

mod enter;
mod instance;
mod tool;

use std::{io, path::Path};

use rustix::thread::{LinkNameSpaceType, UnshareFlags};

pub(super) use enter::{Entry, NAME as ENTER_NAME, enter};
pub(super) use instance::{InstanceSpec, NAME as INSTANCE_NAME, instance};
pub(super) use tool::{NAME as TOOL_NAME, in_rootfs, tool};

/// Where programs are looked for when nothing else is said.
const PATH: &str = "/programs:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Gives this process namespaces of its own.
pub(super) fn unshare(flags: UnshareFlags) -> io::Result<()> {
    // SAFETY: The table of file descriptors stays shared, the only case that is unsafe.
    unsafe { rustix::thread::unshare_unsafe(flags)? };
    Ok(())
}

/// Enters a namespace by its file.
pub(super) fn set_namespace(file: &impl std::os::fd::AsFd, kind: LinkNameSpaceType) -> io::Result<()> {
    Ok(rustix::thread::move_into_link_name_space(file.as_fd(), Some(kind))?)
}

/// Makes this process belong to control groups, by their entrances.
fn join_groups(entrances: &[std::path::PathBuf]) -> io::Result<()> {
    entrances.iter().try_for_each(|entrance| fs_err::write(entrance, "0"))
}

/// What a shell would say of how a process ended.
fn exit_code(status: std::process::ExitStatus) -> u8 {
    use std::os::unix::process::ExitStatusExt;
    let code = status.code().or(status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    u8::try_from(code).unwrap_or(1)
}

/// The exit code for a program that could not be started.
fn not_started(error: &io::Error) -> u8 {
    match error.kind() {
        io::ErrorKind::NotFound => 127,
        _ => 126,
    }
}

/// Adds to an error what was being done.
trait While<T> {
    fn during(self, what: impl FnOnce() -> String) -> io::Result<T>;
}

impl<T, E: Into<io::Error>> While<T> for Result<T, E> {
    fn during(self, what: impl FnOnce() -> String) -> io::Result<T> {
        self.map_err(|error| {
            let error = error.into();
            io::Error::new(error.kind(), format!("{}: {error}", what()))
        })
    }
}

/// A folder as mount calls want it.
fn make(path: &Path) -> io::Result<()> {
    fs_err::create_dir_all(path)
}
