//! Who strikes when: beside one another, in turn, one after another, and only at a steady target.

use assay::{
    config::{ConfigOrigin, FaultConfig, Moment, PluginUse, SteadyConfig},
    faults::{Planned, Timeline},
    observe::{Endpoint, EndpointInterval, ErrorClass, FaultChange, Interval, Live, nanos},
};
use tokio_util::sync::CancellationToken;

use super::*;

/// How long each fault is in force.
const IN_FORCE: Duration = Duration::from_secs(2);

/// When the target has been seen for long enough to be steady.
const FIRST: Duration = Duration::from_secs(3);

/// Longer than any of these tests takes.
const AT_MOST: Duration = Duration::from_secs(60);

fn at(offset: Duration) -> Moment {
    Moment::In { phase: "all".to_owned(), offset }
}

fn after(fault: &str, offset: Duration) -> Moment {
    Moment::After { fault: fault.to_owned(), offset }
}

fn fault(name: &str, moment: Moment, overlap: bool) -> FaultConfig {
    let selector = if name == "misses" { "app=nobody" } else { "app=db" };
    let config = json!({ "selector": selector, "action": "nothing" });
    FaultConfig {
        name: name.to_owned(),
        uses: PluginUse { plugin: "plain-fault".to_owned(), config, origin: ConfigOrigin::default() },
        moment,
        duration: Some(IN_FORCE),
        recover_within: IN_FORCE,
        overlap,
        requirement: None,
    }
}

/// What was told of faults: when, of whom, and what.
struct Told(Vec<(u64, String, FaultChange)>);

impl Told {
    fn first(&self, fault: &str, is: impl Fn(&FaultChange) -> bool) -> Option<u64> {
        self.0.iter().find(|(_, of, change)| of == fault && is(change)).map(|(at, ..)| *at)
    }

    fn struck(&self, fault: &str) -> Option<u64> {
        self.first(fault, |change| matches!(change, FaultChange::Injected { .. }))
    }

    fn reverted(&self, fault: &str) -> u64 {
        self.first(fault, |change| matches!(change, FaultChange::Reverted)).expect("it is reverted")
    }

    fn over(&self, fault: &str) -> u64 {
        self.first(fault, |change| matches!(change, FaultChange::SteadyAgain)).expect("it is over")
    }

    fn skipped(&self, fault: &str) -> Option<&str> {
        self.0.iter().find_map(|(_, of, change)| match change {
            FaultChange::Skipped { because } if of == fault => Some(because.as_str()),
            _ => None,
        })
    }
}

/// Ten requests a second until it is aborted, of which all fail at first, for so long.
async fn load(stream: Stream, fail: Duration) {
    let first = stream.clock().now() / 1_000_000_000;
    let endpoint = Endpoint {
        behavior: "reader".to_owned(),
        group: "all".to_owned(),
        task: "read".to_owned(),
        name: "GET /".to_owned(),
        probe: false,
    };
    stream.tell(Fact::Endpoint { index: 0, endpoint });
    for second in first.. {
        tokio::time::sleep_until(stream.clock().instant((second + 1) * 1_000_000_000).into()).await;
        let row = match second < first + fail.as_secs() {
            true => EndpointInterval { failures: vec![(ErrorClass::Timeout, 10)], ..Default::default() },
            false => EndpointInterval { successes: 10, ..Default::default() },
        };
        stream.tell(Fact::Interval(Interval {
            second,
            users: 1,
            endpoints: vec![row],
            ..Interval::default()
        }));
    }
}

/// Lets faults strike beside a load that ends once the fault `last` is over.
async fn told(faults: Vec<FaultConfig>, last: &str) -> Told {
    told_beside(Duration::ZERO, faults, last).await
}

