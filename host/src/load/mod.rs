//! Puts load on the target: virtual users who sign in, run tasks, think and leave.
//!
//! [`Load::run`] follows a [`Schedule`]: a pure function of time that says how many users there
//! shall be, and in open phases when tasks start. Each user is a task on the current runtime, acting through a
//! [`persona::Persona`]: an instance of a behavior plugin with an HTTP client of its own. Every
//! request is a sample, and the [`recorder`] folds samples into one interval a second.
//!
//! # Layout
//!
//! * `schedule`, `arrivals`, `shares`, `mix`: what shall happen, without wasm, sockets or clocks;
//!   `agenda` puts it in order.
//! * `driver`, `user`: make it happen. `desk` is where starts and free users wait for each other.
//! * `probe`: the same machinery once more, beside the load and apart from it.
//! * [`client`]: the users' HTTP client. [`scope`] tells it what its user is doing.
//! * [`RunFeeds`]: the rows of data that users share.
//! * [`recorder`], [`RunLedger`]: what is kept of it.
//!
//! This room does not know what a fault is.

mod agenda;
mod arrivals;
pub mod client;
mod desk;
mod driver;
mod feeds;
mod ledger;
mod limits;
mod mix;
mod ordinals;
pub mod persona;
mod probe;
pub mod recorder;
mod schedule;
pub mod scope;
mod shares;
mod user;

use std::{collections::BTreeMap, io, path::PathBuf, sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;
use url::Url;

use crate::{
    config::{HttpConfig, Pace, PhaseConfig},
    observe::{Fact, Severity, Stream},
};

use agenda::{Agenda, Deals};
use client::{Client, ClientOptions, Granted, Policy, Routes};
use desk::Desk;
use driver::{Driver, Troupe};
use ordinals::Numbers;
use persona::{PersonaFactory, Plan};
use recorder::{Recorder, Threads};
use scope::Tasks;
use user::Role;

pub use feeds::RunFeeds;
pub use ledger::RunLedger;
pub use limits::Shortage;
pub use mix::{Dice, TaskMix};
pub use probe::{LoadProbe, PROBE_TASKS, Probing};
pub use schedule::Schedule;
pub use shares::Shares;

/// What a run's load needs to know of the run.
pub struct LoadOptions {
    pub stream: Stream,
    /// The run's id, which plugins put into what they write.
    pub run: String,
    pub seed: u64,
    /// Scheme, host and port of the target, without a trailing slash.
    pub base_url: String,
    /// How long a user that shall leave may take to finish its task.
    pub stop_timeout: Duration,
    /// Rows of data that the users share.
    pub feeds: Arc<RunFeeds>,
    /// Where the ledger is written.
    pub ledger: PathBuf,
    /// How users speak HTTP.
    pub http: HttpConfig,
    /// The threads whose processor time is the load's; empty stands for the whole process.
    pub threads: Threads,
}

/// A behavior, ready to be put to use.
pub struct LoadBehavior {
    /// Its name in the run config.
    pub name: String,
    /// Percent of users.
    pub share: f64,
    pub pace: Pace,
    /// Weights of groups that replace the plan's.
    pub mix: Option<BTreeMap<String, f64>>,
    /// What an instance answered when it was configured.
    pub plan: Plan,
    /// Which hosts the plugin may reach.
    pub granted: Granted,
    /// Most bytes of an answer's body.
    pub body_limit: u64,
    pub factory: Arc<dyn PersonaFactory>,
}

/// Why there can be no load.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("the target's address `{url}` is not a URL: {source}")]
    BaseUrl { url: String, source: url::ParseError },
    #[error("the ledger {path} cannot be written: {source}")]
    Ledger { path: PathBuf, source: io::Error },
    #[error("the target's authorities cannot be trusted: {0}")]
    Authorities(io::Error),
    #[error("behavior `{behavior}`: {because}")]
    Mix { behavior: String, because: String },
    #[error("there is no behavior to put load on with")]
    NoBehavior,
    #[error("behavior `{behavior}` is no probe: it lacks a task `read` or `write`")]
    Probe { behavior: String },
    #[error("the recorder cannot start: {0}")]
    Recorder(io::Error),
}

/// How a run of the load ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoadEnd {
    /// It was stopped before the last phase's end.
    pub stopped: bool,
    /// Users who were cut off in the middle of a task.
    pub cut_off: u32,
}

/// The load of one run.
pub struct Load {
    options: LoadOptions,
    base_url: Url,
    policy: Policy,
    recorder: Arc<Recorder>,
    ledger: Arc<RunLedger>,
    /// Of all users, those of a probe too.
    places: Numbers,
}

