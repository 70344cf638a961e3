//! Carries out the agenda: starts users, hands them starts, asks them to leave, cuts off those who
//! do not.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use tokio::task::{AbortHandle, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::observe::{Clock, Fact, Nanos, Severity, Stream, nanos};

use super::{
    Load, LoadEnd, RunLedger,
    agenda::{Agenda, Order},
    desk::Desk,
    mix::Dice,
    ordinals::Ordinals,
    probe,
    recorder::Recorder,
    user::{Role, User},
};

/// How often the ledger is written out.
const FLUSH: Duration = Duration::from_secs(1);

/// Whose users they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Troupe {
    Load,
    /// Their numbers begin here.
    Probe {
        first: u64,
    },
}

pub(super) struct Driver {
    stream: Stream,
    recorder: Arc<Recorder>,
    ledger: Arc<RunLedger>,
    seed: u64,
    stop_timeout: Duration,
    troupe: Troupe,
    agenda: Agenda,
    roles: Vec<Arc<Role>>,
    /// One per role.
    ordinals: Vec<Ordinals>,
    clock: Clock,
    /// When the load began; the agenda counts from here.
    begun: Nanos,
    /// All users, also those who are leaving.
    tasks: JoinSet<()>,
    /// Those who stay, oldest first: a user's place here is its place in the row of shares.
    staying: Vec<Staying>,
    /// Those who are leaving, and until when they may take, soonest first.
    leaving: VecDeque<(Nanos, AbortHandle)>,
    next_id: u64,
    cut_off: u32,
    /// Starts in all, and those that found no free user or were given up.
    started: u64,
    late: u64,
    dropped: u64,
}

struct Staying {
    leave: CancellationToken,
    task: AbortHandle,
}

impl Driver {
    pub(super) fn new(load: &Load, agenda: Agenda, roles: Vec<Arc<Role>>, troupe: Troupe) -> Self {
        let clock = load.recorder.clock();
        Self {
            stream: load.options.stream.clone(),
            recorder: load.recorder.clone(),
            ledger: load.ledger.clone(),
            seed: load.options.seed,
            stop_timeout: load.options.stop_timeout,
            troupe,
            agenda,
            ordinals: Ordinals::among(&load.places, roles.len()),
            roles,
            clock,
            begun: clock.now(),
            tasks: JoinSet::new(),
            staying: Vec::new(),
            leaving: VecDeque::new(),
            next_id: match troupe {
                Troupe::Load => 0,
                Troupe::Probe { first } => first,
            },
            cut_off: 0,
            started: 0,
            late: 0,
            dropped: 0,
        }
    }

    pub(super) async fn run(mut self, stop: CancellationToken) -> LoadEnd {
        self.begun = self.clock.now();
        let stopped = self.follow(&stop).await;
        self.drop_starts();
        self.see_off().await;
        self.flush();
        if self.is_probe()
            && let Some((severity, message)) = probe::shortfall(self.started, self.dropped, self.late)
        {
            self.finding(severity, message);
        }
        LoadEnd { stopped, cut_off: self.cut_off }
    }

    fn is_probe(&self) -> bool {
        self.troupe != Troupe::Load
    }

    /// Time since the load began.
    fn passed(&self) -> Nanos {
        self.clock.now().saturating_sub(self.begun)
    }

    fn tell_at(&self, passed: Nanos, fact: Fact) {
        self.stream.tell_at(self.begun.saturating_add(passed), fact);
    }

    /// Carries out orders until there are no more. Answers whether it was stopped before.
    async fn follow(&mut self, stop: &CancellationToken) -> bool {
        let mut flushed = self.passed();
        let mut running = None;
        loop {
            let now = self.passed();
            while let Some(order) = self.agenda.due(now) {
                match order {
                    Order::Begin(phase) => running = self.begin(phase),
                    Order::Hire { behavior } => self.hire(behavior),
                    Order::Dismiss => self.dismiss(),
                    Order::Start { behavior, at, task } => self.start(behavior, at, task),
                    Order::End(phase) => {
                        self.end(phase);
                        running = None;
                    }
                }
            }
            self.cut_off_overdue();
            self.expire_starts();
            if now.saturating_sub(flushed) >= nanos(FLUSH) {
                self.flush();
                flushed = now;
            }
            let Some(next) = self.agenda.next(now) else { return false };
            let others = [
                self.leaving.front().map_or(Nanos::MAX, |(until, _)| *until),
                flushed.saturating_add(nanos(FLUSH)),
            ];
            let next = others.into_iter().fold(next, Nanos::min);
            let wake = self.clock.instant(self.begun.saturating_add(next));
            tokio::select! {
                biased;
                () = stop.cancelled() => {
                    if let Some(phase) = running {
                        self.tell_at(self.passed(), Fact::PhaseEnded { phase });
                    }
                    return true;
                }
                () = tokio::time::sleep_until(wake.into()) => {}
                Some(ended) = self.tasks.join_next() => self.reap(ended),
            }
        }
    }

