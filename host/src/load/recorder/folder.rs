//! The thread that turns samples into intervals.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::Ordering,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::Duration,
};

use crate::observe::{Fact, GeneratorInterval, Interval, Nanos, Severity};

use super::{
    Pending, Recorder, Sample, figures::Figures, fold::fold, generator::ProcessTime, machine::Machine,
};

const SECOND: Nanos = 1_000_000_000;

/// How often the buffers are emptied: often enough to keep them small. Divides a second, so that
/// gauges are read right at its end.
const TICK: Nanos = SECOND / 4;

/// How long after its end a second is folded: what ended in it may be committed so much later.
const GRACE: Nanos = SECOND;

pub(super) struct Folder {
    recorder: Arc<Recorder>,
    /// Seconds that have not been told.
    open: BTreeMap<u64, Second>,
    /// The oldest of them; all before it are told.
    oldest: u64,
    /// The second whose end is awaited, to read the gauges.
    current: u64,
    /// Names of figures of the run so far.
    figure_names: BTreeSet<String>,
    figures_overflowed: bool,
    process: ProcessTime,
    machine: Machine,
    /// When the generator was last looked at.
    looked: Nanos,
}

/// A second before it is told.
#[derive(Default)]
struct Second {
    samples: Vec<Sample>,
    figures: Figures,
    /// What can only be read at its end.
    users: u32,
    in_flight: u32,
    late: u64,
    dropped: u64,
    generator: GeneratorInterval,
}

/// Lets nobody wait for seconds that will never be told, even should the thread break down.
struct Over(Arc<Recorder>);

impl Drop for Over {
    fn drop(&mut self) {
        self.0.told.send_replace(u64::MAX);
    }
}

impl Folder {
    pub(super) fn new(recorder: Arc<Recorder>) -> Self {
        let now = recorder.clock().now();
        Self {
            recorder,
            open: BTreeMap::new(),
            oldest: now / SECOND,
            current: now / SECOND,
            figure_names: BTreeSet::new(),
            figures_overflowed: false,
            process: ProcessTime::new(),
            machine: Machine::new(),
            looked: now,
        }
    }

    /// Works until it is told to stop, or nobody is left to tell it.
    pub(super) fn run(&mut self, stop: &Receiver<()>) {
        let _over = Over(self.recorder.clone());
        loop {
            let now = self.recorder.clock().now();
            let next = now - now % TICK + TICK;
            match stop.recv_timeout(Duration::from_nanos(next - now)) {
                Err(RecvTimeoutError::Timeout) => self.tick(self.recorder.clock().now()),
                Ok(()) | Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.finish(self.recorder.clock().now());
    }

    fn tick(&mut self, now: Nanos) {
        while (self.current + 1) * SECOND <= now {
            self.read_gauges(now);
            self.machine.read();
            self.current += 1;
        }
        self.drain(now);
        while (self.oldest + 1) * SECOND + GRACE <= now {
            self.tell_oldest();
        }
    }

    /// Tells all that is left, the second that has begun included.
    fn finish(&mut self, now: Nanos) {
        self.tick(now);
        self.read_gauges(now);
        self.drain(now);
        while self.oldest <= self.current {
            self.tell_oldest();
        }
        if let Some(starved) = self.machine.finding() {
            // Not of the load's own making, and so it has another name.
            let (source, severity) = ("machine".to_owned(), Severity::Warning);
            self.recorder.stream.tell(Fact::Finding { source, severity, message: starved });
        }
    }

    /// Reads, at the end of the current second, what is true then.
    fn read_gauges(&mut self, now: Nanos) {
        let generator = self.recorder.generator.read(&mut self.process, now.saturating_sub(self.looked));
        self.looked = now;
        let users = self.recorder.users.load(Ordering::Relaxed);
        let in_flight = self.recorder.in_flight();
        let late = self.recorder.late.swap(0, Ordering::Relaxed);
        let dropped = self.recorder.dropped.swap(0, Ordering::Relaxed);
        let second = self.open.entry(self.current).or_default();
        (second.users, second.in_flight, second.generator) = (users, in_flight, generator);
        (second.late, second.dropped) = (late, dropped);
    }

    /// Moves what the buffers hold to the seconds it belongs to.
    fn drain(&mut self, now: Nanos) {
        let latest = (now / SECOND).max(self.oldest);
        for shard in &self.recorder.shards {
            let Pending { samples, figures } = {
                let mut pending = shard.pending();
                // As much room as was needed last time: buffers neither grow step by step nor stay
                // as large as they ever were.
                let room = Vec::with_capacity(pending.samples.len());
                Pending {
                    samples: std::mem::replace(&mut pending.samples, room),
                    figures: std::mem::take(&mut pending.figures),
                }
            };
            for sample in samples {
                let second = (sample.ended / SECOND).clamp(self.oldest, latest);
                self.open.entry(second).or_default().samples.push(sample);
            }
            let overflowed =
                self.open.entry(latest).or_default().figures.absorb(figures, &mut self.figure_names);
            if overflowed && !self.figures_overflowed {
                self.figures_overflowed = true;
                self.recorder.finding(
                    Severity::Warning,
                    format!(
                        "plugins gave more than {} names to checks, counters and trends; the rest is counted as (other)",
                        super::figures::MOST
                    ),
                );
            }
        }
    }

    fn tell_oldest(&mut self) {
        let second = self.open.remove(&self.oldest).unwrap_or_default();
        let (endpoints, stretches) = fold(&second.samples, &self.recorder.endpoints.all());
        let figures = second.figures.fold();
        let interval = Interval {
            second: self.oldest,
            users: second.users,
            in_flight: second.in_flight,
            late: second.late,
            dropped: second.dropped,
            endpoints,
            stretches,
            counters: figures.counters,
            checks: figures.checks,
            trends: figures.trends,
            generator: second.generator,
        };
        self.oldest += 1;
        self.recorder.stream.tell_at(self.oldest * SECOND, Fact::Interval(interval));
        self.recorder.told.send_replace(self.oldest);
    }
}
