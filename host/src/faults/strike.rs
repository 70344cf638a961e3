//! The life of one fault: aim, inject, prove, watch, revert.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;

use super::{
    Journal,
    journal::{Pending, Undo},
};
use crate::{
    capability::FaultInstance,
    config::FaultConfig,
    environment::Environment,
    observe::{Bite, Fact, FaultChange, Nanos, Stream, Victim, When},
};

use assay_bindings::{fault::exports::assay::plugin::fault as wit, imports::types};

/// How often a fault is asked for its effect and for recovery.
const POLL: Duration = Duration::from_millis(250);

/// How often aiming may be repeated when the victims changed meanwhile.
const AIMS: u32 = 3;

/// Makes instances of one fault, configured and with its ports.
#[async_trait]
pub trait Armory: Send + Sync {
    /// The error is for people.
    async fn instance(&self) -> Result<FaultInstance, String>;
}

/// A fault that is configured and knows whom to tell.
pub struct Armed {
    pub name: String,
    pub instance: FaultInstance,
    /// Where the instance came from: after a call that broke off, reverting takes a new one.
    pub armory: Arc<dyn Armory>,
    pub stream: Stream,
    pub journal: Arc<Journal>,
    pub environment: Arc<dyn Environment>,
}

/// Why a fault did not strike, or could not be put back.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StrikeError {
    #[error("it could not aim: {0}")]
    Aim(String),
    #[error("its victims kept changing: {0}")]
    Stale(String),
    #[error("it could not be injected: {0}")]
    Inject(String),
    #[error("the journal could not be written: {0}")]
    Journal(String),
}

impl Armed {
    /// Aims and strikes. Answers when it struck, by the plugin's reading of the run's clock.
    pub async fn strike(&mut self) -> Result<Nanos, StrikeError> {
        let mut stale = String::new();
        let clock = self.stream.clock();
        for _ in 0..AIMS {
            let strike = self.instance.aim().await.map_err(|error| StrikeError::Aim(error.to_string()))?;
            self.tell(FaultChange::Aimed { victims: strike.victims.iter().map(victim).collect() });
            if let Some(undo) = &strike.undo {
                let noted = self.journal.before_plugin(&self.name, undo);
                noted.map_err(|error| StrikeError::Journal(error.to_string()))?;
                let kept = self.journal.keep_in(self.environment.as_ref()).await;
                kept.map_err(|error| StrikeError::Journal(error.to_string()))?;
            }
            let before = clock.now();
            match self
                .instance
                .inject(strike)
                .await
                .map_err(|error| StrikeError::Inject(error.to_string()))?
            {
                Ok(injected) => {
                    // Whatever a plugin says, it struck between its being asked and its answer.
                    let at = injected.at.clamp(before, clock.now());
                    let change = FaultChange::Injected { means: injected.means };
                    self.stream.tell_at(at, Fact::Fault { fault: self.name.clone(), change });
                    return Ok(at);
                }
                Err(wit::InjectError::Stale(because)) => stale = because,
                Err(wit::InjectError::Failed(failure)) => {
                    return Err(StrikeError::Inject(crate::capability::failure_text(&failure)));
                }
            }
        }
        Err(StrikeError::Stale(stale))
    }

    /// Asks for the effect until it is no longer open, for as long as `at_most`.
    pub async fn prove(&mut self, at_most: Duration) {
        let mut watched = Watched::default();
        let give_up = self.stream.clock().now().saturating_add(crate::observe::nanos(at_most));
        while watched.bite == Bite::NotYet && self.stream.clock().now() < give_up {
            self.poll_effect(&mut watched).await;
            tokio::time::sleep(POLL).await;
        }
    }

    /// Polls effect and recovery until the fault is complete or `give_up` comes. Answers whether it
    /// completed.
    pub async fn watch(&mut self, watched: &mut Watched, give_up: Nanos) -> bool {
        while !watched.complete && self.stream.clock().now() < give_up {
            self.poll(watched).await;
            tokio::time::sleep(POLL).await;
        }
        watched.complete
    }

    /// One round of questions, told only where the answer is new.
    pub async fn poll(&mut self, watched: &mut Watched) {
        if watched.bite == Bite::NotYet {
            self.poll_effect(watched).await;
        }
        self.poll_recovery(watched).await;
    }

    async fn poll_effect(&mut self, watched: &mut Watched) {
        match self.instance.effect().await {
            Ok(impact) => {
                watched.bite = bite(impact.bite);
                if watched.probed != impact.probed || watched.bite != Bite::NotYet {
                    watched.probed = impact.probed;
                    let change = FaultChange::Effect { bite: watched.bite, probed: watched.probed.clone() };
                    self.tell(change);
                }
            }
            Err(error) => watched.trouble(self, format!("effect: {error}")),
        }
    }

