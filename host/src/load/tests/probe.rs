//! The probe: beside the load, and apart from it.

use super::{open::tasks, *};

/// A probe whose `read` gets `/read` and whose `write` gets `/write`.
fn probe(script: &Arc<Script>, rate: f64, users: u32) -> LoadProbe {
    let mut behavior = behavior("probe", 100.0, think(0), script);
    for (task, name) in behavior.plan.tasks.iter_mut().zip(["write", "idle", "read"]) {
        task.name = name.to_owned();
    }
    LoadProbe { behavior, rate, users }
}

fn paths() -> Arc<Script> {
    Arc::new(script(&["/write", "/idle", "/read"]))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_asks_steadily_beside_the_load_and_after_it() {
    let server = TestServer::start(|_| Act::Answer(answer(200, "", "x"))).await;
    let stage = stage(&server.url(), Duration::from_secs(10));
    let (users, prober) = (Arc::new(script(&["/", "/", "/"])), paths());
    let behaviors = vec![behavior("all", 100.0, think(5), &users)];
    let mut watched = stage.load.options.stream.subscribe();
    let begun = std::time::Instant::now();
    let (end, probing) = stage
        .load
        .run_with_probe(
            &[phase("p", 3, 0, 600)],
            behaviors,
            Some(probe(&prober, 20.0, 4)),
            CancellationToken::new(),
        )
        .await
        .expect("it runs");
    assert_eq!(end, LoadEnd { stopped: false, cut_off: 0 });
    let until_load_ended = tasks(&prober);
    tokio::time::sleep(Duration::from_millis(700)).await;
    probing.expect("a probe").finish().await;
    let lasted = begun.elapsed().as_secs_f64();

    let mut probes = BTreeMap::new();
    while let Ok(event) = watched.try_recv() {
        if let Fact::Endpoint { endpoint, .. } = &event.fact {
            probes.insert(endpoint.name.clone(), (endpoint.probe, endpoint.task.clone()));
        }
    }
    assert!(!probes["GET /"].0);
    assert_eq!(probes["GET /read"], (true, "read".to_owned()));
    assert_eq!(probes["GET /write"], (true, "write".to_owned()));
    let told = told(stage.told);
    // What follows is that the first starts came while its users were still signing in.
    assert_eq!(told.facts[..3], ["p with 3 users starts", "p ends", "load ends"]);
    assert!(
        told.facts[3..].iter().all(|fact| fact.ends_with("and 0 were given up after 1s")),
        "{:?}",
        told.facts
    );
    for path in ["GET /", "GET /read", "GET /write"] {
        assert_eq!(told.successes[path], server.count(path), "{path}");
    }
    assert_eq!(server.count("GET /idle"), 0);
    let (read, write) = (server.count("GET /read"), server.count("GET /write"));
    assert!(read == write || read == write + 1, "in turn: {read} and {write}");
    // One each in 50 ms from the begin on; those who came while nobody had signed in waited.
    let expected = lasted * 20.0;
    assert!((read as f64 - expected).abs() <= 4.0, "{read} in {lasted} s");
    assert!(read + write > until_load_ended + 15, "it went on: {until_load_ended} until then");
    assert!(told.intervals.iter().all(|interval| interval.users <= 3));
    assert_eq!(told.intervals.iter().map(|interval| interval.late + interval.dropped).sum::<u64>(), 0);
    let stretches = told.intervals.iter().flat_map(|interval| &interval.stretches);
    let seen: u64 = stretches.filter(|one| one.probe && one.group == "(all)").map(|one| one.count).sum();
    assert_eq!(seen, read + write, "recovery is told from what the probe saw");
    assert_eq!(prober.stopped.load(Ordering::SeqCst), 4, "all its users left in good order");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn starts_that_its_users_cannot_carry_out_are_told_and_are_not_the_loads() {
    let server = TestServer::start(|got| match got.line.as_str() {
        "GET /" => Act::Answer(answer(200, "", "x")),
        _ => Act::Hang,
    })
    .await;
    let stage = stage(&server.url(), Duration::from_millis(100));
    let (users, prober) = (Arc::new(script(&["/", "/", "/"])), paths());
    let behaviors = vec![behavior("all", 100.0, think(5), &users)];
    let (_, probing) = stage
        .load
        .run_with_probe(
            &[phase("p", 1, 0, 1_500)],
            behaviors,
            Some(probe(&prober, 10.0, 2)),
            CancellationToken::new(),
        )
        .await
        .expect("it runs");
    probing.expect("a probe").finish().await;
    let told = told(stage.told);
    let shortfall = told.facts.iter().find(|fact| fact.contains("starts of the probe")).expect("it is told");
    assert!(shortfall.ends_with("were given up after 1s"), "{shortfall}");
    assert!(
        told.facts.iter().any(|fact| fact.starts_with("2 users of the probe had not finished")),
        "{:?}",
        told.facts
    );
    assert_eq!(told.intervals.iter().map(|interval| interval.late + interval.dropped).sum::<u64>(), 0);
    assert_eq!(tasks(&prober), 2);
}

#[tokio::test]
async fn a_behavior_without_its_tasks_is_no_probe() {
    let stage = stage("http://127.0.0.1:9", Duration::ZERO);
    let script = Arc::new(Script::default());
    let users = vec![behavior("all", 100.0, think(0), &script)];
    let odd = LoadProbe { behavior: behavior("odd", 100.0, think(0), &script), rate: 1.0, users: 1 };
    let run = stage.load.run_with_probe(&[], users, Some(odd), CancellationToken::new()).await;
    let because = run.expect_err("it has other tasks").to_string();
    insta::assert_snapshot!(because, @"behavior `odd` is no probe: it lacks a task `read` or `write`");
}
