//! Judges a finished run again, from its directory alone.
//!
//! Its assertions are told what was known when they judged it for the first time, and so they answer the same, unless
//! they are other plugins by now: that is said.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use super::circumstances::circumstances;
use crate::{
    capability::{AssertionInstance, AssertionPlugin, Reader, Worlds},
    config::{Grants, Limits},
    judge::{Judge, decide, evaluate},
    observe::{
        Clock, Event, Fact, Observations, PlannedAssertion, ReadError, RunDir, RunInfo, RunOutcome, Stage,
        Stream, Verdict,
    },
    plugin::{Engine, EngineError, EngineOptions, Source, Tenant},
    terminal::verdict,
};

/// What came of judging it again.
#[derive(Debug)]
pub struct JudgedAgain {
    pub outcome: RunOutcome,
    /// What people read, as at the end of the run.
    pub verdict: String,
    /// Whatever is not as the directory has it.
    pub differences: Vec<String>,
}

/// Why a run cannot be judged again.
#[derive(Debug, thiserror::Error)]
pub enum JudgeAgainError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("{}: it does not begin with a run", path.display())]
    NoRun { path: PathBuf },
    #[error("{}: the run was never judged: {because}", path.display())]
    NeverJudged { path: PathBuf, because: String },
    #[error("{}: the run was recorded by a host that did not yet keep what it was judged by", path.display())]
    NoPromises { path: PathBuf },
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error("the capabilities cannot be linked: {0}")]
    Link(String),
}

/// An assertion that is configured and sees what is known.
pub(super) async fn seat(
    plugin: &AssertionPlugin,
    tenant: &Arc<Tenant>,
    known: Arc<Observations>,
    config: &str,
) -> Result<AssertionInstance, String> {
    let reader = Box::new(Reader::new(known));
    let mut instance = plugin.instantiate(tenant, reader).await.map_err(|error| error.to_string())?;
    instance.configure(config).await.map_err(|error| error.to_string())?;
    Ok(instance)
}

/// Judges the run of this directory again. Nothing in it is changed.
pub async fn judge_again(path: &Path) -> Result<JudgedAgain, JudgeAgainError> {
    let directory = RunDir::open(path);
    let recorded = directory.read()?.observations;
    let info = recorded.run().cloned().ok_or_else(|| JudgeAgainError::NoRun { path: path.to_owned() })?;
    if !recorded.stages().iter().any(|(stage, _)| *stage == Stage::Judge) {
        let because = recorded.ended().map(|ended| ended.because.clone());
        let because = because.unwrap_or_else(|| "it did not come to its end".to_owned());
        return Err(JudgeAgainError::NeverJudged { path: path.to_owned(), because });
    }
    if info.assertions.is_empty() && !recorded.verdicts().is_empty() {
        return Err(JudgeAgainError::NoPromises { path: path.to_owned() });
    }

    let before = Arc::new(directory.read_to(Stage::Judge)?.observations);
    let mut bench = Bench::new(&info, before.clone(), &recorded)?;
    let mut judges = Vec::new();
    for planned in &info.assertions {
        judges.push(Judge {
            name: planned.name.clone(),
            requirement: planned.requirement.clone(),
            instance: bench.seat(planned).await,
        });
    }
    let verdicts = evaluate(judges, info.time_scale > 1.0).await;
    let mut differences = bench.differences;
    differences.extend(other_verdicts(recorded.verdicts(), &verdicts));

    let load = Duration::from_nanos(info.phases.last().map_or(0, |phase| phase.end));
    let (outcome, because) = decide(&verdicts, &circumstances(&before, &info.faults, load));
    if let Some(ended) = recorded.ended().filter(|ended| ended.outcome != outcome) {
        differences.push(format!("the run was {}: {}", ended.outcome.name(), ended.because));
    }
    let mut again = Arc::unwrap_or_clone(before);
    let at = again.latest();
    for fact in verdicts.into_iter().map(Fact::Verdict).chain([Fact::RunEnded { outcome, because }]) {
        again.apply(&Event { at, fact });
    }
    Ok(JudgedAgain { outcome, verdict: verdict(&again, None), differences })
}

