//! What the load is to do next: the schedule, the shares and the starts as one row of orders.
//!
//! Pure: told what time it is, it answers what is due. The driver carries the orders out; tests
//! carry them out with users of a line each, and hold the arithmetic of a thousand schedules.

use crate::observe::Nanos;

use super::{
    schedule::{Phase, Schedule},
    shares::Shares,
};

/// Something to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Order {
    /// The phase with this number begins.
    Begin(usize),
    /// Another user of this behavior comes. It stands at the end of the row.
    Hire { behavior: usize },
    /// The newest user leaves.
    Dismiss,
    /// A task is to be started by a user of this behavior.
    Start { behavior: usize, at: Nanos, task: Option<u32> },
    /// The phase with this number is over.
    End(usize),
}

/// Whose start it is.
#[derive(Debug, Clone)]
pub(super) enum Deals {
    /// The behaviors', by their shares.
    ByShares(Shares),
    /// The first behavior's, one of these tasks after the other.
    InTurn { tasks: Vec<u32>, next: usize },
}

/// All that is to be done, in order. Time counts from the load's begin.
#[derive(Debug)]
pub(super) struct Agenda {
    schedule: Schedule,
    /// Which behavior each user has.
    row: Shares,
    deals: Deals,
    /// Which phase it is, and whether it has begun.
    phase: usize,
    begun: bool,
    /// Users as ordered so far.
    users: usize,
    /// Starts of this phase that were ordered.
    started: u64,
}

impl Deals {
    fn next(&mut self) -> Option<(usize, Option<u32>)> {
        match self {
            Self::ByShares(shares) => shares.deal().map(|behavior| (behavior, None)),
            Self::InTurn { tasks, next } => {
                let task = tasks.get(*next).copied();
                *next = if *next + 1 < tasks.len() { *next + 1 } else { 0 };
                Some((0, task))
            }
        }
    }
}

impl Agenda {
    pub(super) fn new(schedule: Schedule, shares: Shares, deals: Deals) -> Self {
        Self { schedule, row: shares, deals, phase: 0, begun: false, users: 0, started: 0 }
    }

    pub(super) fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// The next thing that is due by now; none if nothing is.
    pub(super) fn due(&mut self, now: Nanos) -> Option<Order> {
        let phase = self.schedule.phase(self.phase)?;
        if now < phase.start {
            return None;
        }
        if !self.begun {
            (self.begun, self.started) = (true, 0);
            return Some(Order::Begin(self.phase));
        }
        let wanted = phase.users_at(now) as usize;
        if self.users > wanted {
            self.users -= 1;
            return Some(Order::Dismiss);
        }
        if self.users < wanted
            && let Some(behavior) = self.row.behavior(self.users)
        {
            self.users += 1;
            return Some(Order::Hire { behavior });
        }
        if let Some(at) = self.next_start(phase).filter(|at| *at <= now)
            && let Some((behavior, task)) = self.deals.next()
        {
            self.started += 1;
            return Some(Order::Start { behavior, at, task });
        }
        if now < phase.end {
            return None;
        }
        self.begun = false;
        self.phase += 1;
        Some(Order::End(self.phase - 1))
    }

    /// When something will be due, if nothing is now; none when all is done.
    pub(super) fn next(&self, now: Nanos) -> Option<Nanos> {
        let phase = self.schedule.phase(self.phase)?;
        if !self.begun {
            return Some(phase.start);
        }
        let change = phase.next_change(now);
        Some(self.next_start(phase).map_or(change, |start| start.min(change)))
    }

    fn next_start(&self, phase: &Phase) -> Option<Nanos> {
        let open = phase.open.as_ref()?;
        open.arrivals.nth(self.started).map(|at| phase.start.saturating_add(at))
    }
}

#[cfg(test)]
mod tests;
