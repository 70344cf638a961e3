//! A made-up run that tests of several rooms read: two phases, two faults, a probe, a quota, a
//! misbehaving plugin, and every kind of verdict.

use std::collections::BTreeMap;

use super::{
    Audit, Bite, Bound, Endpoint, EndpointInterval, ErrorClass, Event, Fact, FaultChange, GeneratorInterval,
    InstanceChange, InstanceEvent, Interval, Level, Measure, Nanos, Observations, Outage, OutageSeen,
    Outcome, PlannedFault, PlannedPhase, PluginFailureKind, Relation, RunInfo, RunOutcome, Severity, Sparse,
    Stage, UsageReading, Verdict, Victim, When, histogram::bucket,
};

pub(crate) const MS: Nanos = 1_000_000;
pub(crate) const S: Nanos = 1_000 * MS;

pub(crate) fn endpoint(group: &str, task: &str) -> Endpoint {
    Endpoint {
        behavior: "reader".to_owned(),
        group: group.to_owned(),
        task: task.to_owned(),
        name: format!("GET /{task}/"),
        probe: false,
    }
}

/// A distribution of `count` values evenly spread over `from..to`.
pub(crate) fn spread(count: u64, from: Nanos, to: Nanos) -> Sparse {
    let mut buckets = BTreeMap::new();
    for index in 0..count {
        *buckets.entry(bucket(from + (to - from) * index / count.max(1))).or_default() += 1;
    }
    Sparse(buckets.into_iter().collect())
}

/// One second of one endpoint with `good` successes around `latency` and `bad` refused ones.
pub(crate) fn row(index: u32, good: u64, bad: u64, latency: Nanos) -> EndpointInterval {
    let service = spread(good, latency / 2, latency * 2);
    EndpointInterval {
        endpoint: index,
        successes: good,
        failures: if bad > 0 { vec![(ErrorClass::Refused, bad)] } else { Vec::new() },
        statuses: if good > 0 { vec![(200, good)] } else { Vec::new() },
        bytes_sent: 200 * (good + bad),
        bytes_received: 4_000 * good,
        response: service.clone(),
        service,
        failed: spread(bad, MS, 2 * MS),
    }
}

pub(crate) fn interval(second: u64, users: u32, endpoints: Vec<EndpointInterval>) -> Event {
    let generator = GeneratorInterval { cpu: 150, lag_p99: 2 * MS, ..GeneratorInterval::default() };
    let checks = match users {
        0 => Vec::new(),
        users => vec![("still signed in".to_owned(), u64::from(users), u64::from(second == 42))],
    };
    let interval =
        Interval { second, users, in_flight: 2, endpoints, checks, generator, ..Interval::default() };
    Event { at: (second + 1) * S + 200 * MS, fact: Fact::Interval(interval) }
}

pub(crate) fn info() -> RunInfo {
    let phase = |name: &str, start: u64, end: u64, users| PlannedPhase {
        name: name.to_owned(),
        start: start * S,
        end: end * S,
        users,
        rate: None,
    };
    RunInfo {
        id: "20300101-120000-two-phases".to_owned(),
        name: "two-phases".to_owned(),
        config: "config/two-phases.toml".to_owned(),
        environment: "lab".to_owned(),
        seed: 42,
        time_scale: 20.0,
        started: "2030-01-01T12:00:00Z".to_owned(),
        host_version: "0.1.0".to_owned(),
        phases: vec![phase("light", 0, 20, 20), phase("peak", 20, 60, 100)],
        faults: vec![
            PlannedFault {
                name: "store-primary".to_owned(),
                plugin: "store-failover".to_owned(),
                at: 30 * S,
                after: None,
                recover_within: Some(20 * S),
                requirement: Some("29".to_owned()),
            },
            PlannedFault {
                name: "cut-off".to_owned(),
                plugin: "network-partition".to_owned(),
                at: 55 * S,
                after: None,
                recover_within: Some(30 * S),
                requirement: None,
            },
        ],
        assertions: Vec::new(),
    }
}

fn fault(at: Nanos, change: FaultChange) -> Event {
    Event { at, fact: Fact::Fault { fault: "store-primary".to_owned(), change } }
}

fn seen(group: &str, outage: Outage, failures: u64) -> OutageSeen {
    OutageSeen { group: group.to_owned(), outage, resolution: 40 * MS, failures }
}

fn verdict(
    subject: &str,
    outcome: Outcome,
    measured: Option<Measure>,
    promised: (Relation, Measure),
) -> Verdict {
    Verdict {
        assertion: "sla".to_owned(),
        subject: subject.to_owned(),
        outcome,
        measured,
        promised: Some(Bound { relation: promised.0, measure: promised.1 }),
        because: "over the whole without faults, 2,340 samples".to_owned(),
        shortage: None,
        requirement: None,
    }
}