/// Where assertions are seated that were not cast for a run.
struct Bench<'a> {
    worlds: Worlds,
    stream: Stream,
    seed: u64,
    known: Arc<Observations>,
    /// With the plugins of then.
    recorded: &'a Observations,
    differences: Vec<String>,
}

impl<'a> Bench<'a> {
    fn new(
        info: &RunInfo,
        known: Arc<Observations>,
        recorded: &'a Observations,
    ) -> Result<Self, JudgeAgainError> {
        let engine = Engine::new(&EngineOptions::default())?;
        let worlds = Worlds::new(engine).map_err(|error| JudgeAgainError::Link(format!("{error:#}")))?;
        let stream = Stream::new(Clock::start());
        Ok(Self { worlds, stream, seed: info.seed, known, recorded, differences: Vec::new() })
    }

    async fn seat(&mut self, planned: &PlannedAssertion) -> Result<AssertionInstance, String> {
        let source = Source { name: planned.plugin.clone(), path: planned.path.as_ref().map(PathBuf::from) };
        let plugin = self.worlds.assertion(&source).await.map_err(|error| error.to_string())?;
        let about = plugin.plugin();
        let then = self.recorded.plugins().iter().find(|then| then.name == about.name);
        if let Some(then) = then.filter(|then| then.digest != about.digest) {
            let (name, version) = (&about.name, &about.version);
            self.differences.push(format!(
                "plugin '{name}' is another build now, of version {version}; it was of version {}",
                then.version
            ));
        }
        let (limits, grants) = (Limits::default(), Grants::default());
        let tenant = Tenant::new(self.worlds.engine(), about, limits, grants, self.stream.clone(), self.seed);
        seat(&plugin, &Arc::new(tenant), self.known.clone(), &planned.config.to_string()).await
    }
}

/// What of the recorded verdicts is not among those of now, and the other way round, as people read them.
fn other_verdicts(then: &[Verdict], now: &[Verdict]) -> Vec<String> {
    let measure = |measured: Option<String>| measured.unwrap_or_else(|| "nothing".to_owned());
    let line = |verdict: &Verdict| {
        let measured = measure(verdict.measured.as_ref().map(ToString::to_string));
        let promised = measure(verdict.promised.as_ref().map(ToString::to_string));
        let outcome = verdict.outcome.name();
        format!(
            "{}: {}: {outcome}, measured {measured}, promised {promised}",
            verdict.assertion, verdict.subject
        )
    };
    let (then, now): (Vec<_>, Vec<_>) = (then.iter().map(line).collect(), now.iter().map(line).collect());
    let gone = then.iter().filter(|line| !now.contains(line)).map(|line| format!("then {line}"));
    let new = now.iter().filter(|line| !then.contains(line)).map(|line| format!("now {line}"));
    gone.chain(new).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::fixtures;

    #[test]
    fn what_is_judged_otherwise_is_told_of_both() {
        let then = fixtures::observations().verdicts().to_vec();
        assert_eq!(other_verdicts(&then, &then), Vec::<String>::new());
        let mut now = then.clone();
        now[0].measured = None;
        now.remove(1);
        insta::assert_snapshot!(other_verdicts(&then, &now).join("\n"));
    }

    #[tokio::test]
    async fn what_is_no_judged_run_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut refused = Vec::new();
        for events in [
            "",
            "{\"at\":1,\"fact\":\"load-ended\"}\n",
            "{\"at\":1,\"fact\":{\"run-started\":RUN}}\n",
            "{\"at\":1,\"fact\":{\"run-started\":RUN}}\n\
             {\"at\":2,\"fact\":{\"run-ended\":{\"outcome\":\"aborted\",\"because\":\"too many errors\"}}}\n",
        ] {
            let run = serde_json::to_string(&fixtures::info()).expect("JSON");
            std::fs::write(folder.path().join("events.jsonl"), events.replace("RUN", &run)).expect("written");
            let error = judge_again(folder.path()).await.expect_err(events).to_string();
            refused.push(error.replace(&folder.path().display().to_string(), "RUN"));
        }
        insta::assert_snapshot!(refused.join("\n"));
    }
}
