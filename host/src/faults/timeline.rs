//! When faults strike.
//!
//! One fault at a time, in the order of their moments: a fault whose moment comes while another is
//! still in flight strikes as soon as that one is over. Load never waits for faults. Before each
//! strike and after each revert the steady state is checked, and once it has not returned, later
//! faults are skipped, because what they would show could not be told from what was left behind.
//!
//! Faults that may overlap wait for their moment alone, beside those.

use std::{sync::Arc, time::Duration};

use futures::future::{join, join_all};
use tokio_util::sync::CancellationToken;

use super::{
    Guard, outages,
    steady::{self, Steady},
    strike::{Armed, Watched, give_up_after},
};
use crate::{
    config::{FaultConfig, SteadyConfig},
    observe::{Fact, FaultChange, Live, Nanos, Outage, Severity, Stream, nanos},
};

/// How long the steady state may take to come back after a revert.
const STEADY_AT_MOST: Duration = Duration::from_secs(60);

/// Why a fault did not strike whose moment never came.
const LOAD_ENDED: &str = "the load ended before its moment";

/// A fault and its moment.
pub struct Planned {
    pub config: FaultConfig,
    /// After the load's start.
    pub at: Nanos,
    pub armed: Armed,
}

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
        let (beside, in_turn): (Vec<_>, Vec<_>) = faults.into_iter().partition(|fault| fault.config.overlap);
        let beside = join_all(beside.into_iter().map(|fault| self.beside(fault)));
        let (in_turn, beside) = join(self.in_turn(in_turn), beside).await;
        in_turn && beside.into_iter().all(|restored| restored)
    }

    /// One fault whatever the others do.
    async fn beside(&self, mut fault: Planned) -> bool {
        self.moment(fault.at).await;
        if self.stop.is_cancelled() {
            fault.armed.tell(FaultChange::Skipped { because: LOAD_ENDED.to_owned() });
            return true;
        }
        self.one(&mut fault).await.restored
    }

    async fn in_turn(&self, mut faults: Vec<Planned>) -> bool {
        faults.sort_by_key(|fault| fault.at);
        let mut restored = true;
        let mut unsteady: Option<String> = None;
        for mut fault in faults {
            self.moment(fault.at).await;
            let skip = match &unsteady {
                _ if self.stop.is_cancelled() => Some(LOAD_ENDED.to_owned()),
                Some(because) => Some(because.clone()),
                None => {
                    let Steady { holds, because } =
                        steady::check(&self.steady, &self.live, &self.stream, self.load_started);
                    (!holds).then(|| format!("the target was not steady: {because}"))
                }
            };
            if let Some(because) = skip {
                fault.armed.tell(FaultChange::Skipped { because });
                continue;
            }
            let over = self.one(&mut fault).await;
            restored &= over.restored;
            if !over.steady {
                unsteady =
                    Some(format!("the steady state did not return after fault '{}'", fault.config.name));
            }
        }
        restored
    }

    /// Waits for the moment of a fault, or the end of the load.
    async fn moment(&self, at: Nanos) {
        let moment = self.stream.clock().instant(self.load_started.saturating_add(at));
        tokio::select! {
            biased;
            () = self.stop.cancelled() => {}
            () = tokio::time::sleep_until(moment.into()) => {}
        }
    }

    /// One fault from aim to revert.
    async fn one(&self, fault: &mut Planned) -> Over {
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
                armed.tell(FaultChange::Skipped { because: error.to_string() });
                return Over { restored, steady: true };
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
        if steady.is_some() {
            armed.tell(FaultChange::SteadyAgain);
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
        Over { restored, steady: steady.is_some() }
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
    steady: bool,
}
