//! Open phases: starts come whether the target answers or not.

use std::{sync::OnceLock, time::Instant};

use super::*;
use crate::{config::ArrivalsConfig, observe::EndpointInterval};

fn open(name: &str, rate: f64, users: u32, millis: u64) -> PhaseConfig {
    PhaseConfig { arrivals: Some(ArrivalsConfig { rate, max_late: None }), ..phase(name, users, 0, millis) }
}

fn late(told: &Told) -> (u64, u64) {
    let sum = |of: fn(&Interval) -> u64| told.intervals.iter().map(of).sum();
    (sum(|interval| interval.late), sum(|interval| interval.dropped))
}

pub(super) fn tasks(script: &Script) -> u64 {
    script.ran.lock().expect("no test panics inside").values().map(|tasks| tasks.len() as u64).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counts_agree_through_open_and_closed_phases() {
    let server = TestServer::start(|_| Act::Answer(answer(200, "", "x"))).await;
    let stage = stage(&server.url(), Duration::from_secs(10));
    let (many, few) = (Arc::new(script(&["/a", "/b", "/c"])), Arc::new(script(&["/d", "/d", "/d"])));
    let behaviors = vec![behavior("many", 75.0, think(5), &many), behavior("few", 25.0, think(5), &few)];
    let ramp = Ramp::Over(Duration::from_millis(400));
    let phases = [
        phase("warm", 4, 200, 300),
        PhaseConfig { ramp, ..open("rise", 300.0, 12, 800) },
        PhaseConfig { ramp, ..open("fall", 100.0, 8, 600) },
        phase("rest", 4, 0, 300),
    ];
    let end = stage.load.run(&phases, behaviors, CancellationToken::new()).await.expect("it runs");

    assert_eq!(end, LoadEnd { stopped: false, cut_off: 0 });
    let told = told(stage.told);
    assert_eq!(
        told.facts,
        [
            "warm with 4 users starts",
            "warm ends",
            "rise with 300/s starts",
            "rise ends",
            "fall with 100/s starts",
            "fall ends",
            "rest with 4 users starts",
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
    assert_eq!((many.made.load(Ordering::SeqCst), few.made.load(Ordering::SeqCst)), (9, 3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn starts_are_arrivals_but_for_the_dropped() {
    // Two users, each held for 100 ms: 20 tasks a second of the 100 that shall start.
    let server = TestServer::start(|_| Act::After(Duration::from_millis(100), answer(200, "", "x"))).await;
    let stage = stage(&server.url(), Duration::from_secs(10));
    let script = Arc::new(script(&["/", "/", "/"]));
    let max_late = Some(Duration::from_millis(200));
    let arrivals = Some(ArrivalsConfig { rate: 100.0, max_late });
    let phases = [PhaseConfig { arrivals, ..phase("p", 2, 0, 1_000) }];
    let behaviors = vec![behavior("all", 100.0, think(5), &script)];
    stage.load.run(&phases, behaviors, CancellationToken::new()).await.expect("it runs");

    let told = told(stage.told);
    let (late, dropped) = late(&told);
    let ran = tasks(&script);
    assert_eq!(ran, 100 - dropped, "100/s for a second are 100 starts");
    assert_eq!(ran, server.count("GET /"));
    assert!((15..=22).contains(&ran), "{ran} tasks of 100 ms by two users in a second");
    assert!((dropped..=100).contains(&late) && late >= 80, "{late} late, {dropped} dropped");
    // Of those that were carried out, none had waited longer than it may: 200 ms, and 100 ms to answer.
    let slowest = rows(&told).flat_map(|row| &row.response.0).map(|(value, _)| *value).max();
    assert!(slowest < Some(450_000_000), "{slowest:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_who_think_are_free_when_a_phase_opens() {
    let stage = stage("http://127.0.0.1:9", Duration::from_secs(10));
    let script = Arc::new(Script::default());
    let minute = Duration::from_secs(60);
    let long = Pace::Think(ThinkTime::Even { min: minute, max: minute });
    let phases = [phase("idle", 3, 0, 200), open("busy", 50.0, 3, 400), phase("idle-again", 3, 0, 200)];
    let behaviors = vec![behavior("all", 100.0, long, &script)];
    stage.load.run(&phases, behaviors, CancellationToken::new()).await.expect("it runs");
    // One task each to begin with, one for each start, and one each for those who were left to
    // themselves again, except whoever had a pause drawn for after its last task.
    let ran = tasks(&script);
    assert!((23..=26).contains(&ran), "{ran}");
    assert_eq!(late(&told(stage.told)).1, 0, "nothing is dropped");
}

/// The values of a histogram one by one, ascending.
pub(super) fn values(told: &Told, of: fn(&EndpointInterval) -> &crate::observe::Sparse) -> Vec<u64> {
    let all = rows(told).flat_map(|row| &of(row).0);
    let mut values: Vec<u64> =
        all.flat_map(|(value, count)| std::iter::repeat_n(*value, *count as usize)).collect();
    values.sort_unstable();
    values
}

fn rows(told: &Told) -> impl Iterator<Item = &EndpointInterval> {
    told.intervals.iter().flat_map(|interval| &interval.endpoints)
}

/// The server stalls for 200 ms in every 2 s; 100 tasks a second shall start, by one user at most.
///
/// By hand, for each 2 s with their 200 starts: the request that meets the stall is held for (almost)
/// 200 ms, and the starts of the next 200 ms find nobody: they should have been sent 10, 20, … ms
/// after the stall began and are answered when it ends, so their response times are 190, 180, …
/// 10 ms. All others take as long as loopback does. Over two stalls, of 400 requests:
///
/// * service time: 2 are slow, half a percent. p99 is the 4th from above: fast.
/// * response time: from above 200, 200, 190, 190, 180, … p99 is the 4th: 190 ms; p95 the 20th: 110 ms.
///
/// The stall may begin anywhere between two starts, which is up to 10 ms less. A busy machine adds to
/// both. Hence the bounds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stall_shows_in_response_times_and_hides_in_service_times() {
    let begun: OnceLock<Instant> = OnceLock::new();
    let server = TestServer::start(move |_| {
        let into_cycle = begun.get_or_init(Instant::now).elapsed().as_millis() as u64 % 2_000;
        match into_cycle.checked_sub(1_005) {
            Some(stalled) if stalled < 200 => {
                Act::After(Duration::from_millis(200 - stalled), answer(200, "", "x"))
            }
            _ => Act::Answer(answer(200, "", "x")),
        }
    })
    .await;
    let stage = stage(&server.url(), Duration::from_secs(10));
    let script = Arc::new(script(&["/", "/", "/"]));
    let behaviors = vec![behavior("all", 100.0, think(5), &script)];
    let phases = [open("steady", 100.0, 1, 4_000)];
    stage.load.run(&phases, behaviors, CancellationToken::new()).await.expect("it runs");

    let told = told(stage.told);
    let (service, response) = (values(&told, |row| &row.service), values(&told, |row| &row.response));
    assert_eq!((service.len(), response.len()), (400, 400), "every start is carried out");
    assert_eq!(late(&told).1, 0);
    // The nearest rank, in milliseconds.
    let percentile = |values: &[u64], part: f64| values[(part * 400.0).ceil() as usize - 1] / 1_000_000;
    let (fast, slow) = (percentile(&service, 0.99), percentile(&response, 0.99));
    assert!(fast < 60, "p99 of service time: {fast} ms");
    assert!((175..=260).contains(&slow), "p99 of response time: {slow} ms");
    let p95 = percentile(&response, 0.95);
    assert!((95..=180).contains(&p95), "p95 of response time: {p95} ms");
    let held = *service.last().expect("400 of them") / 1_000_000;
    assert!((185..=260).contains(&held), "the request that met the stall: {held} ms");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_abort_gives_up_what_waits_and_leaves_in_flight_what_was_sent() {
    let answered = AtomicUsize::new(0);
    let server = TestServer::start(move |_| match answered.fetch_add(1, Ordering::SeqCst) {
        0..60 => Act::Answer(answer(200, "", "x")),
        _ => Act::Hang,
    })
    .await;
    let stage = stage(&server.url(), Duration::from_millis(200));
    let script = Arc::new(script(&["/", "/", "/"]));
    let stop = CancellationToken::new();
    let stopper = stop.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(900)).await;
        stopper.cancel();
    });
    let phases = [open("steady", 200.0, 10, 60_000)];
    let end = stage.load.run(&phases, vec![behavior("all", 100.0, think(1), &script)], stop).await;
    assert_eq!(end.expect("it runs"), LoadEnd { stopped: true, cut_off: 10 });

    let told = told(stage.told);
    let completed: u64 = told.successes.values().sum::<u64>() + told.failures.values().sum::<u64>();
    let in_flight = u64::from(told.intervals.last().expect("at least one").in_flight);
    let server = server.got().len() as u64;
    assert_eq!((completed, in_flight), (60, 10));
    assert!(completed <= server && server <= completed + in_flight, "{completed} {server} {in_flight}");
    let (late, dropped) = late(&told);
    assert_eq!(tasks(&script), completed + in_flight);
    // 180 starts in 900 ms, more if the stop was late.
    assert!((100..).contains(&dropped), "{dropped} of about 180 starts are given up");
    assert!(late >= dropped);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_seed_gives_the_same_tasks_at_any_rate() {
    let sequences = |phases: Vec<PhaseConfig>| async move {
        let script = Arc::new(Script::default());
        let stage = stage("http://127.0.0.1:9", Duration::from_secs(10));
        let behaviors = vec![behavior("all", 100.0, think(3), &script)];
        stage.load.run(&phases, behaviors, CancellationToken::new()).await.expect("it runs");
        script.ran.lock().expect("no test panics inside").clone()
    };
    let (closed, slow, fast) = tokio::join!(
        sequences(vec![phase("closed", 3, 0, 800)]),
        sequences(vec![open("slow", 60.0, 3, 1_000)]),
        sequences(vec![open("fast", 400.0, 3, 500), phase("closed", 3, 0, 300)])
    );
    for other in [&slow, &fast] {
        for (user, tasks) in other {
            let shared = tasks.len().min(closed[user].len());
            assert!(shared >= 5, "user {user} ran {}", tasks.len());
            assert_eq!(tasks[..shared], closed[user][..shared], "user {user}");
        }
    }
}