impl Load {
    pub fn new(options: LoadOptions) -> Result<Self, LoadError> {
        let base_url = Url::parse(&options.base_url)
            .map_err(|source| LoadError::BaseUrl { url: options.base_url.clone(), source })?;
        let ledger = RunLedger::create(&options.ledger, options.stream.clock())
            .map_err(|source| LoadError::Ledger { path: options.ledger.clone(), source })?;
        let policy = Policy::new(&options.http).map_err(LoadError::Authorities)?;
        let recorder = Arc::new(Recorder::new(options.stream.clone(), options.threads.clone()));
        Ok(Self { base_url, policy, recorder, ledger: Arc::new(ledger), places: Numbers::default(), options })
    }

    /// Where plugins' writes are recorded, and audited against.
    pub fn ledger(&self) -> &Arc<RunLedger> {
        &self.ledger
    }

    /// Where plugins' rows of data come from.
    pub fn feeds(&self) -> &Arc<RunFeeds> {
        &self.options.feeds
    }

    /// Where plugins' own figures go.
    pub fn metrics(&self) -> &Arc<Recorder> {
        &self.recorder
    }

    /// A browser that records nothing: for audits, and for plugins that are not load.
    pub fn silent_browser(&self, granted: Granted, body_limit: u64) -> Client {
        Client::silent(Arc::new(self.client_options(granted, body_limit)))
    }

    fn client_options(&self, granted: Granted, body_limit: u64) -> ClientOptions {
        ClientOptions {
            clock: self.options.stream.clock(),
            base_url: self.base_url.clone(),
            granted,
            policy: self.policy.clone(),
            routes: Routes::default(),
            body_limit,
        }
    }

    /// Puts on all phases, one after the other, and returns once every user has left or was cut
    /// off. Must be called on the runtime whose threads may reach the target; `stop` ends it early,
    /// in good order.
    pub async fn run(
        &self,
        phases: &[PhaseConfig],
        behaviors: Vec<LoadBehavior>,
        stop: CancellationToken,
    ) -> Result<LoadEnd, LoadError> {
        self.run_with_probe(phases, behaviors, None, stop).await.map(|(end, _)| end)
    }

    /// The same, with a probe beside it. The probe goes on after the load has ended, and the
    /// recording with it, until it is finished.
    pub async fn run_with_probe(
        &self,
        phases: &[PhaseConfig],
        behaviors: Vec<LoadBehavior>,
        probe: Option<LoadProbe>,
        stop: CancellationToken,
    ) -> Result<(LoadEnd, Option<Probing>), LoadError> {
        let shares = Shares::new(behaviors.iter().map(|behavior| behavior.share));
        let schedule = Schedule::new(phases);
        let opens = schedule.opens();
        let roles = behaviors
            .into_iter()
            .map(|behavior| self.role(behavior, opens, Troupe::Load).map(Arc::new))
            .collect::<Result<Vec<_>, _>>()?;
        if roles.is_empty() {
            return Err(LoadError::NoBehavior);
        }
        if !self.options.http.verify {
            let message = "the target's certificate is not verified: whoever answered may not have been it";
            let source = "load".to_owned();
            self.options.stream.tell(Fact::Finding {
                source,
                severity: Severity::Warning,
                message: message.to_owned(),
            });
        }

        let deals = Deals::ByShares(shares.clone());
        let driver = Driver::new(self, Agenda::new(schedule, shares, deals), roles, Troupe::Load);
        let probe = probe.map(|probe| self.prepare(probe)).transpose()?;
        let recording = self.recorder.start().map_err(LoadError::Recorder)?;
        let (end, probing) = match probe {
            Some(probe) => {
                let probing = Self::send_out(probe, recording);
                let end = driver.run(stop).await;
                // The recording goes on, and what the load did comes out a little later.
                self.recorder.told(self.recorder.clock().now()).await;
                (end, Some(probing))
            }
            None => {
                let end = driver.run(stop).await;
                recording.finish().await;
                (end, None)
            }
        };
        self.options.stream.tell(Fact::LoadEnded);
        Ok((end, probing))
    }

    fn role(&self, behavior: LoadBehavior, opens: bool, troupe: Troupe) -> Result<Role, LoadError> {
        let mix = TaskMix::new(&behavior.plan, behavior.mix.as_ref())
            .map_err(|because| LoadError::Mix { behavior: behavior.name.clone(), because })?;
        let tasks = Tasks::new(self.recorder.clone(), &behavior.name, &behavior.plan);
        Ok(Role {
            factory: behavior.factory,
            client: Arc::new(self.client_options(behavior.granted, behavior.body_limit)),
            tasks: Arc::new(if troupe == Troupe::Load { tasks } else { tasks.of_probe() }),
            mix,
            pace: behavior.pace,
            desk: opens.then(Desk::new),
            run: self.options.run.clone(),
            base_url: self.options.base_url.clone(),
        })
    }
}

#[cfg(test)]
mod test_server;
#[cfg(test)]
mod tests;
