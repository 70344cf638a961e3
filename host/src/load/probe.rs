//! The probe: `read` and `write`, each sent at a steady rate beside the load, and apart from it.
//!
//! It is an open phase of its own that nothing but its end changes: with users of its own, who are
//! not counted among the load's, and starts of its own, which are neither late nor dropped as the
//! load's are. A start that finds no user for a second is given up, because a probe that catches up
//! would no longer be steady. It goes on when the load has ended, until it is told to stop.

use std::{sync::Arc, time::Duration};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{
    config::{ArrivalsConfig, PhaseConfig, Ramp},
    observe::Severity,
};

use super::{
    Load, LoadBehavior, LoadEnd, LoadError, Schedule, Shares,
    agenda::{Agenda, Deals},
    driver::{Driver, Troupe},
    recorder::Recording,
};

/// What a probe does.
pub const PROBE_TASKS: [&str; 2] = ["read", "write"];

/// The number of its first user, above all that a load ever has: no two users of a run have the same
/// dice or write the same keys.
const FIRST_USER: u64 = 1 << 32;

/// How long a start may wait for a user.
const PATIENCE: Duration = Duration::from_secs(1);

/// Longer than any load: a probe ends when it is told to.
const FOR_EVER: Duration = Duration::from_hours(24 * 365);

/// A probe, ready to be put to use.
pub struct LoadProbe {
    /// Its share, pace and mix do not matter.
    pub behavior: LoadBehavior,
    /// Starts a second, of each task.
    pub rate: f64,
    pub users: u32,
}

/// A probe at work, and the recorder that is needed for as long.
#[derive(Debug)]
pub struct Probing {
    stop: CancellationToken,
    task: JoinHandle<LoadEnd>,
    recording: Recording,
}

impl Probing {
    /// Ends it in good order, and the recording with it. Must be called on the load's runtime.
    pub async fn finish(self) {
        self.stop.cancel();
        // It is not aborted; should it have panicked, its figures end there and say so.
        let _ = self.task.await;
        self.recording.finish().await;
    }
}

impl Load {
    /// What the probe is made of, or why it is none.
    pub(super) fn prepare(&self, probe: LoadProbe) -> Result<Driver, LoadError> {
        let tasks = PROBE_TASKS.map(|name| {
            let place = probe.behavior.plan.tasks.iter().position(|task| task.name == name);
            place.and_then(|place| u32::try_from(place).ok())
        });
        let [Some(read), Some(write)] = tasks else {
            return Err(LoadError::Probe { behavior: probe.behavior.name });
        };
        let phase = PhaseConfig {
            name: probe.behavior.name.clone(),
            users: probe.users,
            // Of both tasks together, which take turns.
            arrivals: Some(ArrivalsConfig { rate: 2.0 * probe.rate, max_late: Some(PATIENCE) }),
            ramp: Ramp::Over(Duration::ZERO),
            duration: FOR_EVER,
        };
        let deals = Deals::InTurn { tasks: vec![read, write], next: 0 };
        let agenda = Agenda::new(Schedule::new(&[phase]), Shares::new([1.0]), deals);
        let troupe = Troupe::Probe { first: FIRST_USER };
        let role = self.role(probe.behavior, true, troupe)?;
        Ok(Driver::new(self, agenda, vec![Arc::new(role)], troupe))
    }

    /// Sends a probe out.
    pub(super) fn send_out(driver: Driver, recording: Recording) -> Probing {
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let task = tokio::spawn(async move { driver.run(stopped).await });
        Probing { stop, task, recording }
    }
}

/// What is to be said of starts that a probe could not carry out.
pub(super) fn shortfall(started: u64, dropped: u64, late: u64) -> Option<(Severity, String)> {
    let message = format!(
        "of {started} starts of the probe {late} found none of its users free and {dropped} were given up after {PATIENCE:?}"
    );
    match (late, dropped) {
        (0, 0) => None,
        (_, 0) => Some((Severity::Note, message)),
        _ => Some((Severity::Warning, message)),
    }
}
