//! How a workload's counts went over the run.

use assay_sdk::observations::{Nanos, ReplicaPoint, WorkloadSeen};

/// The counts at every change, oldest first.
pub(crate) struct Course(Vec<ReplicaPoint>);

impl Course {
    pub(crate) fn of(workload: &WorkloadSeen) -> Self {
        let mut points = workload.replicas.clone();
        points.sort_by_key(|point| point.at);
        Course(points)
    }

    /// What held at a moment; none before anything was told.
    pub(crate) fn at(&self, moment: Nanos) -> Option<&ReplicaPoint> {
        self.0.iter().rev().find(|point| point.at <= moment)
    }

    /// How long after a moment something first held; 0 if it held then.
    pub(crate) fn first(&self, from: Nanos, holds: impl Fn(&ReplicaPoint) -> bool) -> Option<Nanos> {
        if self.at(from).is_some_and(&holds) {
            return Some(0);
        }
        self.0.iter().find(|point| point.at > from && holds(point)).map(|point| point.at - from)
    }

    /// The latest change that is known.
    pub(crate) fn until(&self) -> Nanos {
        self.0.last().map_or(0, |point| point.at)
    }

    /// The desired counts from a moment on, each but once in a row.
    pub(crate) fn desired(&self, from: Nanos) -> Vec<u32> {
        let before = self.at(from).map(|point| point.desired);
        let later = self.0.iter().filter(|point| point.at > from).map(|point| point.desired);
        let mut counts: Vec<u32> = before.into_iter().chain(later).collect();
        counts.dedup();
        counts
    }
}

/// How often a sequence without repetitions changes its direction.
pub(crate) fn reversals(counts: &[u32]) -> u64 {
    counts.windows(3).filter(|three| three[0].cmp(&three[1]) != three[1].cmp(&three[2])).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn course(desired: &[(Nanos, u32)]) -> Course {
        let point = |&(at, desired)| ReplicaPoint { at, desired, running: desired, ready: desired };
        Course(desired.iter().map(point).collect())
    }

    #[test]
    fn the_latest_of_one_moment_is_what_held() {
        let course = course(&[(100, 3), (200, 10), (200, 4), (250, 10)]);
        assert_eq!(course.at(99), None);
        assert_eq!(course.at(200).map(|point| point.desired), Some(4));
        assert_eq!(course.first(200, |point| point.desired >= 10), Some(50));
        assert_eq!(course.first(200, |point| point.desired >= 4), Some(0));
        assert_eq!(course.first(200, |point| point.desired > 10), None);
        assert_eq!(course.desired(200), [4, 10]);
        assert_eq!(course.until(), 250);
    }

    #[test]
    fn up_and_down_again_is_one_reversal() {
        assert_eq!(reversals(&[]), 0);
        assert_eq!(reversals(&[3]), 0);
        assert_eq!(reversals(&[3, 7, 10]), 0);
        assert_eq!(reversals(&[3, 7, 10, 5, 3]), 1);
        assert_eq!(reversals(&[3, 10, 9, 10, 3]), 3);
    }
}
