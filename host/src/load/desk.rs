//! Where the starts of an open phase and the free users of one behavior wait for each other.
//!
//! A start that comes while a user is free is that user's. One that finds none is late: it waits
//! its turn and, once a user is free, is carried out with the moment at which it should have been.
//! Whoever waited longer than may be is dropped, and so is everyone when the phase ends.
//!
//! [`Waiting`] is all of that without tasks or clocks; [`Desk`] is what users stand at.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{Notify, watch};

use crate::observe::{Clock, Nanos};

/// Most starts that wait at one desk. Nobody will ever come to more of them within a phase, and a
/// target that hangs must not fill the memory.
const MOST_WAITING: usize = 1 << 20;

/// A task that shall be started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Start {
    /// When. Of a user's response times, the first of the task counts from here.
    pub intended: Nanos,
    /// Which task; absent: as the user's dice fall.
    pub task: Option<u32>,
    /// It found no free user at its moment.
    pub late: bool,
}

/// Who waits for whom. Pure: time is told to it.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// Users at the desk.
    free: usize,
    /// Soonest first. Those that are not late are as good as taken: a user is free for each.
    starts: VecDeque<Start>,
    /// How long a start may wait.
    patience: Nanos,
    /// Dropped and not told yet.
    dropped: u64,
}

impl Waiting {
    /// From now on starts may wait so long.
    pub(super) fn open(&mut self, patience: Nanos) {
        self.patience = patience;
    }

    /// A start at its moment. Answers whether it is late.
    pub(super) fn arrive(&mut self, intended: Nanos, task: Option<u32>) -> bool {
        let late = self.starts.len() >= self.free;
        if self.starts.len() < MOST_WAITING {
            self.starts.push_back(Start { intended, task, late });
        } else {
            self.dropped += 1;
        }
        late
    }

    /// One more user is free.
    pub(super) fn come(&mut self) {
        self.free += 1;
    }

    /// A free user goes away without a start.
    pub(super) fn go(&mut self) {
        self.free = self.free.saturating_sub(1);
    }

    /// A free user takes the start that has waited longest, and is free no more.
    pub(super) fn take(&mut self, now: Nanos) -> Option<Start> {
        self.expire(now);
        let start = self.starts.pop_front()?;
        self.go();
        Some(start)
    }

    /// Drops what has waited too long.
    pub(super) fn expire(&mut self, now: Nanos) {
        let patience = self.patience;
        while self
            .starts
            .pop_front_if(|start| start.late && now > start.intended.saturating_add(patience))
            .is_some()
        {
            self.dropped += 1;
        }
    }

    /// Drops all that wait: their phase is over.
    pub(super) fn clear(&mut self) {
        self.dropped += self.starts.len() as u64;
        self.starts.clear();
    }

    /// How many were dropped since this was last asked.
    pub(super) fn dropped(&mut self) -> u64 {
        std::mem::take(&mut self.dropped)
    }
}

/// What users of one behavior stand at in an open phase, and walk past in a closed one.
#[derive(Debug)]
pub(super) struct Desk {
    waiting: Mutex<Waiting>,
    arrived: Notify,
    open: watch::Sender<bool>,
}

impl Desk {
    pub(super) fn new() -> Self {
        Self { waiting: Mutex::default(), arrived: Notify::new(), open: watch::Sender::new(false) }
    }

    /// Users shall wait here from now on, and starts no longer than this.
    pub(super) fn open(&self, patience: Nanos) {
        self.waiting().open(patience);
        self.open.send_if_modified(|open| !std::mem::replace(open, true));
    }

    /// Users shall go on by themselves.
    pub(super) fn close(&self) {
        self.open.send_if_modified(|open| std::mem::replace(open, false));
    }

    /// Tells whether it is open, now and whenever that changes.
    pub(super) fn watch(&self) -> watch::Receiver<bool> {
        self.open.subscribe()
    }

    /// A start at its moment. Answers whether it found no free user.
    pub(super) fn arrive(&self, intended: Nanos, task: Option<u32>) -> bool {
        let late = self.waiting().arrive(intended, task);
        self.arrived.notify_one();
        late
    }

    /// Drops what has waited too long. Answers how many were dropped since this was last asked.
    pub(super) fn expire(&self, now: Nanos) -> u64 {
        let mut waiting = self.waiting();
        waiting.expire(now);
        waiting.dropped()
    }

