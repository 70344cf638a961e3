//! Limits of this machine that are met in the middle of a run. What can be foreseen of them, the engine
//! has refused before there was any load.

use std::io;

use rustix::io::Errno;

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
}