/// The load: second 10 to 69, and the probe until second 74. Refused from second 40 to 47.
fn load(events: &mut Vec<Event>) {
    for second in 10..75 {
        let users = if second < 30 { 20 } else { 100 };
        let outage = (40..48).contains(&second);
        let mut rows = Vec::new();
        if second < 70 {
            let (good, bad) = if outage { (5, 15) } else { (u64::from(users) / 2, 0) };
            rows.push(row(0, good, bad, 20 * MS));
            rows.push(row(1, good / 5, bad / 5, 60 * MS));
        }
        rows.push(row(2, if outage { 0 } else { 10 }, if outage { 10 } else { 0 }, 5 * MS));
        events.push(interval(second, if second < 70 { users } else { 0 }, rows));
    }
}

fn usage(at: Nanos) -> Event {
    let reading = |subject: &str, cpu, memory, limit: Option<(u64, u64)>| UsageReading {
        subject: subject.to_owned(),
        cpu,
        memory,
        cpu_limit: limit.map(|limit| limit.0),
        memory_limit: limit.map(|limit| limit.1),
        throttled: limit.map(|_| 0.125),
        oom_kills: 0,
    };
    let peak = 10 * (at / S % 7);
    let readings = vec![
        reading("web-0", 400 + peak, 300 << 20, Some((500, 512 << 20))),
        reading("store-0", 200, 900 << 20, None),
        reading("(group) tenant", 1800 + peak, 3 << 30, Some((3000, 6 << 30))),
    ];
    Event { at, fact: Fact::Usage { readings } }
}

