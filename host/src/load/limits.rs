//! Limits of this machine that bound how many virtual users one process can be: what is foreseen of
//! them before a run, and what is met of them in its middle.

use std::io;

use rustix::{
    io::Errno,
    process::{Resource, Rlimit, getrlimit, setrlimit},
};

use crate::observe::Severity;

/// Descriptors that the rest of the process needs.
const OWN_DESCRIPTORS: u64 = 256;

/// Memory maps of one virtual user, and of the rest of the process.
const MAPS_OF_A_USER: u64 = 6;
const OWN_MAPS: u64 = 2_000;

/// What the load generator itself has nothing left of. What fails for that says nothing about the
/// target, and a run in which it happened cannot pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shortage {
    Descriptors,
    Ports,
    /// Memory, or memory maps: the kernel does not tell them apart.
    Memory,
    Instances,
}

impl Shortage {
    /// Did an operation fail for want of something on this side?
    pub fn of(error: &io::Error) -> Option<Self> {
        match Errno::from_io_error(error)? {
            Errno::MFILE | Errno::NFILE => Some(Self::Descriptors),
            Errno::ADDRNOTAVAIL => Some(Self::Ports),
            Errno::NOMEM | Errno::NOBUFS => Some(Self::Memory),
            _ => None,
        }
    }

    /// What is missing, and what helps.
    pub fn explanation(self) -> &'static str {
        match self {
            Self::Descriptors => "had no file descriptor left: raise `ulimit -n`",
            Self::Ports => {
                "had no local port left: reuse connections, or widen `net.ipv4.ip_local_port_range`"
            }
            Self::Memory => "had no memory or memory map left: see `free -m` and `sysctl vm.max_map_count`",
            Self::Instances => {
                "had no room for another instance of a plugin: memory, memory maps (`sysctl vm.max_map_count`) or \
                 the pool of instances are used up"
            }
        }
    }
}

/// Raises the limit on open files as far as it may go, and answers what would bind with so many
/// users, each with one connection.
pub fn check_limits(users: u32) -> Vec<(Severity, String)> {
    let users = u64::from(users);
    let mut findings = Vec::new();
    let (needed, allowed) = (users + OWN_DESCRIPTORS, raise_open_files());
    if let Some(allowed) = allowed.filter(|allowed| *allowed < needed) {
        findings.push((
            Severity::Warning,
            format!(
                "{users} users need some {needed} open files and {allowed} are allowed: raise `ulimit -n`"
            ),
        ));
    }
    let (needed, allowed) = (users * MAPS_OF_A_USER + OWN_MAPS, most_maps());
    if let Some(allowed) = allowed.filter(|allowed| *allowed < needed) {
        findings.push((
            Severity::Warning,
            format!(
                "{users} users need some {needed} memory maps and {allowed} are allowed: \
                 `sysctl vm.max_map_count={needed}`"
            ),
        ));
    }
    findings
}

/// The limit that holds now; none if there is none.
fn raise_open_files() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if limit.current == limit.maximum || setrlimit(Resource::Nofile, raised).is_err() {
        return limit.current;
    }
    limit.maximum
}

fn most_maps() -> Option<u64> {
    std::fs::read_to_string("/proc/sys/vm/max_map_count").ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_here_is_not_the_targets_fault() {
        let of = |errno: Errno| Shortage::of(&io::Error::from(errno));
        assert_eq!(of(Errno::MFILE), Some(Shortage::Descriptors));
        assert_eq!(of(Errno::ADDRNOTAVAIL), Some(Shortage::Ports));
        assert_eq!(of(Errno::NOMEM), Some(Shortage::Memory));
        for foreign in [Errno::CONNREFUSED, Errno::CONNRESET, Errno::HOSTUNREACH, Errno::TIMEDOUT] {
            assert_eq!(of(foreign), None, "{foreign}");
        }
        assert_eq!(Shortage::of(&io::Error::other("strange")), None);
    }

    #[test]
    fn few_users_fit_and_too_many_are_told() {
        assert_eq!(check_limits(1), []);
        let findings = check_limits(u32::MAX);
        assert!(findings.iter().any(|(_, message)| message.contains("ulimit -n")), "{findings:?}");
    }
}
