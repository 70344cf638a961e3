//! Control groups: limits and readings, in both of the kernel's versions behind one small trait.
//!
//! A lab has one tree, named after its id: `groups/GROUP/INSTANCE` for instances of a group, and
//! `single/INSTANCE` for the others. Directories outlive the processes in them, and any root process
//! can remove empty ones: that is what [`remove_tree`] is for.

mod v1;
mod v2;

use std::{
    io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use crate::environment::Quota;

/// What a lab's tree is called: this and the lab's id.
pub(super) const PREFIX: &str = "assay-";

/// Share of the machine that a whole lab has against others, the load among them, which have ten
/// times as much each.
const LAB_SHARES: u64 = 102;

/// What a processor is worth in shares.
const SHARES_PER_CPU: u64 = 1024;

/// Length of a scheduling period in microseconds.
const PERIOD: u64 = 100_000;

/// A control group of one lab, below its own tree: `groups/app/web-0`; empty is the tree itself.
pub(super) type Group<'a> = &'a str;

/// Cumulative figures of one control group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Figures {
    /// Nanoseconds of processor time.
    pub(super) cpu: u64,
    /// Bytes, without file pages that could be dropped at once.
    pub(super) memory: u64,
    pub(super) periods: u64,
    pub(super) throttled: u64,
    pub(super) oom_kills: u64,
}

/// One version of control groups, for one lab.
pub(super) trait Cgroups: Send {
    /// Makes a group and the ones above it, without limits.
    fn create(&self, group: Group<'_>) -> io::Result<()>;
    /// Sets how much of the processors it gets when they are scarce, in thousandths of one.
    fn set_request(&self, group: Group<'_>, cpu: u64) -> io::Result<()>;
    /// Bounds it; absent is unbounded.
    fn set_limits(&self, group: Group<'_>, quota: Quota) -> io::Result<()>;
    /// The files that a process writes `0` to, so that it and all that it starts belong there.
    fn entrances(&self, group: Group<'_>) -> Vec<PathBuf>;
    /// Processes in it, as the reader's pid namespace numbers them.
    fn processes(&self, group: Group<'_>) -> io::Result<Vec<i32>>;
    fn figures(&self, group: Group<'_>) -> io::Result<Figures>;
}

/// Finds out which version this machine has, for a lab of this id.
pub(super) fn of_lab(id: &str) -> io::Result<Box<dyn Cgroups>> {
    let mounts = fs_err::read_to_string("/proc/self/mountinfo")?;
    let tree = format!("{PREFIX}{id}");
    if let Some(found) = v1::V1::find(&mounts, &tree) {
        return Ok(Box::new(found));
    }
    if let Some(found) = v2::V2::find(&mounts, &tree) {
        return Ok(Box::new(found));
    }
    Err(io::Error::other(
        "no control groups with the controllers cpu and memory are mounted; a lab needs them, in version 1 or 2",
    ))
}

/// All folders that hold trees of labs on this machine.
pub(super) fn roots() -> io::Result<Vec<PathBuf>> {
    let mounts = fs_err::read_to_string("/proc/self/mountinfo")?;
    Ok(mounts.lines().filter_map(mount).map(|mount| mount.path).collect())
}

/// Ends what still runs in one lab's trees and removes them. Succeeds if there is none.
pub(super) fn remove(id: &str) -> io::Result<()> {
    roots()?.iter().try_for_each(|root| remove_tree(&root.join(format!("{PREFIX}{id}"))))
}

/// Removes a tree of control groups, from its leaves. The kernel refuses while processes are still
/// ending, so this tries for a few seconds.
fn remove_tree(tree: &Path) -> io::Result<()> {
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        match remove_once(tree) {
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                if Instant::now() > deadline {
                    return Err(error);
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            done => return done,
        }
    }
}

fn remove_once(tree: &Path) -> io::Result<()> {
    for entry in fs_err::read_dir(tree)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_once(&entry.path())?;
        }
    }
    for process in numbers(&tree.join("cgroup.procs")).unwrap_or_default() {
        if let Some(pid) = rustix::process::Pid::from_raw(process) {
            // It may have ended by itself in the meantime.
            let _ended = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }
    fs_err::remove_dir(tree)
}

/// Thousandths of a processor as microseconds of a period.
fn quota_micros(cpu: u64) -> u64 {
    // The kernel allows no less than one millisecond.
    (cpu.saturating_mul(PERIOD) / 1000).max(1000)
}

fn shares(cpu: u64) -> u64 {
    (cpu.saturating_mul(SHARES_PER_CPU) / 1000).clamp(2, 262_144)
}

/// One line of `mountinfo` that mounts control groups.
#[derive(Debug)]
struct Mount {
    path: PathBuf,
    /// 1 or 2.
    version: u8,
    /// Of version 1: its controllers, among other options.
    options: Vec<String>,
}

fn mount(line: &str) -> Option<Mount> {
    let (before, after) = line.split_once(" - ")?;
    let mut after = after.split(' ');
    let version = match after.next()? {
        "cgroup" => 1,
        "cgroup2" => 2,
        _ => return None,
    };
    let options = after.nth(1)?.split(',').map(str::to_owned).collect();
    Some(Mount { path: before.split(' ').nth(4)?.into(), version, options })
}

fn numbers(file: &Path) -> io::Result<Vec<i32>> {
    let text = fs_err::read_to_string(file)?;
    Ok(text.lines().filter_map(|line| line.trim().parse().ok()).collect())
}

/// The number in a file that holds one.
fn number(file: &Path) -> io::Result<u64> {
    let text = fs_err::read_to_string(file)?;
    text.trim()
        .parse()
        .map_err(|_| io::Error::other(format!("{}: '{}' is no number", file.display(), text.trim())))
}

/// The number after a key, in a file of `key number` lines; 0 if the key is not there.
fn keyed(file: &Path, key: &str) -> io::Result<u64> {
    let text = fs_err::read_to_string(file)?;
    Ok(text
        .lines()
        .filter_map(|line| line.split_once(' '))
        .find(|(found, _)| *found == key)
        .and_then(|(_, value)| value.trim().parse().ok())
        .unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_of_both_versions_are_found() {
        let one =
            mount("33 32 0:29 / /sys/fs/cgroup/cpu rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct")
                .expect("a mount");
        assert_eq!((one.version, one.path.to_str()), (1, Some("/sys/fs/cgroup/cpu")));
        assert!(one.options.iter().any(|option| option == "cpuacct"));
        let two = mount("35 24 0:30 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate")
            .expect("a mount");
        assert_eq!((two.version, two.path.to_str()), (2, Some("/sys/fs/cgroup")));
        assert!(mount("25 30 0:23 / /sys rw,relatime shared:7 - sysfs sysfs rw").is_none());
    }

    #[test]
    fn trees_are_removed_from_their_leaves() {
        let folder = tempfile::tempdir().expect("a folder");
        let tree = folder.path().join("assay-x");
        std::fs::create_dir_all(tree.join("groups/app/web-0")).expect("made");
        std::fs::create_dir_all(tree.join("single/lb-0")).expect("made");
        remove_tree(&tree).expect("removed");
        assert!(!tree.exists());
        remove_tree(&tree).expect("nothing to remove is fine");
    }
}
