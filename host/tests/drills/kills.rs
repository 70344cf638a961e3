//! The host is killed at random points of drills, and `host recover` puts everything back.

use std::time::Duration;

use crate::{
    in_the_lab,
    support::kills::{CRASH, DRAIN, EXHAUSTION, FREEZE, PARTITION, POWER, QUOTA, leave_nothing},
};

/// From before anything was done until long after the strike. A drill gets there in some eight seconds.
const WITHIN: std::ops::Range<Duration> = Duration::ZERO..Duration::from_secs(24);

#[test]
fn drills_killed_at_random_points_leave_nothing_in_force() {
    let drills = [CRASH, DRAIN, EXHAUSTION, FREEZE, PARTITION, POWER, QUOTA];
    in_the_lab(|lab| leave_nothing(lab, &drills, WITHIN));
}
