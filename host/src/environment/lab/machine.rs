//! The machine that labs run on.

use crate::environment::Quota;

/// What this machine has.
pub(super) fn capacity() -> Quota {
    let cpus = std::thread::available_parallelism().ok().map(|cpus| cpus.get() as u64 * 1000);
    let memory = fs_err::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
        line.split_whitespace().next()?.parse::<u64>().ok().map(|kibibytes| kibibytes << 10)
    });
    Quota { cpu: cpus, memory }
}