    async fn poll_recovery(&mut self, watched: &mut Watched) {
        match self.instance.recovered().await {
            Ok(recovery) => {
                watched.blind = None;
                for step in recovery.steps.into_iter().skip(watched.steps) {
                    watched.steps += 1;
                    // Nothing is seen before it happens.
                    let at = when(step.at, self.stream.clock().now());
                    let told = match &at {
                        When::Observed(at) => *at,
                        When::Reported(_) => self.stream.clock().now(),
                    };
                    let change = FaultChange::Step { name: step.name, at, detail: step.detail };
                    self.stream.tell_at(told, Fact::Fault { fault: self.name.clone(), change });
                }
                if recovery.complete && !watched.complete {
                    watched.complete = true;
                    self.tell(FaultChange::Complete);
                }
            }
            Err(error) => {
                watched.blind = Some(error.to_string());
                watched.trouble(self, format!("recovered: {error}"));
            }
        }
    }

    /// To be called when watching ends: says so where the plugin could not be asked to the last.
    pub fn close_eyes(&self, watched: &mut Watched) {
        if let Some(because) = watched.blind.take().filter(|_| !watched.complete) {
            self.tell(FaultChange::Blind { because });
        }
    }

    /// Undoes everything that the journal holds of this fault, newest first, and goes on past what
    /// fails. Answers whether all of it was undone.
    pub async fn revert(&mut self) -> bool {
        let mut failures = Vec::new();
        for pending in self.journal.pending(&self.name) {
            if let Err(because) = self.undo(&pending).await {
                failures.push(because);
            }
        }
        match failures.is_empty() {
            true => self.tell(FaultChange::Reverted),
            false => self.tell(FaultChange::RevertFailed { because: failures.join("; ") }),
        }
        failures.is_empty()
    }

    async fn undo(&mut self, pending: &Pending) -> Result<(), String> {
        match &pending.undo {
            Undo::Host(inverse) => self.environment.undo(inverse).await.map_err(|error| error.to_string())?,
            Undo::Plugin(undo) => {
                if !self.instance.is_whole() {
                    self.instance = self.armory.instance().await?;
                }
                self.instance.revert(undo).await.map_err(|error| error.to_string())?;
            }
        }
        self.journal.undone(pending.number).map_err(|error| error.to_string())?;
        // A copy that still has it costs no more than undoing it twice, which is harmless.
        let _behind = self.journal.keep_in(self.environment.as_ref()).await;
        Ok(())
    }

    pub fn tell(&self, change: FaultChange) {
        self.stream.tell(Fact::Fault { fault: self.name.clone(), change });
    }
}

/// What was seen of a fault since it struck.
#[derive(Debug)]
pub struct Watched {
    pub bite: Bite,
    pub complete: bool,
    probed: String,
    steps: usize,
    trouble: Option<String>,
    /// Why the last question for recovery was not answered.
    blind: Option<String>,
}

impl Default for Watched {
    fn default() -> Self {
        Self {
            bite: Bite::NotYet,
            complete: false,
            probed: String::new(),
            steps: 0,
            trouble: None,
            blind: None,
        }
    }
}

impl Watched {
    /// Notes that a question could not be answered, once for each answer.
    fn trouble(&mut self, armed: &Armed, message: String) {
        if self.trouble.as_ref() != Some(&message) {
            let severity = crate::observe::Severity::Note;
            armed.stream.tell(Fact::Finding {
                source: armed.name.clone(),
                severity,
                message: message.clone(),
            });
            self.trouble = Some(message);
        }
    }
}

/// A fault's promise about itself, with the five seconds of calm that prove it.
pub(crate) fn give_up_after(config: &FaultConfig) -> Duration {
    config.recover_within + super::CALM
}

fn victim(victim: &wit::Victim) -> Victim {
    Victim { name: victim.name.clone(), role: victim.role.clone(), because: victim.because.clone() }
}

fn bite(bite: types::Bite) -> Bite {
    match bite {
        types::Bite::Proven => Bite::Proven,
        types::Bite::NotYet => Bite::NotYet,
        types::Bite::Absent => Bite::Absent,
    }
}

fn when(when: types::When, now: Nanos) -> When {
    match when {
        types::When::Observed(at) => When::Observed(at.min(now)),
        types::When::Reported(text) => When::Reported(text),
    }
}
