//! Whole loads against a server that counts what it gets.

mod open;
mod pacing;
mod probe;

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
};

use assay_bindings::imports::http as wit;
use async_trait::async_trait;

use super::{
    persona::{CallError, Persona, Seat, Task},
    test_server::{Act, TestServer, answer},
    *,
};
use crate::{
    config::{Ramp, ThinkTime},
    observe::{Clock, ErrorClass, Interval, PluginFailureKind, Subscription},
};

type Call = Result<(), CallError>;

fn lost() -> CallError {
    CallError::Lost { kind: PluginFailureKind::Trapped, message: "unreachable".to_owned() }
}

/// A behavior in a few lines: what each task sends, and how calls turn out.
#[derive(Default)]
struct Script {
    /// Paths to GET, by task.
    paths: Vec<&'static str>,
    /// What `start` answers, by how many instances were made before.
    start: Option<fn(usize) -> Call>,
    /// What `run` answers, by how many tasks the instance ran before.
    run: Option<fn(usize) -> Call>,
    made: AtomicUsize,
    stopped: AtomicUsize,
    /// Tasks by user.
    ran: Mutex<BTreeMap<u64, Vec<u32>>>,
    /// Ordinals of live instances, and whether two ever had the same.
    ordinals: Mutex<Vec<u64>>,
    clashed: AtomicU32,
}

impl Script {
    fn note(&self, user: u64, task: u32) {
        self.ran.lock().expect("no test panics inside").entry(user).or_default().push(task);
    }
}

struct Actor {
    script: Arc<Script>,
    seat: Seat,
    number: usize,
    ran: usize,
}

struct Troupe(Arc<Script>);

#[async_trait]
impl PersonaFactory for Troupe {
    async fn create(&self, seat: Seat) -> Result<Box<dyn Persona>, CallError> {
        let number = self.0.made.fetch_add(1, Ordering::SeqCst);
        let mut ordinals = self.0.ordinals.lock().expect("no test panics inside");
        self.0.clashed.fetch_add(u32::from(ordinals.contains(&seat.user.ordinal)), Ordering::SeqCst);
        ordinals.push(seat.user.ordinal);
        Ok(Box::new(Actor { script: self.0.clone(), seat, number, ran: 0 }))
    }
}

#[async_trait]
impl Persona for Actor {
    async fn start(&mut self) -> Call {
        self.script.start.map_or(Ok(()), |start| start(self.number))
    }

    async fn run(&mut self, task: u32) -> Call {
        self.ran += 1;
        self.script.note(self.seat.user.id, task);
        if let Some(path) = self.script.paths.get(task as usize) {
            let answer = self.seat.browser.send(get(path), u64::MAX).await;
            self.seat.browser.commit_all();
            if let Err(error) = answer {
                return Err(CallError::Failed(format!("{error:?}")));
            }
        }
        self.script.run.map_or(Ok(()), |run| run(self.ran))
    }

    async fn stop(&mut self) -> Call {
        self.script.stopped.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        let ordinal = self.seat.user.ordinal;
        self.script.ordinals.lock().expect("no test panics inside").retain(|taken| *taken != ordinal);
    }
}

fn get(path: &str) -> wit::Request {
    wit::Request {
        method: wit::Method::Get,
        url: path.to_owned(),
        headers: Vec::new(),
        body: wit::Body::Empty,
        name: None,
        expect: None,
        connect_timeout: None,
        timeout: None,
        redirects: None,
    }
}

fn think(millis: u64) -> Pace {
    Pace::Think(ThinkTime::Even { min: Duration::ZERO, max: Duration::from_millis(millis) })
}

fn behavior(name: &str, share: f64, pace: Pace, script: &Arc<Script>) -> LoadBehavior {
    let task = |name: &str| Task { name: name.into(), group: "all".into(), weight: 1, writes: false };
    LoadBehavior {
        name: name.to_owned(),
        share,
        pace,
        mix: None,
        plan: Plan { tasks: ["one", "two", "three"].map(task).into(), groups: vec![("all".into(), 1)] },
        granted: Arc::new(|_| Ok(())),
        body_limit: 1 << 20,
        factory: Arc::new(Troupe(script.clone())),
    }
}

fn phase(name: &str, users: u32, ramp: u64, millis: u64) -> PhaseConfig {
    PhaseConfig {
        name: name.to_owned(),
        users,
        arrivals: None,
        ramp: Ramp::Over(Duration::from_millis(ramp)),
        duration: Duration::from_millis(millis),
    }
}

struct Stage {
    load: Load,
    told: Subscription,
    _folder: tempfile::TempDir,
}