/// The same, where all requests fail at first, for so long.
async fn told_beside(fail: Duration, faults: Vec<FaultConfig>, last: &str) -> Told {
    let stream = Stream::new(Clock::start());
    let live = Live::follow(&stream).expect("observations");
    let mut events = stream.subscribe();
    let folder = tempfile::tempdir().expect("a folder");
    let journal = Arc::new(Journal::open(&folder.path().join("journal.jsonl")).expect("a journal"));
    let mut planned = Vec::new();
    for config in faults {
        let Struck { memory, instance, .. } = armed(config.uses.config.clone(), to_cluster(""), false).await;
        let at = match &config.moment {
            Moment::In { offset, .. } => nanos(*offset),
            Moment::After { .. } => 0,
        };
        let armed = Armed {
            name: config.name.clone(),
            instance,
            armory: Arc::new(Again { config: config.uses.config.clone(), memory: memory.clone() }),
            stream: stream.clone(),
            journal: journal.clone(),
            environment: Arc::new(Paper { memory, refuse_journal: false }),
        };
        planned.push(Planned { config, at, armed });
    }
    let stop = CancellationToken::new();
    let timeline = Timeline {
        steady: SteadyConfig { success_rate: 0.99, hold: Duration::from_secs(1) },
        guard: None,
        live,
        stream: stream.clone(),
        load_started: stream.clock().now(),
        stop: stop.clone(),
    };
    let load = tokio::spawn(load(stream.clone(), fail));
    let striking = tokio::spawn(timeline.run(planned));
    let mut told = Vec::new();
    let listening = async {
        while let Some(event) = events.recv().await {
            let Fact::Fault { fault, change } = &event.fact else { continue };
            if fault == last && matches!(change, FaultChange::SteadyAgain) {
                stop.cancel();
            }
            told.push((event.at, fault.clone(), change.clone()));
        }
    };
    let done = async {
        let restored = striking.await.expect("it does not panic");
        load.abort();
        stream.close();
        restored
    };
    let both = async { tokio::join!(listening, done).1 };
    assert!(tokio::time::timeout(AT_MOST, both).await.expect("it ends in time"), "all is put back");
    Told(told)
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_take_turns_unless_they_may_overlap() {
    let both = |overlap| vec![fault("one", at(FIRST), overlap), fault("other", at(FIRST), overlap)];
    let (beside, in_turn) = tokio::join!(told(both(true), "neither"), told(both(false), "neither"));

    let struck = beside.struck("one").max(beside.struck("other")).expect("they strike");
    let reverted = beside.reverted("one").min(beside.reverted("other"));
    assert!(struck < reverted, "both are in force from {struck} to {reverted}");

    let second = in_turn.struck("other").expect("it strikes");
    assert!(
        in_turn.over("one") <= second,
        "one was over at {}, other struck at {second}",
        in_turn.over("one")
    );
    assert!(second < in_turn.reverted("other"));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_waits_for_another_strikes_once_that_one_is_over() {
    let second = Duration::from_secs(1);
    let faults = vec![
        fault("third", after("second", second), false),
        fault("second", after("first", second), true),
        fault("first", at(FIRST), false),
        fault("never", after("misses", Duration::ZERO), false),
        fault("misses", at(FIRST), true),
        fault("too-late", after("first", Duration::from_secs(3600)), true),
    ];
    let told = told(faults, "third").await;
    for (before, then) in [("first", "second"), ("second", "third")] {
        let (over, struck) = (told.over(before), told.struck(then).expect("it strikes"));
        assert!(over + nanos(second) <= struck, "{before} was over at {over}, {then} struck at {struck}");
    }
    assert!(told.skipped("misses").is_some_and(|because| because.starts_with("it could not aim")));
    assert_eq!(told.skipped("never"), Some("fault 'misses' did not strike"));
    assert_eq!(told.skipped("too-late"), Some("the load ended before its moment"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_is_not_steady_is_not_struck_until_it_is() {
    let faults = vec![fault("early", at(FIRST), false), fault("late", at(4 * FIRST), false)];
    let told = told_beside(2 * FIRST, faults, "late").await;
    let because = told.skipped("early").expect("it does not strike");
    assert!(because.starts_with("the target was not steady: 0.00 % of 10 requests"), "{because}");
    assert!(told.struck("late").is_some());
}
