//! Follows the schedule: starts users, asks them to leave, cuts off those who do not.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use tokio::task::{AbortHandle, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::observe::{Clock, Fact, Nanos, PlannedPhase, Severity, nanos};

use super::{
    Load, LoadEnd, Schedule, Shares,
    mix::Dice,
    ordinals::Ordinals,
    user::{Role, User},
};

/// How often the ledger is written out.
const FLUSH: Duration = Duration::from_secs(1);

pub(super) struct Driver<'a> {
    load: &'a Load,
    schedule: Schedule,
    shares: Shares,
    roles: Vec<Arc<Role>>,
    /// One per role.
    ordinals: Vec<Ordinals>,
    clock: Clock,
    /// When the load began; the schedule counts from here.
    begun: Nanos,
    /// All users, also those who are leaving.
    tasks: JoinSet<()>,
    /// Those who stay, oldest first: a user's place here is its place in the row of shares.
    staying: Vec<Staying>,
    /// Those who are leaving, and until when they may take, soonest first.
    leaving: VecDeque<(Nanos, AbortHandle)>,
    next_id: u64,
    cut_off: u32,
}

struct Staying {
    leave: CancellationToken,
    task: AbortHandle,
}

impl<'a> Driver<'a> {
    pub(super) fn new(load: &'a Load, schedule: Schedule, shares: Shares, roles: Vec<Arc<Role>>) -> Self {
        let clock = load.recorder.clock();
        Self {
            load,
            schedule,
            shares,
            ordinals: Ordinals::of_run(roles.len()),
            roles,
            clock,
            begun: clock.now(),
            tasks: JoinSet::new(),
            staying: Vec::new(),
            leaving: VecDeque::new(),
            next_id: 0,
            cut_off: 0,
        }
    }

    pub(super) async fn run(mut self, stop: CancellationToken) -> LoadEnd {
        let phases: Vec<PlannedPhase> = self.schedule.phases().collect();
        let mut stopped = false;
        for phase in &phases {
            if stopped {
                break;
            }
            self.tell_at(phase.start, Fact::PhaseStarted { phase: phase.name.clone(), users: phase.users });
            stopped = self.phase(phase.end, &stop).await;
            let ended = if stopped { self.passed() } else { phase.end };
            self.tell_at(ended, Fact::PhaseEnded { phase: phase.name.clone() });
        }
        self.see_off().await;
        self.flush();
        LoadEnd { stopped, cut_off: self.cut_off }
    }

    /// Time since the load began.
    fn passed(&self) -> Nanos {
        self.clock.now().saturating_sub(self.begun)
    }

    fn tell_at(&self, passed: Nanos, fact: Fact) {
        self.load.options.stream.tell_at(self.begun.saturating_add(passed), fact);
    }

    /// Follows the schedule until a phase's end. Answers whether it was stopped before.
    async fn phase(&mut self, end: Nanos, stop: &CancellationToken) -> bool {
        let mut flushed = self.passed();
        loop {
            let now = self.passed();
            if now >= end {
                return false;
            }
            self.adjust(self.schedule.users_at(now));
            self.cut_off_overdue();
            if now.saturating_sub(flushed) >= nanos(FLUSH) {
                self.flush();
                flushed = now;
            }
            let next = [
                self.schedule.next_change(now).unwrap_or(end),
                self.leaving.front().map_or(Nanos::MAX, |(until, _)| *until),
                flushed.saturating_add(nanos(FLUSH)),
                end,
            ];
            let next = next.into_iter().min().unwrap_or(end);
            let wake = self.clock.instant(self.begun.saturating_add(next));
            tokio::select! {
                biased;
                () = stop.cancelled() => return true,
                () = tokio::time::sleep_until(wake.into()) => {}
                Some(ended) = self.tasks.join_next() => self.reap(ended),
            }
        }
    }

    /// Starts users or asks the newest ones to leave, until there are so many.
    fn adjust(&mut self, users: u32) {
        let users = users as usize;
        while self.staying.len() > users {
            self.dismiss();
        }
        while self.staying.len() < users && self.hire() {}
    }

    /// Starts the next user. Answers whether there was a behavior for it.
    fn hire(&mut self) -> bool {
        let Some(behavior) = self.shares.behavior(self.staying.len()) else { return false };
        let (Some(role), Some(ordinals)) = (self.roles.get(behavior), self.ordinals.get(behavior)) else {
            return false;
        };
        let leave = CancellationToken::new();
        let user = User {
            role: role.clone(),
            id: self.next_id,
            ordinal: ordinals.take(),
            dice: Dice::new(self.load.options.seed, self.next_id),
            leave: leave.clone(),
            _alive: self.load.recorder.user(),
        };
        self.next_id += 1;
        let task = self.tasks.spawn(user.live());
        self.staying.push(Staying { leave, task });
        true
    }

    /// Asks the newest user to leave.
    fn dismiss(&mut self) {
        if let Some(newest) = self.staying.pop() {
            newest.leave.cancel();
            let until = self.passed().saturating_add(nanos(self.load.options.stop_timeout));
            self.leaving.push_back((until, newest.task));
        }
    }

    fn cut_off_overdue(&mut self) {
        let now = self.passed();
        while let Some((_, task)) = self.leaving.pop_front_if(|(until, _)| *until <= now) {
            // Of one that has left this does nothing.
            task.abort();
        }
    }

    /// Asks everyone to leave and waits until nobody is left.
    async fn see_off(&mut self) {
        while !self.staying.is_empty() {
            self.dismiss();
        }
        while !self.tasks.is_empty() {
            self.cut_off_overdue();
            let until = self.leaving.front().map_or(Nanos::MAX, |(until, _)| *until);
            let wake = self.clock.instant(self.begun.saturating_add(until.min(self.passed() + nanos(FLUSH))));
            tokio::select! {
                biased;
                Some(ended) = self.tasks.join_next() => self.reap(ended),
                () = tokio::time::sleep_until(wake.into()) => {}
            }
        }
        if self.cut_off > 0 {
            let message = format!(
                "{} users had not finished their task {:?} after they were asked to leave, and were cut off",
                self.cut_off, self.load.options.stop_timeout
            );
            self.finding(Severity::Note, message);
        }
    }

    fn reap(&mut self, ended: Result<(), JoinError>) {
        match ended {
            Ok(()) => {}
            Err(error) if error.is_cancelled() => self.cut_off += 1,
            Err(error) => self.finding(Severity::Warning, format!("a virtual user broke down: {error}")),
        }
    }

    /// Should the ledger be beyond writing, the report says so once, at the end.
    fn flush(&self) {
        let _ = self.load.ledger.flush();
    }

    fn finding(&self, severity: Severity, message: String) {
        self.load.options.stream.tell(Fact::Finding { source: "load".to_owned(), severity, message });
    }
}
