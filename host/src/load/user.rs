//! The life of a virtual user.
//!
//! A user signs in, runs tasks, and leaves. In a closed phase it starts them itself, with pauses in
//! between; in an open one it waits at the [`Desk`] for a start. What goes wrong costs an
//! instance, never the user: if signing in fails, it waits and tries again on a fresh instance; if
//! a call loses the instance, a new one takes its place and signs in anew. Every loss is followed
//! by a pause that doubles up to a bound, so that a plugin that always breaks cannot spin.
//!
//! A user with a pace begins a task every so often. If one takes longer, the next begins at once, and
//! its response time counts from when it was due: what the user falls behind adds up, and shows.
//!
//! The sequence of tasks goes on where it was, so it depends on nothing but seed and user.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    config::Pace,
    observe::{Clock, Nanos, nanos},
};

use super::{
    client::{Client, ClientOptions},
    desk::Desk,
    mix::{Dice, TaskMix},
    ordinals::Ordinal,
    persona::{CallError, Persona, PersonaFactory, Seat, UserInfo},
    recorder::{Alive, LATE},
    scope::{Activity, Scope, Tasks},
};

/// The pause after the first loss, and the longest one. Short enough that users come back soon
/// after an outage: how soon is a figure of the run.
const SHORTEST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What all users of one behavior have in common.
pub(super) struct Role {
    pub factory: Arc<dyn PersonaFactory>,
    pub client: Arc<ClientOptions>,
    pub tasks: Arc<Tasks>,
    pub mix: TaskMix,
    pub pace: Pace,
    /// Where its users wait in open phases; absent if there are none.
    pub desk: Option<Desk>,
    pub run: String,
    pub base_url: String,
}

/// One virtual user.
pub(super) struct User {
    pub role: Arc<Role>,
    pub id: u64,
    pub ordinal: Ordinal,
    pub dice: Dice,
    /// Asks it to leave after the task at hand.
    pub leave: CancellationToken,
    /// Tells whether the desk is open.
    pub open: Option<watch::Receiver<bool>>,
    /// When its next task is due, if its pace goes on whatever the tasks take: over the loss of an
    /// instance, too.
    pub paced: Option<Nanos>,
    /// Counts it among the living until it is dropped. A probe's users are not counted.
    pub _alive: Option<Alive>,
}

/// A task about to begin.
struct Turn {
    /// When it was due by the user's own pace.
    due: Nanos,
    /// When it should have begun, if response times count from there.
    intended: Option<Nanos>,
    /// Which task; absent: as the dice fall.
    task: Option<u32>,
    /// It begins late, and nobody kept it but the generator.
    slipped: bool,
}

/// Why a user has no instance any more.
enum Parting {
    /// It left in good order.
    Left,
    /// The instance is lost. `worked` if at least one task had been run.
    Lost { worked: bool },
}

impl User {
    /// Lives until asked to leave. To cut it off in the middle of a task, drop this.
    pub(super) async fn live(mut self) {
        let mut losses = 0;
        for incarnation in 0.. {
            if self.leave.is_cancelled() {
                return;
            }
            let scope = Arc::new(Scope::new(self.role.tasks.clone()));
            match self.embody(&scope, incarnation).await {
                Parting::Left => return,
                Parting::Lost { worked: true } => losses = 1,
                Parting::Lost { worked: false } => losses += 1,
            }
            let pause = pause(self.id, losses);
            let _ = self.leave.run_until_cancelled(tokio::time::sleep(pause)).await;
        }
    }

    /// Lives as one instance.
    async fn embody(&mut self, scope: &Arc<Scope>, incarnation: u64) -> Parting {
        let browser = Client::recorded(self.role.client.clone(), scope.clone());
        let seat = Seat {
            user: UserInfo {
                id: self.id,
                ordinal: self.ordinal.number(),
                run: self.role.run.clone(),
                base_url: self.role.base_url.clone(),
            },
            incarnation,
            place: self.ordinal.place(),
            browser: Box::new(browser),
        };
        let Ok(mut persona) = self.role.factory.create(seat).await else {
            return Parting::Lost { worked: false };
        };
        if persona.start().await.is_err() {
            return Parting::Lost { worked: false };
        }
        self.work(&mut *persona, scope).await
    }

