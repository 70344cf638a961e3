//! Ending, stopping and continuing whole instances.

use std::{
    io,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, Signal, kill_process, pidfd_send_signal},
};

use super::instance::Process;

/// How long a killed instance may take to be gone. The kernel needs some milliseconds.
const GONE_WITHIN: Duration = Duration::from_secs(3);

/// Ends all processes of an instance and waits until they have ended.
pub(super) fn kill(process: &Process) -> io::Result<()> {
    match pidfd_send_signal(&process.handle, Signal::KILL) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => {}
        Err(error) => return Err(error.into()),
    }
    let mut fds = [PollFd::new(&process.handle, PollFlags::IN)];
    let most = Timespec { tv_sec: GONE_WITHIN.as_secs().cast_signed(), tv_nsec: 0 };
    match poll(&mut fds, Some(&most))? {
        0 => Err(io::Error::other(format!("its processes have not ended within {GONE_WITHIN:?}"))),
        _ => Ok(()),
    }
}

/// Asks the program of an instance to end. The first process of the instance would not hear it.
pub(super) fn ask_to_end(process: &Process) -> io::Result<()> {
    let pid = process.pid;
    // Gone by itself in the meantime, it has no list of children any more.
    let children = fs_err::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let program = children.split_whitespace().next().and_then(|pid| pid.parse().ok()).and_then(Pid::from_raw);
    match program {
        Some(program) => signal(program, Signal::TERM),
        None => Ok(()),
    }
}

/// Stops every process that `processes` lists until it lists no new ones. Signals, not the kernel's
/// freezer: frozen groups survive SIGKILL in version 1, and then a lab could not be ended.
pub(super) fn stop_all(first: &Process, processes: impl Fn() -> io::Result<Vec<i32>>) -> io::Result<usize> {
    let deadline = Instant::now() + Duration::from_secs(2);
    let mut stopped = Vec::new();
    loop {
        let mut found_new = false;
        for pid in members(first, &processes)? {
            if !stopped.contains(&pid) {
                signal(pid, Signal::STOP)?;
                stopped.push(pid);
                found_new = true;
            }
        }
        if !found_new {
            return Ok(stopped.len());
        }
        if Instant::now() > deadline {
            return Err(io::Error::other("it starts processes faster than they can be stopped"));
        }
    }
}

/// Lets all of them go on.
pub(super) fn continue_all(first: &Process, processes: impl Fn() -> io::Result<Vec<i32>>) -> io::Result<()> {
    members(first, &processes)?.into_iter().try_for_each(|pid| signal(pid, Signal::CONT))
}

/// All processes but the first one, which only waits.
fn members(first: &Process, processes: &impl Fn() -> io::Result<Vec<i32>>) -> io::Result<Vec<Pid>> {
    Ok(processes()?.into_iter().filter_map(Pid::from_raw).filter(|pid| *pid != first.pid).collect())
}

fn signal(pid: Pid, signal: Signal) -> io::Result<()> {
    match kill_process(pid, signal) {
        // It may have ended by itself in the meantime.
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