fn stage(base_url: &str, stop_timeout: Duration) -> Stage {
    let folder = tempfile::tempdir().expect("a folder");
    let stream = Stream::new(Clock::start());
    let told = stream.subscribe();
    let load = Load::new(LoadOptions {
        stream,
        run: "run-1".to_owned(),
        seed: 42,
        base_url: base_url.to_owned(),
        stop_timeout,
        feeds: Arc::default(),
        ledger: folder.path().join("ledger.jsonl"),
        http: HttpConfig::default(),
        threads: Threads::default(),
    })
    .expect("a load");
    Stage { load, told, _folder: folder }
}

/// What was told of a load.
#[derive(Default)]
struct Told {
    facts: Vec<String>,
    intervals: Vec<Interval>,
    /// By the sample's name.
    successes: BTreeMap<String, u64>,
    failures: BTreeMap<ErrorClass, u64>,
}

fn told(mut stream: Subscription) -> Told {
    let mut told = Told::default();
    let mut names = BTreeMap::new();
    while let Ok(event) = stream.try_recv() {
        match &event.fact {
            Fact::Endpoint { index, endpoint } => {
                names.insert(*index, endpoint.name.clone());
            }
            Fact::Interval(interval) => {
                for row in &interval.endpoints {
                    *told.successes.entry(names[&row.endpoint].clone()).or_default() += row.successes;
                    for (class, count) in &row.failures {
                        *told.failures.entry(*class).or_default() += count;
                    }
                }
                told.intervals.push(interval.clone());
            }
            Fact::PhaseStarted { phase, users, rate } => {
                let load = crate::observe::figures::load(*users, *rate);
                told.facts.push(format!("{phase} with {load} starts"));
            }
            Fact::PhaseEnded { phase } => told.facts.push(format!("{phase} ends")),
            // How busy the machine is says nothing about the load.
            Fact::Finding { source, .. } if source == "machine" => {}
            Fact::Finding { message, .. } => told.facts.push(message.clone()),
            Fact::LoadEnded => told.facts.push("load ends".to_owned()),
            _ => {}
        }
    }
    told
}