    /// Drops all that wait, and answers likewise.
    pub(super) fn clear(&self) -> u64 {
        let mut waiting = self.waiting();
        waiting.clear();
        waiting.dropped()
    }

    /// Stands here as a free user until there is a start. Dropped, it has gone away.
    pub(super) async fn next(&self, clock: &Clock) -> Start {
        let mut standing = Standing::at(self);
        loop {
            let arrived = self.arrived.notified();
            tokio::pin!(arrived);
            // Listens before it looks, so that nothing arrives unheard in between.
            arrived.as_mut().enable();
            if let Some(start) = standing.take(clock.now()) {
                return start;
            }
            arrived.await;
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A user at the desk, counted as free for as long.
struct Standing<'a> {
    desk: &'a Desk,
    free: bool,
}

impl<'a> Standing<'a> {
    fn at(desk: &'a Desk) -> Self {
        desk.waiting().come();
        Self { desk, free: true }
    }

    fn take(&mut self, now: Nanos) -> Option<Start> {
        let start = self.desk.waiting().take(now);
        self.free = start.is_none();
        start
    }
}

impl Drop for Standing<'_> {
    fn drop(&mut self) {
        if self.free {
            self.desk.waiting().go();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn start(intended: Nanos, late: bool) -> Option<Start> {
        Some(Start { intended, task: None, late })
    }

    #[test]
    fn who_finds_nobody_is_late_and_waits_its_turn() {
        let mut waiting = Waiting::default();
        waiting.open(100);
        waiting.come();
        assert_eq!([10, 20, 30].map(|at| waiting.arrive(at, None)), [false, true, true]);
        assert_eq!(waiting.take(11), start(10, false));
        waiting.come();
        assert_eq!(waiting.take(40), start(20, true));
        // The first user is done after 130 at which the third start has no patience left.
        waiting.come();
        assert_eq!(waiting.take(131), None);
        assert_eq!(waiting.dropped(), 1);
        assert!(!waiting.arrive(140, None), "the user is still there");
        assert!(waiting.arrive(150, None));
        waiting.clear();
        assert_eq!((waiting.dropped(), waiting.dropped()), (2, 0));
    }

    #[test]
    fn a_start_that_found_a_user_is_never_too_late() {
        let mut waiting = Waiting::default();
        waiting.open(0);
        waiting.come();
        waiting.arrive(10, None);
        assert_eq!(waiting.take(500), start(10, false), "the generator slipped, not the target");
    }

    #[test]
    fn a_desk_that_nobody_comes_to_does_not_grow_for_ever() {
        let mut waiting = Waiting::default();
        waiting.open(Nanos::MAX);
        (0..MOST_WAITING as u64 + 3).for_each(|at| assert!(waiting.arrive(at, None)));
        assert_eq!(waiting.starts.len(), MOST_WAITING);
        assert_eq!(waiting.dropped(), 3);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn every_start_is_taken_once() {
        let desk = Arc::new(Desk::new());
        let clock = Clock::start();
        desk.open(Nanos::MAX);
        let users: Vec<_> = (0..20)
            .map(|_| {
                let desk = desk.clone();
                tokio::spawn(async move {
                    let mut taken = Vec::new();
                    loop {
                        let start = desk.next(&clock).await;
                        if start.task.is_none() {
                            return taken;
                        }
                        taken.push(start.intended);
                        tokio::task::yield_now().await;
                    }
                })
            })
            .collect();
        for number in 0..5_000 {
            desk.arrive(number, Some(0));
        }
        for _ in &users {
            desk.arrive(0, None);
        }
        let mut all = Vec::new();
        for user in users {
            all.extend(user.await.expect("it does not panic"));
        }
        all.sort_unstable();
        assert!(all.into_iter().eq(0..5_000));
    }

    #[tokio::test]
    async fn who_goes_away_is_not_counted_on() {
        let desk = Desk::new();
        let clock = Clock::start();
        desk.open(Nanos::MAX);
        tokio::select! {
            biased;
            _ = desk.next(&clock) => panic!("there is no start"),
            () = tokio::task::yield_now() => {}
        }
        assert!(desk.arrive(1, None), "nobody stands there");
        assert_eq!(desk.next(&clock).await, Start { intended: 1, task: None, late: true });
    }
}
