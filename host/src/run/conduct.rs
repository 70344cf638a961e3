//! A run from beginning to end.

mod under_load;

use std::{io, path::PathBuf, sync::Arc, time::Duration};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{
    Cast,
    cast::Part,
    circumstances::circumstances,
    identity::{self, run_id},
    judge_again::seat,
    network::TargetNetwork,
    place::{self, Place},
    plan, preflight,
    rack::Rack,
    unfinished::{Held, Unfinished},
    watch,
};
use crate::{
    capability::FaultPlugin,
    config::RunConfig,
    faults::{Armed, Armory, Journal, Undo},
    judge::{Judge, decide, evaluate},
    observe::{Clock, Fact, FaultChange, Live, RunDir, RunInfo, RunOutcome, Stage, Stream},
    report,
    terminal::{Progress, verdict},
};

/// How long an environment may take to come up.
const READY_AT_MOST: Duration = Duration::from_secs(120);

/// How long a profile may take to be proven.
const PROOF_AT_MOST: Duration = Duration::from_secs(10);

/// The name under which a profile is journaled and told. No fault can have it: names have no brackets.
pub(super) const PROFILE: &str = "(profile)";

/// What the command line adds to a run config.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where run directories are made.
    pub runs: PathBuf,
    pub quiet: bool,
}

/// A run that came to its end.
#[derive(Debug)]
pub struct Finished {
    pub outcome: RunOutcome,
    /// What people read at the end.
    pub verdict: String,
    /// What of the run could not be written down, if anything.
    pub incomplete: Option<String>,
}

/// Why there is not even an inconclusive run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("the run directory {path} cannot be made: {source}")]
    Directory { path: PathBuf, source: io::Error },
}

/// Runs a config with the plugins that were cast for it. Whatever goes wrong on the way is the run's
/// outcome; an error means that it could not even be recorded.
pub async fn conduct(config: RunConfig, cast: Cast, options: Options) -> Result<Finished, RunError> {
    let clock = Clock::start();
    let stream = Stream::new(clock);
    let id = run_id(&config.name, &clock, cast.seed());
    let path = identity::directory(&options.runs, &id);
    let unwritable = |source| RunError::Directory { path: path.clone(), source };

    let directory = RunDir::create(&path).map_err(unwritable)?;
    let recorder = directory.record(&stream).map_err(unwritable)?;
    let live = Live::follow(&stream).map_err(unwritable)?;
    let journal =
        Journal::open(&path.join("journal.jsonl")).map_err(|error| unwritable(io::Error::other(error)))?;
    let progress = Progress::follow(&live, options.quiet);

    let stop = CancellationToken::new();
    let interrupt = tokio::spawn(obey_interrupts(stop.clone()));
    let run = Run {
        info: RunInfo {
            id,
            name: config.name.clone(),
            config: config.path.display().to_string(),
            environment: config.environment.name.clone(),
            seed: cast.seed(),
            time_scale: config.time_scale,
            started: identity::started(&clock),
            host_version: env!("CARGO_PKG_VERSION").to_owned(),
            phases: config.planned_phases(),
            faults: config.planned_faults(),
            assertions: cast.planned_assertions(),
        },
        config,
        cast,
        stream: stream.clone(),
        live: live.clone(),
        journal: Arc::new(journal),
        path: path.clone(),
        stop,
    };
    stream.tell(Fact::RunStarted(run.info.clone()));
    let (outcome, because) = run.stages().await;
    interrupt.abort();
    stream.tell(Fact::RunEnded { outcome, because });
    stream.close();

    live.caught_up().await;
    let observations = live.snapshot();
    progress.finish().await;
    // A disk that is full costs the record, not the verdict.
    let recorded = recorder.finish().map_err(|error| format!("{} is not complete: {error}", path.display()));
    let page = report::write(&path, &observations).map_err(|error| format!("no report was written: {error}"));
    Ok(Finished {
        outcome,
        verdict: verdict(&observations, page.as_deref().ok()),
        incomplete: recorded.err().or(page.err()),
    })
}

