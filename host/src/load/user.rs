//! The life of a virtual user.
//!
//! A user signs in, runs tasks with pauses in between, and leaves. What goes wrong costs an
//! instance, never the user: if signing in fails, it waits and tries again on a fresh instance; if
//! a call loses the instance, a new one takes its place and signs in anew. Every loss is followed
//! by a pause that doubles up to a bound, so that a plugin that always breaks cannot spin.
//!
//! The sequence of tasks goes on where it was, so it depends on nothing but seed and user.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use crate::{
    config::ThinkTime,
    observe::{Clock, Nanos, nanos},
};

use super::{
    client::{Client, ClientOptions},
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
    pub think: ThinkTime,
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
    /// Counts it among the living until it is dropped.
    pub _alive: Alive,
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
        let mut due = clock.now();
        loop {
            if self.leave.is_cancelled() {
                scope.enter(Activity::Stop, None);
                // Nothing is left to do about a farewell that fails; the engine has told of it.
                let _ = persona.stop().await;
                return Parting::Left;
            }
            let (task, pause) = self.dice.next(&self.role.mix, self.role.think);
            let slipped = (clock.now().saturating_sub(due) > LATE).then_some(due);
            if slipped.is_some() {
                scope.recorder().late_send();
            }
            scope.enter(Activity::Task(task), slipped);
            if let Err(CallError::Lost { .. }) = persona.run(task).await {
                return Parting::Lost { worked };
            }
            worked = true;
            due = clock.now().saturating_add(nanos(pause));
            self.think(&clock, due, pause).await;
        }
    }

    async fn think(&self, clock: &Clock, due: Nanos, pause: Duration) {
        if pause.is_zero() {
            // Lets others have their turn even if nothing in the tasks ever waits.
            tokio::task::coop::consume_budget().await;
        } else {
            let _ = self.leave.run_until_cancelled(tokio::time::sleep_until(clock.instant(due).into())).await;
        }
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
