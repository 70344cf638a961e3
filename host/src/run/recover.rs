//! Undoes what runs left behind that did not end in good order.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    Cast,
    conduct::PROFILE,
    place::{Place, cluster_place, lab_place},
    unfinished::{Found, Held, Lasting, Unfinished, find},
};
use crate::{
    capability::{FaultPlugin, FaultPorts, ports},
    config::{self, EnvironmentKind, LoadOptions, RunConfig},
    environment::{
        Environment, Inverse,
        kubernetes::{ClusterConfig, Kubernetes},
        lab::{Lab, socket_path},
    },
    faults::{Journal, Pending, Undo, pending_in},
    observe::{Clock, Stream},
};

/// What came of it.
#[derive(Debug, Clone, Default)]
pub struct Recovered {
    /// For people, in order.
    pub lines: Vec<String>,
    pub undone: usize,
    pub failed: usize,
    /// Runs that still go on.
    pub running: usize,
}

/// The config of a run, read again only if there is something that a plugin alone can undo.
#[derive(Debug, Clone)]
struct Script {
    path: PathBuf,
    options: LoadOptions,
}

/// Undoes what this machine's runs left in the environment of that name, or in all. Goes on past what
/// fails.
pub async fn recover(environment: Option<&str>) -> Recovered {
    let mut recovered = Recovered::default();
    let found = match find() {
        Ok(found) => found,
        Err(error) => {
            recovered.fail(format!("the runs of this machine cannot be looked up: {error}"));
            return recovered;
        }
    };
    for one in found {
        match one {
            Found::Running(run) => {
                recovered.running += 1;
                recovered.say(format!("run {run} still goes on, and puts back by itself what it changes"));
            }
            Found::Left(run, held) if environment.is_none_or(|name| name == run.environment) => {
                recovered.one_of_this_machine(&run, held).await;
            }
            Found::Left(..) => {}
        }
    }
    recovered
}

/// Undoes what the cluster of a run config says was left in it, by runs of whatever machine.
pub async fn recover_by_config(config: &RunConfig, options: LoadOptions) -> Recovered {
    let mut recovered = Recovered::default();
    let script = Script { path: config.path.clone(), options };
    let done = match &config.environment.kind {
        EnvironmentKind::Kubernetes(cluster) => recovered.in_cluster(cluster, &script, None).await,
        EnvironmentKind::Lab { .. } | EnvironmentKind::Url { .. } => Err(format!(
            "environment {} keeps no journal of its own: what was left in it is known on the run's machine",
            config.environment.name
        )),
    };
    if let Err(because) = done {
        recovered.fail(because);
    }
    recovered
}

impl Recovered {
    fn say(&mut self, line: String) {
        self.lines.push(line);
    }

    fn fail(&mut self, line: String) {
        self.failed += 1;
        self.say(line);
    }

    async fn one_of_this_machine(&mut self, run: &Unfinished, held: Held) {
        let before = self.failed;
        let context = match &run.place {
            Lasting::Kubernetes(cluster) => Some(cluster.context.clone()),
            Lasting::Lab(_) => None,
        };
        let options = LoadOptions {
            environment: Some(run.environment.clone()),
            set: run.set.clone(),
            // Whoever let the run in lets its end in, too.
            allow_context: context,
            ..LoadOptions::default()
        };
        let script = Script { path: run.config.clone(), options };
        let done = match &run.place {
            Lasting::Kubernetes(cluster) => self.in_cluster(cluster, &script, Some(run)).await,
            Lasting::Lab(stack) => self.in_lab(stack, &script, run).await,
        };
        if let Err(because) = done {
            self.fail(format!("run {}: NOT UNDONE: {because}", run.run));
        }
        if self.failed == before
            && let Err(error) = held.finish()
        {
            self.fail(format!("run {}: {error}", run.run));
        }
    }

    async fn in_lab(&mut self, stack: &str, script: &Script, run: &Unfinished) -> Result<(), String> {
        let lab = Lab::attach(&socket_path(stack), Stream::new(Clock::start())).await;
        // With a lab that is gone went whatever was changed in it.
        let Some(lab) = lab.map_err(|error| error.to_string())? else { return Ok(()) };
        let journal = Journal::open(&run.journal).map_err(|error| error.to_string())?;
        let pending = journal.all_pending();
        let ground = Ground::Lab(Arc::new(lab));
        self.undo_all(&ground, &run.run, pending, script, Some(&journal)).await;
        Ok(())
    }

    /// All that the cluster's journals say, and what this machine knows of its own run beyond them.
    async fn in_cluster(
        &mut self,
        config: &ClusterConfig,
        script: &Script,
        own: Option<&Unfinished>,
    ) -> Result<(), String> {
        let text = |error: crate::environment::EnvironmentError| error.to_string();
        let cluster = Kubernetes::reach(config, Stream::new(Clock::start())).await.map_err(text)?;
        cluster.claim_for_recovery(&format!("recover-{:08x}", rand::random::<u32>())).await.map_err(text)?;
        let cluster = Arc::new(cluster);
        let done = self.by_journals(&cluster, script, own).await;
        let closed = cluster.close().await.map_err(text);
        done.and(closed)
    }