/// The first interrupt stops the run in good order, the second leaves at once: what this process
/// made ends with it, and the journal says what else is to be undone.
async fn obey_interrupts(stop: CancellationToken) {
    if interrupt().await.is_ok() {
        stop.cancel();
    }
    if interrupt().await.is_ok() {
        std::process::exit(130);
    }
}

/// SIGINT, as a terminal sends it, or SIGTERM, as a supervisor does: a pod that is deleted gets it, and some
/// time to end in.
async fn interrupt() -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminate.recv() => Ok(()),
    }
}

/// How a run ended, and why.
type Ending = (RunOutcome, String);

struct Run {
    info: RunInfo,
    config: RunConfig,
    cast: Cast,
    stream: Stream,
    live: Live,
    journal: Arc<Journal>,
    path: PathBuf,
    stop: CancellationToken,
}

impl Run {
    async fn stages(&self) -> Ending {
        self.stage(Stage::Preflight);
        self.cast.introduce(&self.stream);
        let planned = match place::planned(&self.config).await {
            Ok(place) => place,
            Err(because) => return (RunOutcome::NotReady, because),
        };
        let plan = plan(&self.config, &self.cast, &planned).await;
        plan.tell(&self.stream);
        if let Some(because) = plan.blocked() {
            return (RunOutcome::Fail, format!("nothing was started: {because}"));
        }
        let place = match place::open(&self.config, &self.cast, &self.info.id, &self.stream).await {
            Ok(place) => place,
            Err(because) => return (RunOutcome::NotReady, because),
        };
        let unfinished = match self.begin_unfinished(&place) {
            Ok(unfinished) => unfinished,
            Err(error) => {
                let _closed = place.environment.close().await;
                return (
                    RunOutcome::NotReady,
                    format!("this machine cannot note what is to be undone: {error}"),
                );
            }
        };
        let ending = self.in_place(&place).await;
        if let Some(unfinished) = unfinished.filter(|_| self.journal.all_pending().is_empty())
            && let Err(error) = unfinished.finish()
        {
            self.not_restored("the note of this run", &error.to_string());
        }
        if let Err(error) = place.environment.close().await {
            self.not_restored("the environment", &error.to_string());
        }
        ending
    }

    /// Notes on this machine what the environment will be changed by, if it outlives this process.
    fn begin_unfinished(&self, place: &Place) -> io::Result<Option<Held>> {
        let Some(lasting) = &place.lasting else { return Ok(None) };
        let unfinished = Unfinished {
            run: self.info.id.clone(),
            environment: self.config.environment.name.clone(),
            place: lasting.clone(),
            journal: std::path::absolute(self.path.join("journal.jsonl"))?,
            config: std::path::absolute(&self.config.path)?,
            set: self.config.set.clone(),
        };
        unfinished.begin().map(Some)
    }

    async fn in_place(&self, place: &Place) -> Ending {
        let environment = &place.environment;
        let ready = tokio::select! {
            () = self.stop.cancelled() => return interrupted(),
            ready = environment.wait_ready(READY_AT_MOST) => ready,
        };
        if let Err(error) = ready {
            return (RunOutcome::NotReady, error.to_string());
        }
        let network = match TargetNetwork::enter(environment.enter_network()) {
            Ok(network) => network,
            Err(error) => {
                return (RunOutcome::NotReady, format!("the target's network cannot be entered: {error}"));
            }
        };
        let (base_url, http, clock) = (environment.base_url(), self.config.http.clone(), self.stream.clock());
        match network.run(async move { preflight::reachable(&base_url, &http, clock).await }).await {
            Ok(()) => {}
            Err(because) => return (RunOutcome::NotReady, because),
        }
        let watching = CancellationToken::new();
        let usage = tokio::spawn(watch::usage(environment.clone(), self.stream.clone(), watching.clone()));
        let ending = self.with_profile(place, &network).await;
        watching.cancel();
        // It has no way to panic, and nobody aborts it.
        let _ = usage.await;
        ending
    }