    /// Runs tasks until asked to leave, or the instance is lost.
    async fn work(&mut self, persona: &mut dyn Persona, scope: &Scope) -> Parting {
        let clock = scope.recorder().clock();
        let mut worked = false;
        // The first task comes straight after signing in.
        let mut due = self.paced.unwrap_or_else(|| clock.now());
        while let Some(turn) = self.turn(&clock, due).await {
            let (drawn, pause) = self.dice.next(&self.role.mix, self.role.pace);
            if let Pace::Every(period) = self.role.pace {
                self.paced = Some(turn.due.saturating_add(nanos(period)));
            }
            if turn.slipped {
                scope.recorder().late_send();
            }
            scope.enter(Activity::Task(turn.task.unwrap_or(drawn)), turn.intended);
            if let Err(CallError::Lost { .. }) = persona.run(turn.task.unwrap_or(drawn)).await {
                return Parting::Lost { worked };
            }
            worked = true;
            due = self.paced.unwrap_or_else(|| clock.now().saturating_add(nanos(pause)));
        }
        scope.enter(Activity::Stop, None);
        // Nothing is left to do about a farewell that fails; the engine has told of it.
        let _ = persona.stop().await;
        Parting::Left
    }

    /// Waits until the next task is to begin: in a closed phase when it is due, in an open one when
    /// there is a start for this user. None if it shall leave instead.
    async fn turn(&mut self, clock: &Clock, mut due: Nanos) -> Option<Turn> {
        let Self { role, leave, open, .. } = self;
        loop {
            if leave.is_cancelled() {
                return None;
            }
            let is_open = open.as_mut().is_some_and(|open| *open.borrow_and_update());
            match (&role.desk, &mut *open) {
                (Some(desk), Some(open)) if is_open => tokio::select! {
                    biased;
                    () = leave.cancelled() => {}
                    // Left to itself, it is not late for what it was not to do before.
                    _ = open.changed() => due = due.max(clock.now()),
                    start = desk.next(clock) => {
                        let now = clock.now();
                        let slipped = !start.late && now.saturating_sub(start.intended) > LATE;
                        return Some(Turn { due: now, intended: Some(start.intended), task: start.task, slipped });
                    }
                },
                (_, open) => {
                    // Whose task took longer than its pace was not free when the next one was due.
                    let paced = matches!(role.pace, Pace::Every(_));
                    let free = !paced || due > clock.now();
                    if let Some(now) = think(clock, due, leave, open.as_mut()).await {
                        let slipped = free && now.saturating_sub(due) > LATE;
                        let intended = (paced || slipped).then_some(due);
                        return Some(Turn { due, intended, task: None, slipped });
                    }
                }
            }
        }
    }
}

/// Pauses until then. Answers when that was, if it was left in peace so long: it may be asked to leave,
/// and the desk may open.
async fn think(
    clock: &Clock,
    due: Nanos,
    leave: &CancellationToken,
    open: Option<&mut watch::Receiver<bool>>,
) -> Option<Nanos> {
    // Lets others have their turn even if nothing in the tasks ever waits.
    tokio::task::coop::consume_budget().await;
    let now = clock.now();
    if due <= now {
        return Some(now);
    }
    let pause = tokio::time::sleep_until(clock.instant(due).into());
    let opened = async {
        match open {
            Some(open) => drop(open.changed().await),
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        () = leave.cancelled() => None,
        () = opened => None,
        () = pause => Some(clock.now()),
    }
}

/// How long to wait after so many losses in a row. Spread by up to a half, differently for every
/// user and loss, so that users who lost their instances together do not all come back at once; and
/// not drawn from the user's dice, because losses must not change its tasks.
fn pause(user: u64, losses: u32) -> Duration {
    let doubled = SHORTEST_PAUSE * 2u32.saturating_pow(losses.saturating_sub(1).min(16));
    let spread = mixed(user ^ (u64::from(losses) << 48)) >> 40;
    let whole = doubled.min(LONGEST_PAUSE);
    whole / 2 + (whole / 2).mul_f64(spread as f64 / (1u64 << 24) as f64)
}

/// SplitMix64's last step: equal bits in, no pattern out.
fn mixed(bits: u64) -> u64 {
    let bits = bits.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_bound_and_differ() {
        let mut longest = Duration::ZERO;
        for losses in 1..40 {
            let pause = pause(3, losses);
            let whole = (SHORTEST_PAUSE * 2u32.pow((losses - 1).min(10))).min(LONGEST_PAUSE);
            assert!(pause >= whole / 2 && pause <= whole, "{losses}: {pause:?}");
            longest = longest.max(pause);
        }
        assert!(longest > LONGEST_PAUSE / 2);
        assert_ne!(pause(1, 1), pause(2, 1));
    }
}