/// All events of the run, in order.
pub(crate) fn run() -> Vec<Event> {
    let at = |at: Nanos, fact: Fact| Event { at, fact };
    let mut events = vec![
        at(0, Fact::RunStarted(info())),
        at(MS, Fact::StageStarted { stage: Stage::Preflight }),
        at(
            2 * MS,
            Fact::PluginLoaded {
                name: "reader".to_owned(),
                plugin: "reader".to_owned(),
                version: "0.1.0".to_owned(),
                digest: "sha256:0123456789abcdef".to_owned(),
            },
        ),
        at(
            5 * S,
            Fact::Finding {
                source: "tenant-quota".to_owned(),
                severity: Severity::Warning,
                message: "3350m of CPU limits on a quota of 3000m: 111 %".to_owned(),
            },
        ),
        at(6 * S, Fact::Quota { group: "tenant".to_owned(), cpu: Some(3000), memory: Some(6 << 30) }),
        at(10 * S, Fact::StageStarted { stage: Stage::Load }),
        at(10 * S, Fact::PhaseStarted { phase: "light".to_owned(), users: 20, rate: None }),
        at(30 * S, Fact::PhaseEnded { phase: "light".to_owned() }),
        at(30 * S, Fact::PhaseStarted { phase: "peak".to_owned(), users: 100, rate: None }),
    ];
    for (index, (group, task)) in [("reads", "list"), ("sales", "checkout")].into_iter().enumerate() {
        let fact = Fact::Endpoint { index: index as u32, endpoint: endpoint(group, task) };
        events.push(at(10 * S, fact));
    }
    let probe = Endpoint { behavior: "probe".to_owned(), probe: true, ..endpoint("probe", "read") };
    events.push(at(10 * S, Fact::Endpoint { index: 2, endpoint: probe }));
    load(&mut events);
    events.extend((10..75).map(|second| usage(second * S + 500 * MS)));
    for (when, desired, ready) in [(10, 2, 2), (45, 4, 2), (50, 4, 4)] {
        let workload = "web".to_owned();
        events.push(at(when * S, Fact::Replicas { workload, desired, running: desired, ready }));
    }
    for (when, instance, change, detail) in [
        (40 * S, "store-0", InstanceEvent::Exited, ""),
        (46 * S + 500 * MS, "store-1", InstanceEvent::Relabelled, "role: standby → primary"),
        (52 * S, "store-0", InstanceEvent::Started, ""),
    ] {
        let change = InstanceChange {
            instance: instance.to_owned(),
            workload: "store".to_owned(),
            node: "node-1".to_owned(),
            change,
            detail: detail.to_owned(),
        };
        events.push(at(when, Fact::Instance(change)));
    }
    let routed = Fact::Routed { service: "store".to_owned(), instances: vec!["store-1".to_owned()] };
    events.push(at(46 * S + 600 * MS, routed));
    let because = "the watch of instances broke off".to_owned();
    events.push(at(53 * S, Fact::SightLost { because }));
    events.push(at(54 * S, Fact::SightRegained));
    let victim = Victim {
        name: "store-0".to_owned(),
        role: "primary".to_owned(),
        because: "it answers as one".to_owned(),
    };
    events.extend([
        at(39 * S, Fact::Steady { holds: true, because: "100 % of 500 requests in 10 s".to_owned() }),
        fault(39 * S + 900 * MS, FaultChange::Aimed { victims: vec![victim] }),
        fault(40 * S, FaultChange::Injected { means: "killed all processes, held".to_owned() }),
        fault(
            42 * S,
            FaultChange::Effect { bite: Bite::Proven, probed: "store-0 answers nothing on 5432".to_owned() },
        ),
        fault(
            44 * S,
            FaultChange::Step {
                name: "detected".to_owned(),
                at: When::Observed(43 * S),
                detail: "store-1 sees no leader".to_owned(),
            },
        ),
        fault(
            46 * S,
            FaultChange::Step {
                name: "promoted".to_owned(),
                at: When::Reported("2030-01-01T12:00:45.5Z".to_owned()),
                detail: "store-1 is the leader".to_owned(),
            },
        ),
        fault(47 * S, FaultChange::Complete),
        fault(
            54 * S,
            FaultChange::Seen {
                users: vec![
                    seen("(all)", Outage::Ended(8 * S), 144),
                    seen("reads", Outage::Ended(7 * S + 900 * MS), 120),
                    seen("sales", Outage::NotSeen, 0),
                ],
                probe: Some(seen("(all)", Outage::NotEnded(9 * S), 80)),
            },
        ),
        fault(55 * S, FaultChange::Reverted),
        fault(56 * S, FaultChange::SteadyAgain),
        at(
            65 * S,
            Fact::Fault {
                fault: "cut-off".to_owned(),
                change: FaultChange::Skipped { because: "the steady state did not hold".to_owned() },
            },
        ),
        at(
            50 * S,
            Fact::PluginFailed {
                plugin: "reader".to_owned(),
                call: "run".to_owned(),
                kind: PluginFailureKind::Panicked,
                message: "src/lib.rs:12: no | such <item>\nsecond line".to_owned(),
                count: 3,
            },
        ),
        at(
            51 * S,
            Fact::PluginLog {
                plugin: "reader".to_owned(),
                level: Level::Warn,
                message: "the page has no form".to_owned(),
            },
        ),
        at(70 * S, Fact::PhaseEnded { phase: "peak".to_owned() }),
        at(70 * S + MS, Fact::LoadEnded),
        at(70 * S + 2 * MS, Fact::StageStarted { stage: Stage::Settle }),
        at(
            76 * S,
            Fact::Audit(Audit {
                behavior: "probe".to_owned(),
                attempted: 570,
                confirmed: 490,
                rejected: 0,
                indeterminate: 80,
                lost: 1,
                lost_keys: vec!["w-311".to_owned()],
                lost_span: Some(0),
                ..Audit::default()
            }),
        ),
    ]);
    let percent = |share| Measure::Ratio(share);
    let mut verdicts = [
        verdict("success rate", Outcome::Kept, Some(percent(1.0)), (Relation::AtLeast, percent(0.99))),
        verdict(
            "p95 of response time",
            Outcome::Kept,
            Some(Measure::Duration(78 * MS)),
            (Relation::AtMost, Measure::Duration(2 * S)),
        ),
        verdict(
            "store-primary: confirmed writes lost",
            Outcome::Broken,
            Some(Measure::Count(1)),
            (Relation::AtMost, Measure::Count(0)),
        ),
        verdict(
            "cut-off: RTO as users saw it",
            Outcome::Inconclusive,
            None,
            (Relation::AtMost, Measure::Duration(30 * S)),
        ),
        verdict(
            "availability by time",
            Outcome::Void,
            Some(percent(1.0)),
            (Relation::AtLeast, percent(0.999)),
        ),
    ];
    verdicts[2].assertion = "data-loss".to_owned();
    verdicts[2].requirement = Some("29".to_owned());
    verdicts[3].assertion = "recovery".to_owned();
    verdicts[3].because = "it never struck".to_owned();
    verdicts[4].shortage = Some((Measure::Count(1000), Measure::Count(44)));
    events.extend(verdicts.into_iter().map(|verdict| at(77 * S, Fact::Verdict(verdict))));
    let because = "1 of 4 promises broken: store-primary: confirmed writes lost".to_owned();
    events.push(at(78 * S, Fact::RunEnded { outcome: RunOutcome::Fail, because }));
    let (first, last) = (events.remove(0), events.pop());
    events.sort_by_key(|event| event.at);
    std::iter::once(first).chain(events).chain(last).collect()
}

/// What the run makes known.
pub(crate) fn observations() -> Observations {
    observed(&run())
}

/// What some events make known.
pub(crate) fn observed(events: &[Event]) -> Observations {
    let mut known = Observations::default();
    events.iter().for_each(|event| known.apply(event));
    known
}
