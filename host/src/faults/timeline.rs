//! When faults strike.
//!
//! One fault at a time, in the order of their moments: a fault whose moment comes while another is
//! still in flight strikes as soon as that one is over. Load never waits for faults. Before each
//! strike and after each revert the steady state is checked, and once it has not returned, later
//! faults are skipped, because what they would show could not be told from what was left behind.
//!
//! Faults that may overlap wait for their moment alone, beside those. A fault that waits for another one
//! is skipped where that one never is over.

use std::{sync::Arc, time::Duration};

use futures::future::{join, join_all};
use tokio_util::sync::CancellationToken;

use super::{
    Guard, outages,
    steady::{self, Steady},
    strike::{Armed, Watched, give_up_after},
    turn::{Planned, Turns},
};
use crate::{
    config::{FaultConfig, SteadyConfig},
    observe::{Fact, FaultChange, Live, Nanos, Outage, Severity, Stream, nanos},
};

/// How long the steady state may take to come back after a revert.
const STEADY_AT_MOST: Duration = Duration::from_secs(60);

/// What the timeline needs to know of the run.
pub struct Timeline {
    pub steady: SteadyConfig,
    pub guard: Option<Arc<Guard>>,
    pub live: Live,
    pub stream: Stream,
    /// When the load began.
    pub load_started: Nanos,
    /// Fires when the load has ended or the run is stopped.
    pub stop: CancellationToken,
}

impl Timeline {
    /// Lets all faults strike, each at its moment, and reverts them. Answers whether everything that
    /// they changed was put back.
    pub async fn run(self, faults: Vec<Planned>) -> bool {
        let turns = Turns::new(self.stream.clock(), self.load_started, self.stop.clone());
        let (beside, in_turn): (Vec<_>, Vec<_>) = faults.into_iter().partition(|fault| fault.config.overlap);
        let beside = join_all(beside.into_iter().map(|fault| self.beside(fault, &turns)));
        let (in_turn, beside) = join(self.in_turn(in_turn, &turns), beside).await;
        in_turn && beside.into_iter().all(|restored| restored)
    }

    /// One fault whatever the others do.
    async fn beside(&self, fault: Planned, turns: &Turns) -> bool {
        match turns.next(&mut vec![fault]).await {
            Some((mut fault, Ok(()))) => self.one(&mut fault, turns).await.restored,
            Some((fault, Err(because))) => {
                skip(&fault, because, turns);
                true
            }
            None => true,
        }
    }

    async fn in_turn(&self, mut waiting: Vec<Planned>, turns: &Turns) -> bool {
        waiting.sort_by_key(|fault| fault.at);
        let mut restored = true;
        let mut steady = Ok(());
        while let Some((mut fault, may)) = turns.next(&mut waiting).await {
            match may.and_then(|()| steady.clone()).and_then(|()| self.is_steady()) {
                Err(because) => skip(&fault, because, turns),
                Ok(()) => {
                    let over = self.one(&mut fault, turns).await;
                    restored &= over.restored;
                    steady = over.steady;
                }
            }
        }
        restored
    }

    fn is_steady(&self) -> Result<(), String> {
        let Steady { holds, because } =
            steady::check(&self.steady, &self.live, &self.stream, self.load_started);
        match holds {
            true => Ok(()),
            false => Err(format!("the target was not steady: {because}")),
        }
    }

    /// One fault from aim to revert.
    async fn one(&self, fault: &mut Planned, turns: &Turns) -> Over {
        let Planned { config, armed, .. } = fault;
        if let Some(guard) = &self.guard {
            let now = self.stream.clock().now();
            guard.excuse(now, now.saturating_add(nanos(give_up_after(config))));
        }
        let struck = match armed.strike().await {
            Ok(at) => at,
            Err(error) => {
                // Something may have been changed before it failed.
                let restored = armed.revert().await;
                skip(fault, error.to_string(), turns);
                return Over { restored, steady: Ok(()) };
            }
        };
        let mut watched = Watched::default();
        self.watch(config, armed, &mut watched, struck).await;
        armed.close_eyes(&mut watched);
        let restored = armed.revert().await;
        let reverted = self.stream.clock().now();

        let steady = tokio::select! {
            biased;
            () = self.stop.cancelled() => None,
            at = steady::wait(&self.steady, &self.live, &self.stream, reverted, STEADY_AT_MOST) => at,
        };
        if let Some(at) = steady {
            let change = FaultChange::SteadyAgain;
            self.stream.tell_at(at, Fact::Fault { fault: armed.name.clone(), change });
        } else if !self.stop.is_cancelled() {
            let message = format!(
                "the steady state did not return within {} s of the revert",
                STEADY_AT_MOST.as_secs()
            );
            let source = armed.name.clone();
            self.stream.tell(Fact::Finding { source, severity: Severity::Warning, message });
        }
        let (users, probe) = self.seen(struck);
        armed.tell(FaultChange::Seen { users, probe });
        let name = &config.name;
        let lasting = || format!("the steady state did not return after fault '{name}'");
        let over = match restored {
            true => steady.ok_or_else(lasting),
            false => Err(format!("fault '{name}' was not put back")),
        };
        turns.ended(name, over);
        Over { restored, steady: steady.map(drop).ok_or_else(lasting) }
    }

    /// Watches until the fault is over: at the end of its duration, or without one once it has
    /// recovered, calm included, or its bound has passed.
    async fn watch(&self, config: &FaultConfig, armed: &mut Armed, watched: &mut Watched, struck: Nanos) {
        let give_up = struck.saturating_add(nanos(config.duration.unwrap_or_else(|| give_up_after(config))));
        let over = async {
            armed.watch(watched, give_up).await;
            while self.stream.clock().now() < give_up {
                if config.duration.is_none() && self.is_calm(struck) {
                    break;
                }
                armed.poll(watched).await;
                tokio::time::sleep(Duration::from_millis(250)).await;
            }
        };
        tokio::select! {
            biased;
            () = self.stop.cancelled() => {}
            () = over => {}
        }
    }

    fn is_calm(&self, struck: Nanos) -> bool {
        let (users, _) = self.seen(struck);
        let watched = self.live.observations().observed_until().saturating_sub(struck);
        match users.first().map(|all| all.outage) {
            Some(Outage::Ended(_)) => true,
            // Whether an outage is still to come is not known before a calm has passed.
            Some(Outage::NotSeen) => watched >= nanos(super::CALM),
            _ => false,
        }
    }

    fn seen(&self, struck: Nanos) -> (Vec<crate::observe::OutageSeen>, Option<crate::observe::OutageSeen>) {
        let observations = self.live.observations();
        let until = observations.observed_until();
        // The second in which it struck began before it.
        let stretches = observations.stretches(struck.saturating_sub(1_000_000_000));
        let users = outages(&stretches, false, struck, until);
        let probe = outages(&stretches, true, struck, until).into_iter().next();
        (users, probe)
    }
}

/// How one fault left things.
struct Over {
    restored: bool,
    /// Or why whatever follows could not be told from what was left behind.
    steady: Result<(), String>,
}

/// A fault does not strike, and neither does whoever waits for it.
fn skip(fault: &Planned, because: String, turns: &Turns) {
    fault.armed.tell(FaultChange::Skipped { because });
    turns.ended(&fault.config.name, Err(format!("fault '{}' did not strike", fault.config.name)));
}