    async fn by_journals(
        &mut self,
        cluster: &Arc<Kubernetes>,
        script: &Script,
        own: Option<&Unfinished>,
    ) -> Result<(), String> {
        let left = cluster.leftovers().await.map_err(|error| error.to_string())?;
        let journal = match own {
            Some(run) if run.journal.exists() => {
                Some(Journal::open(&run.journal).map_err(|error| error.to_string())?)
            }
            _ => None,
        };
        for one in &left {
            let source = format!("the cluster's journal of {}", one.run);
            let pending = pending_in(&one.journal, Path::new(&source)).map_err(|error| error.to_string())?;
            let before = self.failed;
            let journal = own.filter(|run| run.run == one.run).and(journal.as_ref());
            self.undo_all(&Ground::Cluster(cluster.clone()), &one.run, pending, script, journal).await;
            if self.failed == before {
                cluster.forget(&one.run).await.map_err(|error| error.to_string())?;
            }
        }
        // What the cluster does not know any more was undone, or was never begun.
        Ok(())
    }

    async fn undo_all(
        &mut self,
        ground: &Ground,
        run: &str,
        pending: Vec<Pending>,
        script: &Script,
        journal: Option<&Journal>,
    ) {
        let environment = ground.environment();
        let mut actors: Option<Result<Actors, String>> = None;
        for one in pending {
            let (what, undone) = match &one.undo {
                Undo::Host(inverse) => {
                    (inverse.to_string(), environment.undo(inverse).await.map_err(|error| error.to_string()))
                }
                Undo::Plugin(undo) => {
                    if actors.is_none() {
                        actors = Some(Actors::assemble(script, ground).await);
                    }
                    let undone = match &actors {
                        Some(Ok(actors)) => actors.revert(&one.fault, undo).await,
                        Some(Err(because)) => Err(because.clone()),
                        None => Ok(()),
                    };
                    ("reverted by its plugin".to_owned(), undone)
                }
            };
            let noted = undone.and_then(|()| {
                journal
                    .map_or(Ok(()), |journal| journal.undone(one.number))
                    .map_err(|error| error.to_string())
            });
            let whose = format!("run {run}, fault {}", one.fault);
            match noted {
                Ok(()) => {
                    self.undone += 1;
                    self.say(format!("{whose}: {what}"));
                }
                Err(because) => self.fail(format!("{whose}: NOT UNDONE: {what}: {because}")),
            }
        }
    }
}

/// Where something is to be undone.
enum Ground {
    Lab(Arc<Lab>),
    Cluster(Arc<Kubernetes>),
}

impl Ground {
    fn environment(&self) -> Arc<dyn Environment> {
        match self {
            Self::Lab(lab) => lab.clone(),
            Self::Cluster(cluster) => cluster.clone(),
        }
    }

    async fn place(&self, config: &RunConfig) -> Result<Place, String> {
        match self {
            Self::Lab(lab) => lab_place(config, lab.clone()).await,
            Self::Cluster(cluster) => cluster_place(config, cluster.clone()).await,
        }
    }
}

/// The plugins of a run, to revert what only they can.
struct Actors {
    cast: Cast,
    place: Place,
    /// On which their logs go nowhere.
    stream: Stream,
}

/// What a revert changes is an inverse itself, and has none.
struct WithoutInverse;

impl ports::Journal for WithoutInverse {
    fn before(&self, _: &str, _: &Inverse) -> io::Result<()> {
        Ok(())
    }

    fn pending_lines(&self) -> String {
        String::new()
    }
}

impl Actors {
    async fn assemble(script: &Script, ground: &Ground) -> Result<Self, String> {
        let config = config::load(&script.path, &script.options).map_err(|errors| {
            format!("its run config is needed, and cannot be read any more:\n{}", errors.render(false))
        })?;
        let cast = Cast::assemble(&config, 0).await.map_err(|error| error.to_string())?;
        let place = ground.place(&config).await?;
        Ok(Self { cast, place, stream: Stream::new(Clock::start()) })
    }

    async fn revert(&self, fault: &str, undo: &str) -> Result<(), String> {
        let (plugin, json) = self.part(fault).ok_or_else(|| {
            format!("its run config has no fault '{fault}' any more, whose plugin could revert it")
        })?;
        let ports = FaultPorts {
            fault: fault.to_owned(),
            environment: self.place.environment.clone(),
            journal: Arc::new(WithoutInverse),
            credentials: self.place.credentials.clone(),
        };
        let tenant = self.cast.tenant(plugin.plugin(), &self.stream);
        let mut instance = plugin.instantiate(&tenant, ports).await.map_err(|error| error.to_string())?;
        instance.configure(json).await.map_err(|error| error.to_string())?;
        instance.revert(undo).await.map_err(|error| error.to_string())
    }

    fn part(&self, fault: &str) -> Option<(&FaultPlugin, &str)> {
        if fault == PROFILE {
            return self.cast.profile.as_ref().map(|part| (&part.plugin, part.json.as_str()));
        }
        let part = self.cast.faults.iter().find(|part| part.config.name == fault)?;
        Some((&part.plugin, &part.json))
    }
}
