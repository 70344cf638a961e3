//! What the machine must allow before a thousand stores can live in one process.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Memory maps of one live instance, measured.
const MAPS_OF_AN_INSTANCE: u64 = 6;
/// Maps of the process itself: libraries, heaps, threads, compiled code.
const MAPS_OF_THE_HOST: u64 = 2_000;
/// Files of the process itself beside one connection per instance.
const FILES_OF_THE_HOST: u64 = 256;

/// The machine does not allow what the run needs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MachineError {
    #[error(
        "{instances} instances need {needed} memory maps, and vm.max_map_count allows {allowed}: \
         run `sudo sysctl -w vm.max_map_count={}`, or use fewer users",
        .needed.next_power_of_two()
    )]
    Maps { instances: u32, needed: u64, allowed: u64 },
    #[error(
        "{instances} instances need {needed} open files, and this process may have {allowed}: \
         run `ulimit -n {}` as root first, or use fewer users",
        .needed.next_power_of_two()
    )]
    Files { instances: u32, needed: u64, allowed: u64 },
}

/// Checks both limits, and raises that on files as far as this process may.
pub(crate) fn ensure_room(instances: u32) -> Result<(), MachineError> {
    if let Some(allowed) = map_limit() {
        check_maps(instances, allowed)?;
    }
    check_files(instances, file_limit())
}

fn check_maps(instances: u32, allowed: u64) -> Result<(), MachineError> {
    let needed = u64::from(instances) * MAPS_OF_AN_INSTANCE + MAPS_OF_THE_HOST;
    match needed <= allowed {
        true => Ok(()),
        false => Err(MachineError::Maps { instances, needed, allowed }),
    }
}

fn check_files(instances: u32, allowed: u64) -> Result<(), MachineError> {
    let needed = files_for(instances);
    match needed <= allowed {
        true => Ok(()),
        false => Err(MachineError::Files { instances, needed, allowed }),
    }
}

fn files_for(instances: u32) -> u64 {
    u64::from(instances) + FILES_OF_THE_HOST
}

/// Absent where the kernel does not say, and then it does not bind.
fn map_limit() -> Option<u64> {
    std::fs::read_to_string("/proc/sys/vm/max_map_count").ok()?.trim().parse().ok()
}

/// How many files may be open, after raising the soft limit to the hard one: a user may have more than
/// one connection.
fn file_limit() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let (soft, hard) = (limit.current.unwrap_or(u64::MAX), limit.maximum.unwrap_or(u64::MAX));
    if soft < hard {
        let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
        if setrlimit(Resource::Nofile, raised).is_ok() {
            return hard;
        }
    }
    soft
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_remedy_is_said() {
        insta::assert_snapshot!(
            check_maps(12_000, 65_530).expect_err("too many"),
            @"12000 instances need 74000 memory maps, and vm.max_map_count allows 65530: run `sudo sysctl -w vm.max_map_count=131072`, or use fewer users"
        );
        insta::assert_snapshot!(
            check_files(1_064, 1_024).expect_err("too many"),
            @"1064 instances need 1320 open files, and this process may have 1024: run `ulimit -n 2048` as root first, or use fewer users"
        );
    }

    #[test]
    fn a_thousand_users_fit_the_defaults() {
        check_maps(1_064, 65_530).expect("maps");
        check_files(1_064, 4_096).expect("files");
    }
}
