//! What happened to the run itself, beside its promises: whatever of it keeps a run from passing.

use std::time::Duration;

use crate::{
    faults::beyond_load,
    judge::Circumstances,
    observe::{Bite, Observations, PlannedFault},
};

/// From what was seen of a run whose load was planned to last that long.
pub(super) fn circumstances(known: &Observations, planned: &[PlannedFault], load: Duration) -> Circumstances {
    let struck = known.faults().into_iter().chain(known.profile().cloned());
    let unproven = struck.filter_map(|fault| match (fault.struck, fault.effect) {
        (None, _) => Some(format!("fault '{}' did not strike: {}", fault.name, fault.because)),
        (Some(_), Bite::Proven) => None,
        (Some(_), _) => {
            Some(format!("the effect of fault '{}' was not proven: {}", fault.name, fault.probed))
        }
    });
    let unseen = beyond_load(&as_struck(known, planned), load)
        .into_iter()
        .map(|(name, because)| format!("the recovery of fault '{name}' cannot be judged: {because}"));
    let generator = known.generator();
    Circumstances {
        not_restored: known
            .restore_failures()
            .iter()
            .map(|failure| format!("{}: {}", failure.what, failure.because))
            .collect(),
        unproven_faults: unproven.chain(unseen).collect(),
        generator: generator.bottleneck.then_some(generator.because),
    }
}

/// The plan, with the moments of the faults that waited for others as they came.
fn as_struck(known: &Observations, planned: &[PlannedFault]) -> Vec<PlannedFault> {
    let load_started = known.phases().first().map_or(0, |phase| phase.start);
    let struck = known.faults();
    let mut planned = planned.to_vec();
    for fault in planned.iter_mut().filter(|fault| fault.after.is_some()) {
        let seen = struck.iter().find(|seen| seen.name == fault.name).and_then(|seen| seen.struck);
        fault.at = seen.map_or(fault.at, |struck| struck.saturating_sub(load_started));
    }
    planned
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use async_trait::async_trait;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::{
        config::{Pace, PhaseConfig, Ramp},
        judge::decide,
        load::{
            Load, LoadBehavior, LoadOptions, Shortage,
            persona::{CallError, Persona, PersonaFactory, Plan, Seat, Task},
        },
        observe::{Clock, Live, Outcome, RunOutcome, Stream, Verdict, fixtures},
    };

    #[test]
    fn a_fault_that_waited_is_judged_from_when_it_struck() {
        let known = fixtures::observations();
        let mut planned = fixtures::info().faults;
        assert_eq!(as_struck(&known, &planned), planned);
        let seen = known.faults().into_iter().find(|seen| seen.name == planned[0].name).expect("it is known");
        let start = known.phases()[0].start;
        (planned[0].after, planned[0].at) = (Some("another".to_owned()), 0);
        assert_eq!(as_struck(&known, &planned)[0].at, seen.struck.expect("it struck") - start);
        (planned[0].name, planned[0].at) = ("never".to_owned(), 7);
        assert_eq!(as_struck(&known, &planned)[0].at, 7, "the earliest, of one that did not");
    }

    /// A user that keeps its thread from everything else for so long in each task.
    #[derive(Clone)]
    struct Hog(Duration);

    #[async_trait]
    impl PersonaFactory for Hog {
        async fn create(&self, _: Seat) -> Result<Box<dyn Persona>, CallError> {
            Ok(Box::new(self.clone()))
        }
    }

    #[async_trait]
    impl Persona for Hog {
        async fn start(&mut self) -> Result<(), CallError> {
            Ok(())
        }

        async fn run(&mut self, _: u32) -> Result<(), CallError> {
            std::thread::sleep(self.0);
            Ok(())
        }

        async fn stop(&mut self) -> Result<(), CallError> {
            Ok(())
        }
    }

    fn behavior(hog: Hog) -> LoadBehavior {
        let task = Task { name: "work".to_owned(), group: "all".to_owned(), weight: 1, writes: false };
        LoadBehavior {
            name: "hog".to_owned(),
            share: 100.0,
            pace: Pace::Every(Duration::from_millis(10)),
            mix: None,
            plan: Plan { tasks: vec![task], groups: vec![("all".to_owned(), 1)] },
            granted: Arc::new(|_| Ok(())),
            body_limit: 1 << 20,
            factory: Arc::new(hog),
        }
    }

    /// What comes of a run in which every promise was kept, with a user that blocks for so long and
    /// with something that the generator may have nothing left for.
    async fn outcome(hog: Duration, short_of: Option<Shortage>) -> (RunOutcome, String) {
        let folder = tempfile::tempdir().expect("a folder");
        let stream = Stream::new(Clock::start());
        let live = Live::follow(&stream).expect("observations");
        let load = Load::new(LoadOptions {
            stream: stream.clone(),
            run: "run-1".to_owned(),
            seed: 42,
            base_url: "http://127.0.0.1:9".to_owned(),
            stop_timeout: Duration::from_secs(1),
            feeds: Arc::default(),
            ledger: folder.path().join("ledger.jsonl"),
            http: crate::config::HttpConfig::default(),
            threads: crate::load::recorder::Threads::default(),
        })
        .expect("a load");
        let duration = Duration::from_secs(2);
        let phase = PhaseConfig {
            name: "all".to_owned(),
            users: 1,
            arrivals: None,
            ramp: Ramp::Over(Duration::ZERO),
            duration,
        };
        if let Some(short_of) = short_of {
            load.metrics().short(short_of);
        }
        let behaviors = vec![behavior(Hog(hog))];
        load.run(&[phase], behaviors, CancellationToken::new()).await.expect("it runs");
        live.caught_up().await;
        let kept = Verdict {
            assertion: "sla".to_owned(),
            subject: "p95".to_owned(),
            outcome: Outcome::Kept,
            measured: None,
            promised: None,
            because: String::new(),
            shortage: None,
            requirement: None,
        };
        decide(&[kept], &circumstances(&live.observations(), &[], duration))
    }

    #[tokio::test]
    async fn a_generator_out_of_breath_cannot_pass() {
        let (outcome, because) = outcome(Duration::from_millis(150), None).await;
        assert_eq!(outcome, RunOutcome::Inconclusive, "{because}");
        let figures = because.strip_prefix("the load generator was the bottleneck: in ").expect("the figure");
        let disturbed: u64 = figures.split(' ').next().and_then(|count| count.parse().ok()).expect("a count");
        assert!(disturbed >= 2, "{because}");
    }

    #[tokio::test]
    async fn a_generator_that_ran_out_of_something_cannot_pass() {
        let (outcome, because) = outcome(Duration::ZERO, Some(Shortage::Descriptors)).await;
        assert_eq!(outcome, RunOutcome::Inconclusive, "{because}");
        let told =
            "the load generator was the bottleneck: 1 times it had no file descriptor, port or memory left";
        assert!(because.starts_with(told), "{because}");
    }
}