    /// Begins a phase, and answers its name.
    fn begin(&mut self, number: usize) -> Option<String> {
        let phase = self.agenda.schedule().phase(number)?;
        let (name, start, users, open) = (phase.name.clone(), phase.start, phase.most(), phase.open.clone());
        for desk in self.roles.iter().filter_map(|role| role.desk.as_ref()) {
            match &open {
                Some(open) => desk.open(open.patience),
                None => desk.close(),
            }
        }
        if self.is_probe() {
            return None;
        }
        let rate = open.map(|open| open.rate);
        self.tell_at(start, Fact::PhaseStarted { phase: name.clone(), users, rate });
        Some(name)
    }

    fn end(&mut self, number: usize) {
        self.drop_starts();
        if let Some(phase) = self.agenda.schedule().phase(number)
            && !self.is_probe()
        {
            self.tell_at(phase.end, Fact::PhaseEnded { phase: phase.name.clone() });
        }
    }

    /// Has a task started: by a user who is free, or by the next one who will be.
    fn start(&mut self, behavior: usize, at: Nanos, task: Option<u32>) {
        let intended = self.begun.saturating_add(at);
        let desk = self.roles.get(behavior).and_then(|role| role.desk.as_ref());
        let late = desk.is_some_and(|desk| desk.arrive(intended, task));
        self.started += 1;
        self.late += u64::from(late);
        if late && !self.is_probe() {
            self.recorder.late_start();
        }
    }

    /// Gives up the starts that have waited too long.
    fn expire_starts(&mut self) {
        let now = self.clock.now();
        self.give_up(|desk| desk.expire(now));
    }

    /// Gives up all starts that wait.
    fn drop_starts(&mut self) {
        self.give_up(Desk::clear);
    }

    fn give_up(&mut self, dropped: impl Fn(&Desk) -> u64) {
        let dropped = self.roles.iter().filter_map(|role| role.desk.as_ref()).map(dropped).sum();
        self.dropped += dropped;
        if !self.is_probe() {
            self.recorder.dropped_starts(dropped);
        }
    }

    /// Starts the next user.
    fn hire(&mut self, behavior: usize) {
        let (Some(role), Some(ordinals)) = (self.roles.get(behavior), self.ordinals.get(behavior)) else {
            return;
        };
        let leave = CancellationToken::new();
        let user = User {
            role: role.clone(),
            id: self.next_id,
            ordinal: ordinals.take(),
            dice: Dice::new(self.seed, self.next_id),
            leave: leave.clone(),
            open: role.desk.as_ref().map(|desk| desk.watch()),
            paced: None,
            _alive: (!self.is_probe()).then(|| self.recorder.user()),
        };
        self.next_id += 1;
        let task = self.tasks.spawn(user.live());
        self.staying.push(Staying { leave, task });
    }

    /// Asks the newest user to leave.
    fn dismiss(&mut self) {
        if let Some(newest) = self.staying.pop() {
            newest.leave.cancel();
            let until = self.passed().saturating_add(nanos(self.stop_timeout));
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
            let whose = if self.is_probe() { " of the probe" } else { "" };
            let message = format!(
                "{} users{whose} had not finished their task {:?} after they were asked to leave, and were cut off",
                self.cut_off, self.stop_timeout
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
        let _ = self.ledger.flush();
    }

    fn finding(&self, severity: Severity, message: String) {
        self.stream.tell(Fact::Finding { source: "load".to_owned(), severity, message });
    }
}
