//! How many instances a workload has: which of its slots are taken into use, and who has to go.

use std::{cmp::Reverse, io, time::Duration};

use super::{
    super::protocol::monotonic,
    center::Center,
    instance::{Instance, Stage},
};

/// What decides who goes first, the least of all being the first. For what can move it is what a ReplicaSet
/// decides by, for what has a place of its own what a StatefulSet does.
type Rank = (bool, bool, bool, Reverse<usize>, u32, Reverse<u32>, u32, Reverse<u32>);

impl Center {
    /// Takes slots into use, or out of it, until there are so many.
    pub(super) fn resize(&mut self, workload: usize, count: u32) -> io::Result<()> {
        self.desired[workload] = count;
        let slots: Vec<usize> =
            (0..self.instances.len()).filter(|index| self.slot(*index).workload == workload).collect();
        let (mut used, mut free): (Vec<_>, Vec<_>) =
            slots.into_iter().partition(|index| self.instances[*index].enlisted);
        let (wanted, now) = (count as usize, monotonic());
        // Those that can start now first: one that is held cannot, and what is still ending would have to start
        // once more in its old place. Who has a place of its own takes it in any case.
        let movable = self.plan.workloads[workload].movable;
        free.sort_by_key(|index| {
            let instance = &self.instances[*index];
            let (held, ending) = (instance.held, instance.process().is_some());
            (movable && held, movable && ending, self.slot(*index).ordinal)
        });
        for index in free.into_iter().take(wanted.saturating_sub(used.len())) {
            self.enlist(index)?;
        }
        used.sort_by_key(|index| self.rank(*index, now));
        for index in used.iter().take(used.len().saturating_sub(wanted)) {
            self.instances[*index].enlisted = false;
        }
        Ok(())
    }

    /// Takes a slot into use, on the node where there are fewest.
    fn enlist(&mut self, index: usize) -> io::Result<()> {
        let free = self.workload(index).movable && self.instances[index].process().is_none();
        if let Some(node) = self.other_place(index).filter(|node| free && *node != self.instances[index].node)
        {
            self.put(index, node)?;
        }
        let instance = &mut self.instances[index];
        instance.enlisted = true;
        if matches!(instance.stage, Stage::Running(_)) {
            // Nobody had come to end it.
            return Ok(());
        }
        // It is a new one, whatever ran in its slot before.
        (instance.born, instance.crashes, instance.restarts) = (None, 0, 0);
        instance.detail.clear();
        Ok(())
    }

    fn rank(&self, index: usize, now: u64) -> Rank {
        let (instance, slot) = (&self.instances[index], self.slot(index));
        // The way in is an address, and must lead somewhere.
        let is_way_in = slot.address == self.plan.target.0;
        if !self.workload(index).movable {
            return (is_way_in, false, false, Reverse(0), 0, Reverse(0), 0, Reverse(slot.ordinal));
        }
        let like = |other: usize| {
            let (there, here) = (&self.instances[other], instance.node);
            there.enlisted && there.node == here && self.slot(other).workload == slot.workload
        };
        let together = (0..self.instances.len()).filter(|other| like(*other)).count();
        rank_of(instance, is_way_in, together, slot.ordinal, now)
    }
}

/// The rank of one that can move, `together` with so many of its workload on its node.
fn rank_of(instance: &Instance, is_way_in: bool, together: usize, ordinal: u32, now: u64) -> Rank {
    (
        is_way_in,
        instance.born.is_some(),
        instance.ready,
        Reverse(together),
        // For how long it has not been ready says nothing.
        if instance.ready { magnitude(now.saturating_sub(instance.since)) } else { 0 },
        Reverse(instance.restarts),
        magnitude(now.saturating_sub(instance.born.unwrap_or(now))),
        Reverse(ordinal),
    )
}

/// Ages are told apart by powers of two of seconds only, so that it is not always the newest that goes.
fn magnitude(nanos: u64) -> u32 {
    Duration::from_nanos(nanos).as_secs().checked_ilog2().map_or(0, |power| power + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_never_started_goes_first_and_then_who_is_not_ready() {
        let now = 1_000_000_000_000;
        let crashed = Instance { born: Some(now / 2), restarts: 3, ..Instance::new(0, true) };
        let fresh = Instance { born: Some(now - 1), ..Instance::new(0, true) };
        let ready = Instance { born: Some(now / 2), ready: true, since: now / 2, ..Instance::new(0, true) };
        let newer = Instance { born: Some(now / 2), ready: true, since: now - 1, ..Instance::new(0, true) };
        let all = [
            ("ready", ready),
            ("newer", newer),
            ("fresh", fresh),
            ("crashed", crashed),
            ("never", Instance::new(0, true)),
        ];
        let mut ranked = all.map(|(name, instance)| (rank_of(&instance, false, 1, 0, now), name));
        ranked.sort();
        assert_eq!(ranked.map(|(_, name)| name), ["never", "crashed", "fresh", "newer", "ready"]);
    }

    #[test]
    fn ages_are_compared_by_their_magnitude() {
        let seconds = [0, 1, 2, 3, 4, 7, 8, 3_600];
        assert_eq!(seconds.map(|age| magnitude(age * 1_000_000_000)), [0, 1, 2, 2, 3, 3, 4, 12]);
    }
}
