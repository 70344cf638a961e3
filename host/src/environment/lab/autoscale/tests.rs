use std::{collections::BTreeMap, path::Path, time::Duration};

use proptest::prelude::*;
use serde::Deserialize;

use super::{super::stack::AutoscaleFile, *};

/// Late enough for cases to say how long ago things were.
const NOW: Duration = Duration::from_secs(10_000);

/// What one instance requests of either in all cases, so that figures read as percents.
const REQUEST: u64 = 100;

/// A file of `cases/`. Its comment has the computation.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Case {
    current: u32,
    /// The count that the algorithm gives.
    expect: Option<u32>,
    /// Or why it gives none.
    fails: Option<String>,
    /// What its reason has in it.
    because: Option<String>,
    /// As in a stack file.
    autoscale: AutoscaleFile,
    #[serde(default)]
    pods: Vec<PodsOfCase>,
    #[serde(default)]
    recommendations: Vec<Recommended>,
    #[serde(default)]
    changes: Vec<Changed>,
    #[serde(default)]
    without_request: Vec<Resource>,
}

/// Alike ones; all times in seconds ago.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct PodsOfCase {
    count: usize,
    cpu: Option<u64>,
    memory: Option<u64>,
    #[serde(default = "running")]
    presence: String,
    #[serde(default = "ready")]
    ready: bool,
    #[serde(default = "long_ago")]
    started: u64,
    #[serde(default = "long_ago")]
    since: u64,
    #[serde(default = "just_now")]
    taken: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Recommended {
    ago: u64,
    count: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Changed {
    ago: u64,
    by: i64,
}

fn running() -> String {
    "running".to_owned()
}

fn ready() -> bool {
    true
}

fn long_ago() -> u64 {
    3_600
}

fn just_now() -> u64 {
    1
}

fn ago(seconds: u64) -> Duration {
    NOW - Duration::from_secs(seconds)
}

impl PodsOfCase {
    fn pods(&self) -> impl Iterator<Item = Pod> {
        let usage = (self.cpu.is_some() || self.memory.is_some()).then(|| Usage {
            taken: ago(self.taken),
            window: Duration::from_secs(15),
            cpu: self.cpu.unwrap_or_default(),
            memory: self.memory.unwrap_or_default(),
        });
        let presence = match self.presence.as_str() {
            "running" => Presence::Running,
            "pending" => Presence::Pending,
            "going" => Presence::Going,
            other => panic!("presence {other}"),
        };
        let (started, since) = (Some(ago(self.started)), ago(self.since));
        std::iter::repeat_n(Pod { presence, started, ready: self.ready, since, usage }, self.count)
    }
}

impl Case {
    fn decide(&self) -> Result<Decision, String> {
        let size = self.autoscale.size().expect("a right autoscaler");
        let mut scaler = Autoscaler::new(size, Settings::default());
        scaler.history.recommendations =
            self.recommendations.iter().map(|one| (ago(one.ago), one.count)).collect();
        scaler.history.changes = self.changes.iter().map(|one| (ago(one.ago), one.by)).collect();
        let pods: Vec<_> = self.pods.iter().flat_map(PodsOfCase::pods).collect();
        let request = |resource: Resource| (!self.without_request.contains(&resource)).then_some(REQUEST);
        scaler.decide(&Situation { now: NOW, current: self.current, pods: &pods, request: &request })
    }
}

#[test]
fn cases_computed_by_hand_come_out_as_computed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/environment/lab/autoscale/cases");
    let mut wrong = BTreeMap::new();
    let mut count = 0;
    for entry in fs_err::read_dir(folder).expect("the cases") {
        let path = entry.expect("a case").path();
        let text = fs_err::read_to_string(&path).expect("it can be read");
        let name = path.display().to_string();
        assert!(text.starts_with("# "), "{name} does not say how it was computed");
        let case: Case = toml::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        count += 1;
        let right = match (&case.decide(), &case.fails) {
            (Ok(decision), None) => {
                let because = case.because.as_deref().unwrap_or_default();
                Some(decision.desired) == case.expect && decision.because.contains(because)
            }
            (Err(because), Some(expected)) => because.contains(expected),
            _ => false,
        };
        if !right {
            wrong.insert(name, format!("expected {:?}, but {:?}", case.expect, case.decide()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(count >= 40, "only {count} cases were found");
}

/// What a platform does whose load is `load` hundredths of an instance at each sync: the counts that follow.
fn played(autoscale: &str, from: u32, load: &[u64]) -> Vec<u32> {
    let file: AutoscaleFile = toml::from_str(autoscale).expect("an autoscaler");
    let mut scaler = Autoscaler::new(file.size().expect("a right one"), Settings::default());
    let (mut current, mut counts) = (from, Vec::new());
    for (sync, load) in load.iter().enumerate() {
        let now = Duration::from_secs(15 * (sync as u64 + 1000));
        let pod = Pod {
            presence: Presence::Running,
            started: Some(Duration::ZERO),
            ready: true,
            since: Duration::ZERO,
            usage: Some(Usage {
                taken: now,
                window: Duration::from_secs(15),
                cpu: load / u64::from(current),
                memory: 0,
            }),
        };
        let pods = vec![pod; current as usize];
        let request = |_: Resource| Some(REQUEST);
        let decision = scaler.decide(&Situation { now, current, pods: &pods, request: &request });
        current = decision.expect("all is measured").desired;
        counts.push(current);
    }
    counts
}

#[test]
fn up_at_once_and_down_by_and_by() {
    let autoscale = r#"
        min = 3
        max = 10
        target-utilization = { cpu = 70 }
        scale-down = { stabilization-window = "60s", policies = [{ type = "percent", value = 50, period = "60s" }] }
    "#;
    let load = [vec![150; 2], vec![650; 4], vec![100; 14]].concat();
    // Up by four in the first quarter of a minute; down only when the last recommendation of ten is a minute
    // old, and then by half a minute.
    assert_eq!(
        played(autoscale, 3, &load),
        [3, 3, 7, 10, 10, 10, 10, 10, 10, 5, 5, 5, 5, 3, 3, 3, 3, 3, 3, 3]
    );
}

#[test]
fn no_request_and_no_target_are_too_large() {
    let size = "min = 1\nmax = 10\ntarget-utilization = { memory = 4000000000 }";
    let size = toml::from_str::<AutoscaleFile>(size).expect("a size").size().expect("a right one");
    let pods = ["count = 3\nmemory = 1", "count = 1"].map(|text| toml::from_str(text).expect("pods"));
    let pods: Vec<_> = pods.iter().flat_map(PodsOfCase::pods).collect();
    let request = |_: Resource| Some(1 << 60);
    let situation = Situation { now: NOW, current: 4, pods: &pods, request: &request };
    let decision = Autoscaler::new(size, Settings::default()).decide(&situation).expect("it decides");
    // What there is at first was recommended.
    assert_eq!(decision.desired, 4);
}

proptest! {
    /// Whatever is seen, the count stays inside its bounds.
    #[test]
    fn counts_stay_inside_their_bounds(loads in proptest::collection::vec(0_u64..3_000, 1..40)) {
        let autoscale = "min = 3\nmax = 10\ntarget-utilization = { cpu = 70 }";
        for count in played(autoscale, 3, &loads) {
            prop_assert!((3..=10).contains(&count));
        }
    }
}
