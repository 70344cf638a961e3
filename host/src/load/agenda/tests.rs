//! Any schedule, carried out on a clock of its own.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::{
    config::{ArrivalsConfig, PhaseConfig, Ramp},
    load::desk::Waiting,
    observe::nanos,
};

const MS: Nanos = 1_000_000;

/// What a simulated user is at.
#[derive(Debug, Clone, Copy, PartialEq)]
enum At {
    /// In a task, signing in or pausing, until then.
    Task(Nanos),
    Pause(Nanos),
    Desk,
    Gone,
}

struct User {
    behavior: usize,
    at: At,
    leaving: bool,
}

/// A whole load on a clock of its own: the agenda, desks, and users whose tasks last as long as
/// a mixed-up counter says.
struct Simulation {
    agenda: Agenda,
    now: Nanos,
    desks: Vec<Waiting>,
    open: bool,
    users: Vec<User>,
    rolls: u64,
    /// Longest task.
    slowest: Nanos,
    planned: u32,
    max_late: Nanos,
    // What is counted on the way.
    arrivals: Vec<u64>,
    late: u64,
    dropped: u64,
    carried_out: u64,
    begun: u64,
    ended: [u64; 2],
}

impl Simulation {
    fn roll(&mut self, below: u64) -> u64 {
        self.rolls = self.rolls.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let bits = (self.rolls ^ (self.rolls >> 31)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (bits >> 16) % below.max(1)
    }

    fn begin_task(&mut self, user: usize) {
        self.begun += 1;
        let until = self.now + self.roll(self.slowest);
        self.users[user].at = At::Task(until);
    }

    /// What a user does next who has nothing to do.
    fn next_of(&mut self, user: usize) {
        if self.users[user].leaving {
            self.users[user].at = At::Gone;
        } else if self.open {
            self.desks[self.users[user].behavior].come();
            self.users[user].at = At::Desk;
            self.serve(user);
        } else {
            let pause = self.roll(50 * MS);
            self.users[user].at = At::Pause(self.now + pause);
        }
    }

    fn serve(&mut self, user: usize) {
        let behavior = self.users[user].behavior;
        if let Some(start) = self.desks[behavior].take(self.now) {
            let waited = self.now - start.intended;
            assert!(start.late || waited == 0, "who found a user did not wait");
            assert!(waited <= self.max_late, "nobody waits longer than may be");
            self.carried_out += 1;
            self.begin_task(user);
        }
    }

    fn collect(&mut self) {
        for desk in &mut self.desks {
            desk.expire(self.now);
            self.dropped += desk.dropped();
        }
    }

    fn carry_out(&mut self, order: Order) {
        match order {
            Order::Begin(number) => {
                let phase = self.agenda.schedule().phase(number).expect("it begins").clone();
                self.open = phase.open.is_some();
                self.max_late = phase.open.as_ref().map_or(0, |open| open.patience);
                self.desks.iter_mut().for_each(|desk| desk.open(self.max_late));
                let idle = |user: &User| matches!(user.at, At::Desk | At::Pause(_));
                for user in (0..self.users.len()).filter(|user| idle(&self.users[*user])).collect::<Vec<_>>()
                {
                    if self.users[user].at == At::Desk {
                        self.desks[self.users[user].behavior].go();
                    }
                    self.next_of(user);
                }
            }
            Order::Hire { behavior } => {
                let until = self.now + self.roll(30 * MS);
                self.users.push(User { behavior, at: At::Pause(until), leaving: false });
            }
            Order::Dismiss => {
                let newest = self.users.iter().rposition(|user| !user.leaving).expect("somebody stays");
                self.users[newest].leaving = true;
                if self.users[newest].at == At::Desk {
                    self.desks[self.users[newest].behavior].go();
                }
                if !matches!(self.users[newest].at, At::Task(_)) {
                    self.users[newest].at = At::Gone;
                }
            }
            Order::Start { behavior, at, task } => {
                assert_eq!((at, task), (self.now, None), "virtual time does not slip");
                self.arrivals[behavior] += 1;
                self.late += u64::from(self.desks[behavior].arrive(at, task));
                let free = |user: &User| user.at == At::Desk && user.behavior == behavior;
                if let Some(user) = self.users.iter().position(free) {
                    self.serve(user);
                }
            }
            Order::End(_) => {
                self.desks.iter_mut().for_each(Waiting::clear);
                self.collect();
            }
        }
    }

    /// Runs until then, or to the end.
    fn run(&mut self, stop: Nanos) {
        loop {
            while let Some(order) = self.agenda.due(self.now) {
                self.carry_out(order);
            }
            self.collect();
            let staying = self.users.iter().filter(|user| !user.leaving).count();
            if let Some(phase) = self.agenda.schedule().phase(self.agenda.phase) {
                self.planned = phase.users_at(self.now);
                assert!(staying <= self.planned as usize, "{staying} of {}", self.planned);
            }
            let Some(mut next) = self.agenda.next(self.now).filter(|next| *next < stop) else { break };
            for user in &self.users {
                if let At::Task(until) | At::Pause(until) = user.at {
                    next = next.min(until);
                }
            }
            self.now = next.max(self.now);
            for user in 0..self.users.len() {
                match self.users[user].at {
                    At::Task(until) if until <= self.now => {
                        let failed = self.roll(10) == 0;
                        self.ended[usize::from(failed)] += 1;
                        self.next_of(user);
                    }
                    At::Pause(until) if until <= self.now && self.open => self.next_of(user),
                    At::Pause(until) if until <= self.now => self.begin_task(user),
                    _ => {}
                }
            }
        }
        self.desks.iter_mut().for_each(Waiting::clear);
        self.collect();
    }
}

fn phases() -> impl Strategy<Value = Vec<PhaseConfig>> {
    let millis = |millis: u64| Duration::from_millis(millis);
    let ramp = prop_oneof![
        (0u64..700).prop_map(move |ramp| Ramp::Over(millis(ramp))),
        (1.0f64..400.0).prop_map(Ramp::Rate)
    ];
    let max_late = prop::option::of((0u64..300).prop_map(millis));
    let open = prop::option::of((0.5f64..300.0, max_late))
        .prop_map(|open| open.map(|(rate, max_late)| ArrivalsConfig { rate, max_late }));
    prop::collection::vec((3u32..12, open, ramp, 1u64..700), 1..5).prop_map(move |phases| {
        let phase = |(number, (users, arrivals, ramp, duration))| PhaseConfig {
            name: format!("phase-{number}"),
            users,
            arrivals,
            ramp,
            duration: millis(duration),
        };
        phases.into_iter().enumerate().map(phase).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn the_arithmetic_of_any_schedule_is_true(
        phases in phases(),
        weights in prop::sample::select(vec![vec![1.0], vec![50.0, 50.0], vec![70.0, 20.0, 10.0]]),
        slowest in 1u64..120,
        seed: u64,
        stop in prop::option::of(0u64..2_000),
    ) {
        let schedule = Schedule::new(&phases);
        let shares = Shares::new(weights.iter().copied());
        let deals = Deals::ByShares(shares.clone());
        let mut load = Simulation {
            agenda: Agenda::new(schedule.clone(), shares, deals),
            now: 0,
            desks: weights.iter().map(|_| Waiting::default()).collect(),
            open: false,
            users: Vec::new(),
            rolls: seed,
            slowest: slowest * MS,
            planned: 0,
            max_late: 0,
            arrivals: vec![0; weights.len()],
            late: 0,
            dropped: 0,
            carried_out: 0,
            begun: 0,
            ended: [0, 0],
        };
        let stop = stop.map_or(Nanos::MAX, |stop| stop * MS);
        load.run(stop);

        // As many starts as their times say, up to the moment that it was stopped.
        let end = if stop < schedule.end() { load.now + 1 } else { Nanos::MAX };
        let mut expected = 0;
        let mut start = 0;
        for (number, config) in phases.iter().enumerate() {
            if let Some(open) = &schedule.phase(number).expect("a phase").open {
                let times = (0..).map_while(|nth| open.arrivals.nth(nth));
                expected += times.filter(|at| start + at < end).count() as u64;
            }
            start += nanos(config.duration);
        }
        let arrivals: u64 = load.arrivals.iter().sum();
        prop_assert_eq!(arrivals, expected);
        prop_assert_eq!(load.carried_out, arrivals - load.dropped, "starts are arrivals but for the dropped");
        prop_assert!(load.dropped <= load.late && load.late <= arrivals);

        let in_flight = load.users.iter().filter(|user| matches!(user.at, At::Task(_))).count() as u64;
        prop_assert_eq!(load.begun, load.ended[0] + load.ended[1] + in_flight);

        let sum: f64 = weights.iter().sum();
        for (count, weight) in load.arrivals.iter().zip(&weights) {
            let exact = weight / sum * arrivals as f64;
            prop_assert!((*count as f64 - exact).abs() < 1.0, "{count} starts for {exact}");
        }
        if stop == Nanos::MAX {
            prop_assert_eq!(load.agenda.next(load.now), None);
            let staying = load.users.iter().filter(|user| !user.leaving).count();
            prop_assert_eq!(staying as u32, load.planned, "the last phase's users are there at its end");
        }
    }
}

#[test]
fn the_probes_tasks_take_turns() {
    let phase = PhaseConfig {
        name: "probe".to_owned(),
        users: 2,
        arrivals: Some(ArrivalsConfig { rate: 20.0, max_late: None }),
        ramp: Ramp::Over(Duration::ZERO),
        duration: Duration::from_secs(1),
    };
    let deals = Deals::InTurn { tasks: vec![4, 7], next: 0 };
    let mut agenda = Agenda::new(Schedule::new(&[phase]), Shares::new([1.0]), deals);
    let tasks: Vec<_> = std::iter::from_fn(|| agenda.due(150 * MS))
        .filter_map(|order| match order {
            Order::Start { behavior: 0, task, .. } => task,
            _ => None,
        })
        .collect();
    assert_eq!(tasks, [4, 7, 4, 7]);
}