    /// Strikes the profile, goes on with the load, and takes the profile back.
    async fn with_profile(&self, place: &Place, network: &TargetNetwork) -> Ending {
        let mut profile = None;
        if let Some(part) = &self.cast.profile {
            self.stage(Stage::Profile);
            let mut armed = match self.arm(part, PROFILE, place).await {
                Ok(armed) => armed,
                Err(because) => {
                    return (RunOutcome::NotReady, format!("the profile cannot be used: {because}"));
                }
            };
            let struck = network.run(async move { (armed.strike().await, armed) }).await;
            let (struck, mut armed) = struck;
            match struck {
                Ok(_) => {
                    let proven = network.run(async move { (armed.prove(PROOF_AT_MOST).await, armed) }).await;
                    profile = Some(proven.1);
                }
                Err(error) => {
                    armed.tell(FaultChange::Skipped { because: error.to_string() });
                    network.run(async move { armed.revert().await }).await;
                    return (RunOutcome::NotReady, format!("the profile could not be struck: {error}"));
                }
            }
        }
        let ending = self.under_load(place, network).await;
        self.stage(Stage::Restore);
        if let Some(mut armed) = profile {
            network.run(async move { armed.revert().await }).await;
        }
        self.restore_the_rest(place).await;
        match ending {
            Some(ending) => ending,
            None => self.judge().await,
        }
    }

    async fn judge(&self) -> Ending {
        self.stage(Stage::Judge);
        for verdict in evaluate(self.judges().await, self.config.time_scale > 1.0).await {
            self.stream.tell(Fact::Verdict(verdict));
        }
        self.live.caught_up().await;
        let known = self.live.observations();
        let circumstances = circumstances(&known, &self.info.faults, self.config.load_duration());
        decide(known.verdicts(), &circumstances)
    }

    /// Every assertion, over what is known now.
    async fn judges(&self) -> Vec<Judge> {
        self.live.caught_up().await;
        let observations = self.live.snapshot();
        let mut judges = Vec::new();
        for part in &self.cast.assertions {
            let tenant = self.cast.tenant(part.plugin.plugin(), &self.stream);
            judges.push(Judge {
                name: part.config.name.clone(),
                requirement: part.config.requirement.clone(),
                instance: seat(&part.plugin, &tenant, observations.clone(), &part.json).await,
            });
        }
        judges
    }

    async fn arm<C>(&self, part: &Part<FaultPlugin, C>, name: &str, place: &Place) -> Result<Armed, String> {
        let tenant = self.cast.tenant(part.plugin.plugin(), &self.stream);
        let armory = Arc::new(Rack::new(part, tenant, name, place, self.journal.clone()));
        Ok(Armed {
            name: name.to_owned(),
            instance: armory.instance().await?,
            armory,
            stream: self.stream.clone(),
            journal: self.journal.clone(),
            environment: place.environment.clone(),
        })
    }

    /// Undoes what is still in the journal: a revert that failed gets one more chance without its
    /// plugin, and goes on past what fails again.
    async fn restore_the_rest(&self, place: &Place) {
        for pending in self.journal.all_pending() {
            let what = format!("fault '{}'", pending.fault);
            match &pending.undo {
                Undo::Host(inverse) => match place.environment.undo(inverse).await {
                    Ok(()) => {
                        if let Err(error) = self.journal.undone(pending.number) {
                            self.not_restored(&what, &error.to_string());
                        }
                    }
                    Err(error) => self.not_restored(&what, &error.to_string()),
                },
                Undo::Plugin(_) => self.not_restored(&what, "its plugin could not revert it"),
            }
        }
        if let Err(error) = self.journal.keep_in(place.environment.as_ref()).await {
            self.not_restored("the journal that the environment keeps", &error.to_string());
        }
    }

    fn stage(&self, stage: Stage) {
        self.stream.tell(Fact::StageStarted { stage });
    }

    fn not_restored(&self, what: &str, because: &str) {
        self.stream.tell(Fact::RestoreFailed { what: what.to_owned(), because: because.to_owned() });
    }
}

fn interrupted() -> Ending {
    (RunOutcome::Interrupted, "stopped by the user".to_owned())
}