fn script(paths: &[&'static str]) -> Script {
    Script { paths: paths.to_vec(), ..Script::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counts_agree_with_what_the_server_got() {
    let server = TestServer::start(|_| Act::Answer(answer(200, "", "x"))).await;
    let stage = stage(&server.url(), Duration::from_secs(10));
    let (many, few) = (Arc::new(script(&["/a", "/b", "/c"])), Arc::new(script(&["/d"])));
    let behaviors = vec![behavior("many", 75.0, think(5), &many), behavior("few", 25.0, think(5), &few)];
    let phases = [phase("rise", 12, 600, 1_000), phase("fall", 4, 300, 700), phase("rest", 8, 0, 400)];
    let end = stage.load.run(&phases, behaviors, CancellationToken::new()).await.expect("it runs");

    assert_eq!(end, LoadEnd { stopped: false, cut_off: 0 });
    let told = told(stage.told);
    assert_eq!(
        told.facts,
        [
            "rise with 12 users starts",
            "rise ends",
            "fall with 4 users starts",
            "fall ends",
            "rest with 8 users starts",
            "rest ends",
            "load ends"
        ]
    );
    for path in ["GET /a", "GET /b", "GET /c", "GET /d"] {
        assert!(server.count(path) > 0);
        assert_eq!(told.successes[path], server.count(path), "{path}");
    }
    assert_eq!(told.failures, BTreeMap::new());
    assert!(told.intervals.iter().all(|interval| interval.users <= 12));
    assert!(told.intervals.windows(2).all(|pair| pair[0].second + 1 == pair[1].second));
    let last = told.intervals.last().expect("at least one");
    assert_eq!((last.users, last.in_flight), (0, 0));
    // Twelve, of whom eight left, and four more.
    assert_eq!((many.made.load(Ordering::SeqCst), few.made.load(Ordering::SeqCst)), (12, 4));
    for script in [&many, &few] {
        assert_eq!(script.made.load(Ordering::SeqCst), script.stopped.load(Ordering::SeqCst));
        assert_eq!(script.clashed.load(Ordering::SeqCst), 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_abort_leaves_in_flight_what_was_not_answered() {
    let answered = AtomicUsize::new(0);
    let server = TestServer::start(move |_| {
        if answered.fetch_add(1, Ordering::SeqCst) < 200 {
            Act::Answer(answer(200, "", "x"))
        } else {
            Act::Hang
        }
    })
    .await;
    let stage = stage(&server.url(), Duration::from_millis(200));
    let script = Arc::new(script(&["/", "/", "/"]));
    let stop = CancellationToken::new();
    let stopper = stop.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(700)).await;
        stopper.cancel();
    });
    let phases = [phase("steady", 10, 0, 60_000), phase("never", 1, 0, 60_000)];
    let begin = std::time::Instant::now();
    let end = stage.load.run(&phases, vec![behavior("all", 100.0, think(1), &script)], stop).await;
    assert!(begin.elapsed() < Duration::from_secs(20));
    assert_eq!(end.expect("it runs"), LoadEnd { stopped: true, cut_off: 10 });

    let told = told(stage.told);
    let completed: u64 = told.successes.values().sum::<u64>() + told.failures.values().sum::<u64>();
    let in_flight = u64::from(told.intervals.last().expect("at least one").in_flight);
    let server = server.got().len() as u64;
    assert_eq!(in_flight, 10);
    assert!(completed <= server && server <= completed + in_flight, "{completed} {server} {in_flight}");
    assert_eq!(script.stopped.load(Ordering::SeqCst), 0, "who is cut off does not say goodbye");
    assert_eq!(
        told.facts,
        [
            "steady with 10 users starts",
            "steady ends",
            "10 users had not finished their task 200ms after they were asked to leave, and were cut off",
            "load ends"
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plugin_that_always_traps_does_not_spin() {
    for script in [
        Script { start: Some(|_| Err(lost())), ..Script::default() },
        Script { run: Some(|_| Err(lost())), ..Script::default() },
    ] {
        let stage = stage("http://127.0.0.1:9", Duration::from_secs(10));
        let script = Arc::new(script);
        let behaviors = vec![behavior("all", 100.0, think(0), &script)];
        stage
            .load
            .run(&[phase("p", 5, 0, 1_200)], behaviors, CancellationToken::new())
            .await
            .expect("it runs");
        let made = script.made.load(Ordering::SeqCst);
        assert!((6..=25).contains(&made), "{made} instances of 5 users in 1.2 s");
        assert_eq!(
            script.clashed.load(Ordering::SeqCst),
            0,
            "a user keeps its ordinal and no one else has it"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_cannot_sign_in_tries_again_on_a_fresh_instance() {
    let refused = |number| if number < 2 { Err(CallError::Failed("503".to_owned())) } else { Ok(()) };
    let script = Arc::new(Script { start: Some(refused), ..Script::default() });
    let stage = stage("http://127.0.0.1:9", Duration::from_secs(10));
    let behaviors = vec![behavior("all", 100.0, think(10), &script)];
    stage.load.run(&[phase("p", 1, 0, 2_500)], behaviors, CancellationToken::new()).await.expect("it runs");
    assert_eq!(script.made.load(Ordering::SeqCst), 3);
    assert!(!script.ran.lock().expect("no test panics inside")[&0].is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_task_costs_only_itself() {
    let script = Arc::new(Script {
        run: Some(|_| Err(CallError::Failed("out of stock".to_owned()))),
        ..Script::default()
    });
    let stage = stage("http://127.0.0.1:9", Duration::from_secs(10));
    let behaviors = vec![behavior("all", 100.0, think(10), &script)];
    stage.load.run(&[phase("p", 2, 0, 300)], behaviors, CancellationToken::new()).await.expect("it runs");
    assert_eq!(script.made.load(Ordering::SeqCst), 2);
    assert!(script.ran.lock().expect("no test panics inside").values().all(|tasks| tasks.len() > 5));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_seed_gives_the_same_tasks_whatever_happens() {
    let sequences = |run: Option<fn(usize) -> Call>, pause: u64| async move {
        let script = Arc::new(Script { run, ..Script::default() });
        let stage = stage("http://127.0.0.1:9", Duration::from_secs(10));
        let behaviors = vec![behavior("all", 100.0, think(pause), &script)];
        stage
            .load
            .run(&[phase("p", 3, 0, 1_500)], behaviors, CancellationToken::new())
            .await
            .expect("it runs");
        script.ran.lock().expect("no test panics inside").clone()
    };
    let (smooth, rough) = tokio::join!(
        sequences(None, 5),
        sequences(Some(|ran| if ran == 3 { Err(lost()) } else { Ok(()) }), 30)
    );
    assert_eq!(smooth.len(), 3);
    for (user, tasks) in rough {
        let shared = tasks.len().min(smooth[&user].len());
        assert!(shared >= 4);
        assert_eq!(tasks[..shared], smooth[&user][..shared], "user {user}");
    }
}

#[tokio::test]
async fn what_cannot_be_run_says_why() {
    let stage = stage("http://127.0.0.1:9", Duration::ZERO);
    let script = Arc::new(Script::default());
    let run = |behaviors| stage.load.run(&[], behaviors, CancellationToken::new());
    let nothing = run(Vec::new()).await.expect_err("no behavior").to_string();
    insta::assert_snapshot!(nothing, @"there is no behavior to put load on with");
    let mut odd = behavior("odd", 100.0, think(0), &script);
    odd.mix = Some(BTreeMap::from([("none".to_owned(), 1.0)]));
    let odd = run(vec![odd]).await.expect_err("an odd mix").to_string();
    insta::assert_snapshot!(odd, @"behavior `odd`: no task is in group `none`; groups with tasks: all");
}
