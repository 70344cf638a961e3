//! Users whose tasks begin every so often, however long they take.

use super::{
    open::{tasks, values},
    *,
};

fn every(millis: u64) -> Pace {
    Pace::Every(Duration::from_millis(millis))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_begin_every_so_often_however_long_they_take() {
    let server = TestServer::start(|_| Act::After(Duration::from_millis(60), answer(200, "", "x"))).await;
    let stage = stage(&server.url(), Duration::from_secs(10));
    let script = Arc::new(script(&["/", "/", "/"]));
    let behaviors = vec![behavior("all", 100.0, every(100), &script)];
    stage.load.run(&[phase("p", 2, 0, 1_050)], behaviors, CancellationToken::new()).await.expect("it runs");
    // At 0, 100, … 1000 ms; a pause of 100 ms would have made it 7 each. The first may be late.
    let ran = tasks(&script);
    assert!((20..=22).contains(&ran), "{ran} tasks of two users in 1.05 s");
}

/// One user, a task every 20 ms, and a server that holds the tenth request for 200 ms. By hand: that
/// one's response time is 200 ms, the next nine were due 20, 40, … 180 ms after it and are answered
/// when it is: 180, 160, … 20 ms. Of 50 requests one has a slow service time and ten a slow response.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_slow_task_delays_adds_up_and_shows() {
    let answered = AtomicUsize::new(0);
    let server = TestServer::start(move |_| match answered.fetch_add(1, Ordering::SeqCst) {
        9 => Act::After(Duration::from_millis(200), answer(200, "", "x")),
        _ => Act::Answer(answer(200, "", "x")),
    })
    .await;
    let stage = stage(&server.url(), Duration::from_secs(10));
    let script = Arc::new(script(&["/", "/", "/"]));
    let behaviors = vec![behavior("all", 100.0, every(20), &script)];
    stage.load.run(&[phase("p", 1, 0, 1_000)], behaviors, CancellationToken::new()).await.expect("it runs");

    let told = told(stage.told);
    let (service, response) = (values(&told, |row| &row.service), values(&told, |row| &row.response));
    assert!((49..=51).contains(&response.len()), "{} requests in 50 times 20 ms", response.len());
    let slower =
        |values: &[u64], millis: u64| values.iter().filter(|value| **value > millis * 1_000_000).count();
    // Halfway between two steps, as far as possible from where a busy machine would tip the count.
    assert_eq!(slower(&service, 110), 1);
    let (most, half, few) = (slower(&response, 30), slower(&response, 90), slower(&response, 170));
    assert!(
        (9..=11).contains(&most) && (6..=7).contains(&half) && (2..=3).contains(&few),
        "{most} {half} {few}"
    );
    let late: u64 = told.intervals.iter().map(|interval| interval.generator.late_sends).sum();
    assert_eq!(late, 0, "the target was slow, not the generator");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pace_goes_on_over_the_loss_of_an_instance_and_starts_anew_after_an_open_phase() {
    // The third task of the first instance loses it; signing in anew takes about half a second.
    let script = Arc::new(Script {
        run: Some(|ran| if ran == 3 { Err(lost()) } else { Ok(()) }),
        ..Script::default()
    });
    let stage = stage("http://127.0.0.1:9", Duration::from_secs(10));
    let behaviors = vec![behavior("all", 100.0, every(1_000), &script)];
    let open = PhaseConfig {
        arrivals: Some(crate::config::ArrivalsConfig { rate: 5.0, max_late: None }),
        ..phase("open", 1, 0, 800)
    };
    let phases = [open, phase("closed", 1, 0, 1_100)];
    stage.load.run(&phases, behaviors, CancellationToken::new()).await.expect("it runs");
    // Starts at 0, 200 and 400 ms; then lost; back at the latest 900 ms after the begin, the fourth
    // start is either carried out or dropped, and then tasks come a second apart: no burst of old dues.
    let ran = tasks(&script);
    assert!((4..=6).contains(&ran), "{ran}");
}
