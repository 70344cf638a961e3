//! What the tests of this binary stand on: an engine, and ports that remember.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use assay::{
    capability::{BehaviorInstance, BehaviorPlugin, BehaviorPorts, Worlds, ports},
    config::{Grants, Limits},
    load::RunFeeds,
    observe::{Clock, Event, Fact, Nanos, PluginFailureKind, Stream, Subscription},
    plugin::{CallError, Engine, EngineOptions, Plugin, Source, Tenant},
};
use assay_bindings::{
    Headers, Response,
    behavior::exports::assay::plugin::behavior::UserInfo,
    imports::http::{Error, Request, Visited},
};
use futures::future::BoxFuture;
use serde_json::Value;

use crate::support;

/// One engine for all tests: that is how the host has it.
pub(crate) fn worlds() -> &'static Worlds {
    static WORLDS: OnceLock<Worlds> = OnceLock::new();
    WORLDS.get_or_init(|| {
        let options = EngineOptions { users: 100, cache: None, ..EngineOptions::default() };
        Worlds::new(Engine::new(&options).expect("an engine")).expect("linkers")
    })
}

/// Where a fixture's component lies. All are written before the first is read: tests run at once.
pub(crate) fn fixture(name: &str) -> PathBuf {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["hostile", "plain-assertion", "plain-behavior", "plain-fault"] {
            support::guests::install(name, folder.path());
        }
        folder
    });
    folder.path().join(format!("{name}.wasm"))
}

pub(crate) fn source(name: &str) -> Source {
    Source { name: name.to_owned(), path: Some(fixture(name)) }
}

/// Short, so that tests are.
pub(crate) fn limits() -> Limits {
    Limits {
        memory: 16 << 20,
        call_timeout: Duration::from_secs(3),
        busy_timeout: Duration::from_millis(300),
        ..Limits::default()
    }
}

/// A run with one plugin in it.
pub(crate) struct Stage {
    pub(crate) tenant: Arc<Tenant>,
    events: Mutex<Subscription>,
}

impl Stage {
    pub(crate) fn new(plugin: &Plugin, limits: Limits, grants: Grants) -> Self {
        let stream = Stream::new(Clock::start());
        let events = Mutex::new(stream.subscribe());
        let tenant = Arc::new(Tenant::new(worlds().engine(), plugin, limits, grants, stream, 42));
        Self { tenant, events }
    }

    /// Everything told so far that was not asked for yet.
    pub(crate) fn told(&self) -> Vec<Fact> {
        let mut events = self.events.lock().expect("not poisoned");
        std::iter::from_fn(|| events.try_recv().ok()).map(|event: Arc<Event>| event.fact.clone()).collect()
    }

    /// The failures among them.
    pub(crate) fn failures(&self) -> Vec<(String, PluginFailureKind, String)> {
        let failure = |fact| match fact {
            Fact::PluginFailed { call, kind, message, .. } => Some((call, kind, message)),
            _ => None,
        };
        self.told().into_iter().filter_map(failure).collect()
    }
}

/// What happened to samples and figures, in order.
#[derive(Default)]
pub(crate) struct Memory {
    notes: Mutex<Vec<String>>,
}

impl Memory {
    pub(crate) fn note(&self, note: impl Into<String>) {
        self.notes.lock().expect("not poisoned").push(note.into());
    }

    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.notes.lock().expect("not poisoned"))
    }
}

impl ports::Ledger for Memory {
    fn attempt(&self, behavior: &str, key: &str) -> Result<(), String> {
        self.note(format!("{behavior} attempts {key}"));
        Ok(())
    }

    fn confirm(&self, behavior: &str, key: &str) -> Result<(), String> {
        self.note(format!("{behavior} confirms {key}"));
        Ok(())
    }

    fn reject(&self, behavior: &str, key: &str) -> Result<(), String> {
        self.note(format!("{behavior} rejects {key}"));
        Ok(())
    }
}

impl ports::Metrics for Memory {
    fn check(&self, name: &str, passed: bool) {
        self.note(format!("check {name}: {passed}"));
    }

    fn count(&self, name: &str, amount: f64) {
        self.note(format!("count {name}: {amount}"));
    }

    fn trend(&self, name: &str, value: f64) {
        self.note(format!("trend {name}: {value}"));
    }
}

/// Answers every request with its own path, and remembers.
pub(crate) struct Echo {
    pub(crate) memory: Arc<Memory>,
    /// Done before each answer, on the stack that the request runs on.
    pub(crate) before: fn(),
    samples: u64,
}

impl Echo {
    pub(crate) fn new(memory: Arc<Memory>) -> Self {
        Self { memory, before: || (), samples: 0 }
    }
}

impl ports::Browser for Echo {
    fn send<'a>(&'a mut self, request: Request, _: Nanos) -> BoxFuture<'a, Result<Response, Error>> {
        (self.before)();
        self.samples += 1;
        let response = Response {
            status: 200,
            url: request.url.clone(),
            headers: Headers::default(),
            body: format!("you asked for {}", request.url).into_bytes(),
            service_time: 1_000,
            sample: Some(self.samples),
        };
        self.memory.note(format!("send {:?} {}", request.method, request.url));
        Box::pin(async { Ok(response) })
    }

    fn visit<'a>(&'a mut self, request: Request, _: Nanos) -> BoxFuture<'a, Result<Visited, Error>> {
        (self.before)();
        self.memory.note(format!("visit {:?} {}", request.method, request.url));
        let expected = request.expect.is_none_or(|expect| (expect.status.0..=expect.status.1).contains(&200));
        Box::pin(async move { Ok(Visited { status: 200, expected }) })
    }

    fn send_all<'a>(
        &'a mut self,
        requests: Vec<Request>,
        _: u32,
        deadline: Nanos,
    ) -> BoxFuture<'a, Vec<Result<Response, Error>>> {
        Box::pin(async move {
            let mut answers = Vec::new();
            for request in requests {
                answers.push(self.send(request, deadline).await);
            }
            answers
        })
    }

    fn fail(&mut self, sample: u64, reason: &str) {
        self.memory.note(format!("fail {sample}: {reason}"));
    }

    fn commit(&mut self, sample: u64) {
        self.memory.note(format!("commit {sample}"));
    }

    fn commit_all(&mut self) {
        self.memory.note("commit all");
    }

    fn cookie(&self, _: &str) -> Option<String> {
        None
    }

    fn set_cookie(&mut self, _: &str, _: &str) {}

    fn reset(&mut self) {}
}

pub(crate) const TARGET: &str = "http://target.test:8080";

pub(crate) fn ports(instance: u64, browser: Echo) -> BehaviorPorts {
    let memory = browser.memory.clone();
    BehaviorPorts {
        behavior: "visitors".to_owned(),
        instance,
        place: instance,
        base_url: TARGET.to_owned(),
        browser: Box::new(browser),
        feeds: Arc::new(RunFeeds::default()),
        ledger: memory.clone(),
        metrics: memory,
    }
}

pub(crate) fn user(id: u64) -> UserInfo {
    UserInfo { id, ordinal: id, run: "run-1".to_owned(), base_url: TARGET.to_owned() }
}

/// A started virtual user.
pub(crate) async fn started(
    plugin: &BehaviorPlugin,
    stage: &Stage,
    config: Value,
    browser: Echo,
) -> Result<BehaviorInstance, CallError> {
    let mut instance = plugin.instantiate(&stage.tenant, ports(0, browser)).await?;
    instance.configure(&config.to_string()).await.expect("the config is accepted");
    instance.start(user(0)).await?;
    Ok(instance)
}
