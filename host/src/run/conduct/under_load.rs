//! The middle of a run: load with faults, until the target has settled and was asked what it holds.

use std::sync::Arc;

use super::{
    super::{Place, cast::Part, network::TargetNetwork, settle::settle, users},
    Ending, Run, interrupted,
};
use crate::{
    capability::BehaviorPlugin,
    config::BehaviorConfig,
    faults::{Guard, Planned, Timeline},
    judge::awaiting,
    load::{Load, LoadOptions, LoadProbe, RunFeeds},
    observe::{RunOutcome, Stage},
    plugin::Tenant,
};

impl Run {
    /// Phases with faults, then settle and audit. Answers how the run ended, if it is not for the
    /// promises to say.
    pub(super) async fn under_load(&self, place: &Place, network: &TargetNetwork) -> Option<Ending> {
        let environment = &place.environment;
        self.stage(Stage::Load);
        let load = Load::new(LoadOptions {
            stream: self.stream.clone(),
            run: self.info.id.clone(),
            seed: self.info.seed,
            base_url: environment.base_url(),
            stop_timeout: self.config.stop_timeout,
            feeds: Arc::new(RunFeeds::new(&self.config.feeds)),
            ledger: self.path.join("ledger.jsonl"),
            http: self.config.http.clone(),
            threads: network.threads(),
        });
        let load = match load {
            Ok(load) => Arc::new(load),
            Err(error) => return Some((RunOutcome::NotReady, error.to_string())),
        };
        let actors: Vec<_> = self
            .cast
            .actors()
            .map(|part| (part, self.cast.tenant(part.plugin.plugin(), &self.stream)))
            .collect();
        let mut behaviors = Vec::new();
        for (part, tenant) in &actors {
            match users::behavior(part, tenant, &load, &environment.base_url()).await {
                Ok(behavior) => behaviors.push(behavior),
                Err(because) => return Some((RunOutcome::NotReady, because)),
            }
        }
        // The probe is the last of the actors.
        let probe = self.config.probe.as_ref().and_then(|probe| {
            let (rate, users) = (probe.rate, probe.users);
            behaviors.pop().map(|behavior| LoadProbe { behavior, rate, users })
        });
        let faults = match self.arm_faults(place).await {
            Ok(faults) => faults,
            Err(because) => return Some((RunOutcome::NotReady, because)),
        };

        let guard = self.config.guard.clone().map(|config| Arc::new(Guard::new(config)));
        let load_stop = self.stop.child_token();
        let faults_stop = self.stop.child_token();
        let timeline = Timeline {
            steady: self.config.steady.clone(),
            guard: guard.clone(),
            live: self.live.clone(),
            stream: self.stream.clone(),
            load_started: self.stream.clock().now(),
            stop: faults_stop.clone(),
        };
        let striking = network.handle().spawn(timeline.run(faults));
        let (loading, phases, stop) = (load.clone(), self.config.phases.clone(), load_stop.clone());
        let mut putting = network
            .handle()
            .spawn(async move { loading.run_with_probe(&phases, behaviors, probe, stop).await });
        let tripped = async {
            match &guard {
                Some(guard) => guard.watch(&self.live, &self.stream).await,
                None => std::future::pending().await,
            }
        };
        let (ended, aborted) = tokio::select! {
            ended = &mut putting => (ended, None),
            because = tripped => {
                load_stop.cancel();
                (putting.await, Some((RunOutcome::Aborted, format!("the guard stopped it: {because}"))))
            }
            error = environment.ended() => {
                load_stop.cancel();
                (putting.await, Some((RunOutcome::NotReady, error.to_string())))
            }
        };
        faults_stop.cancel();
        // Whatever the faults changed is put back by the timeline itself; what it could not is pending.
        let restored = striking.await;
        let probing = match ended {
            Ok(Ok((_, probing))) => probing,
            Ok(Err(error)) => return Some((RunOutcome::NotReady, error.to_string())),
            Err(error) => return Some((RunOutcome::Inconclusive, format!("the load broke off: {error}"))),
        };
        if let Err(error) = restored {
            self.not_restored("the faults", &error.to_string());
        }
        let mut ending = aborted;
        if ending.is_none() {
            self.stage(Stage::Settle);
            let awaited = async || awaiting(self.judges().await).await;
            let probed = probing.is_some();
            let settling =
                settle(&self.config, environment.as_ref(), probed, awaited, &self.live, &self.stream);
            ending = self.stop.run_until_cancelled(settling).await.is_none().then(interrupted);
        }
        if let Some(probing) = probing {
            network.run(probing.finish()).await;
        }
        if ending.is_some() {
            return ending;
        }
        let auditing = self.audit(place, &load, &actors, network);
        self.stop.run_until_cancelled(auditing).await.is_none().then(interrupted)
    }

    /// Asks the target what it holds of what was written.
    async fn audit(
        &self,
        place: &Place,
        load: &Arc<Load>,
        actors: &[(&Part<BehaviorPlugin, BehaviorConfig>, Arc<Tenant>)],
        network: &TargetNetwork,
    ) {
        self.stage(Stage::Audit);
        let base_url = place.environment.base_url();
        for (part, tenant) in actors {
            users::audit(part, tenant, load, &self.info.id, &base_url, network, &self.stream).await;
        }
    }

    async fn arm_faults(&self, place: &Place) -> Result<Vec<Planned>, String> {
        let mut faults = Vec::new();
        for part in &self.cast.faults {
            let armed = self.arm(part, &part.config.name, place).await;
            let armed =
                armed.map_err(|error| format!("fault '{}' cannot be used: {error}", part.config.name))?;
            let at = self.info.faults.iter().find(|one| one.name == part.config.name).map_or(0, |one| one.at);
            faults.push(Planned { config: part.config.clone(), at, armed });
        }
        Ok(faults)
    }
}
