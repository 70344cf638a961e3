//! Limits of this machine that bound how many virtual users one process can be.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::observe::Severity;

/// Descriptors that the rest of the process needs.
const OWN_DESCRIPTORS: u64 = 256;

/// Memory maps of one virtual user, and of the rest of the process.
const MAPS_OF_A_USER: u64 = 6;
const OWN_MAPS: u64 = 2_000;

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
    fn few_users_fit_and_too_many_are_told() {
        assert_eq!(check_limits(1), []);
        let findings = check_limits(u32::MAX);
        assert!(findings.iter().any(|(_, message)| message.contains("ulimit -n")), "{findings:?}");
    }
}
