//! Whether there is load for long enough to see a fault's recovery.

use std::time::Duration;

use super::CALM;
use crate::observe::{Nanos, PlannedFault, nanos};

/// The faults whose recovery may lie beyond the end of the load, with the reason: nobody is left then
/// to see it, so whether it came in time cannot be told. Name and reason, in the order given.
pub fn beyond_load(faults: &[PlannedFault], load: Duration) -> Vec<(String, String)> {
    let end = nanos(load);
    let needed = |within: Option<Nanos>| within.unwrap_or(0).saturating_add(nanos(CALM));
    faults
        .iter()
        .filter(|fault| fault.at.saturating_add(needed(fault.recover_within)) > end)
        .map(|fault| {
            let left = Duration::from_nanos(end.saturating_sub(fault.at));
            let because = format!(
                "the load ends {left:.1?} after it strikes, and its recovery takes up to {:?} to judge",
                Duration::from_nanos(needed(fault.recover_within))
            );
            (fault.name.clone(), because)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recovery_that_nobody_would_see_is_found() {
        let fault = PlannedFault {
            name: "kill".into(),
            plugin: "kill".into(),
            at: nanos(Duration::from_secs(60)),
            after: None,
            recover_within: Some(nanos(Duration::from_secs(30))),
            requirement: None,
        };
        let faults = [fault];
        assert_eq!(beyond_load(&faults, Duration::from_secs(95)), []);
        let (name, because) = beyond_load(&faults, Duration::from_secs(94)).remove(0);
        assert_eq!(name, "kill");
        assert_eq!(
            because,
            "the load ends 34.0s after it strikes, and its recovery takes up to 35s to judge"
        );
    }
}
