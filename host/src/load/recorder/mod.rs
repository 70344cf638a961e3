//! Folds every request into one interval a second.
//!
//! Threads that carry load push finished samples into one of a few buffers, each behind a lock that
//! is hardly ever contended. A thread of the recorder's own empties the buffers four times a second
//! and, a second after each second's end, folds what ended in that second into an [`Interval`] and
//! tells it. What is kept is bounded by the rate of requests, not by the length of the run.
//!
//! A sample counts in the second in which its request ended. One that is committed so late that
//! this second was told already (the plugin held the answer for longer than a second) counts in
//! the oldest second still open: its times stay as they were, and no count is ever lost.

mod endpoints;
mod figures;
mod findings;
mod flight;
mod fold;
mod folder;
mod generator;
mod machine;
mod sample;
mod sparse;
mod stretches;

use std::{
    cell::Cell,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, AtomicUsize, Ordering},
        mpsc,
    },
};

use tokio::sync::watch;

use crate::{
    capability::ports,
    observe::{Clock, Endpoint, ErrorClass, Fact, Nanos, Severity, Stream},
};

use super::limits::Shortage;
use figures::Figures;
use findings::Findings;
use folder::Folder;
use generator::Generator;

pub use flight::{Flight, Landing};
pub use generator::{LATE, Threads};
pub use sample::Sample;

/// Buffers that samples are pushed into; a power of two, more than there are load threads.
const SHARDS: usize = 16;

/// Takes samples, tells intervals. Shared by everything that carries load.
#[derive(Debug)]
pub struct Recorder {
    stream: Stream,
    endpoints: endpoints::Endpoints,
    shards: [Shard; SHARDS],
    /// Virtual users alive.
    users: AtomicU32,
    /// Starts that found no free user, and starts given up, since they were last told.
    late: AtomicU64,
    dropped: AtomicU64,
    generator: Arc<Generator>,
    findings: Findings,
    /// All seconds before this one were told.
    told: watch::Sender<u64>,
    /// Between [`Recorder::start`] and its end: what comes at other times has no interval.
    recording: AtomicBool,
}

/// Padded to two cache lines, so that threads do not fight over neighbours.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Shard {
    pending: Mutex<Pending>,
    /// Begun and not ended here. A request may begin on one thread and end on another, so only the
    /// sum over all shards means something.
    in_flight: AtomicI64,
}

#[derive(Debug, Default)]
struct Pending {
    samples: Vec<Sample>,
    figures: Figures,
}

impl Shard {
    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recorder {
    /// A recorder that does nothing yet. `threads` are those whose processor time is the
    /// generator's.
    pub fn new(stream: Stream, threads: Threads) -> Self {
        Self {
            endpoints: endpoints::Endpoints::new(stream.clone()),
            shards: Default::default(),
            users: AtomicU32::new(0),
            late: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            generator: Arc::new(Generator::new(threads)),
            findings: Findings::new(stream.clone()),
            told: watch::Sender::new(0),
            recording: AtomicBool::new(false),
            stream,
        }
    }

    /// The run's clock.
    pub fn clock(&self) -> Clock {
        self.stream.clock()
    }

    /// Starts to tell intervals, the first one for the second that is now, and to watch the
    /// runtime that this is called on.
    pub fn start(self: &Arc<Self>) -> std::io::Result<Recording> {
        self.recording.store(true, Ordering::SeqCst);
        self.told.send_replace(0);
        let (stop, stopped) = mpsc::channel();
        let mut folder = Folder::new(self.clone());
        let thread = std::thread::Builder::new()
            .name("assay-recorder".to_owned())
            .spawn(move || folder.run(&stopped))
            .inspect_err(|_| self.recording.store(false, Ordering::SeqCst))?;
        Ok(Recording { recorder: self.clone(), stop, thread: Some(thread), ticker: self.generator.watch() })
    }

    /// Waits until the second of this moment was told, and all before it, or recording is over.
    pub async fn told(&self, at: Nanos) {
        let mut told = self.told.subscribe();
        // Never an error: the sender lives as long as this does.
        let _ = told.wait_for(|told| *told > at / 1_000_000_000).await;
    }

    /// The index of an endpoint, for samples. Slow: remember it.
    pub fn endpoint(&self, endpoint: Endpoint) -> u32 {
        self.endpoints.index(endpoint)
    }

    /// Takes a finished sample. Outside of a recording there is nothing to count it in.
    pub fn record(&self, sample: Sample) {
        if self.recording.load(Ordering::Relaxed) {
            self.shard().pending().samples.push(sample);
        }
    }

    /// Counts a send that left later than it should have.
    pub fn late_send(&self) {
        self.generator.late_send();
    }

    /// Counts something that could not be done because the generator itself had nothing left for it,
    /// and tells the first of each kind.
    pub fn short(&self, of: Shortage) {
        self.generator.short();
        if self.findings.is_first(of) {
            self.finding(Severity::Warning, format!("the load generator itself {}", of.explanation()));
        }
    }

    /// Counts a start that found no free user at its moment.
    pub fn late_start(&self) {
        self.late.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts starts that were given up.
    pub fn dropped_starts(&self, count: u64) {
        self.dropped.fetch_add(count, Ordering::Relaxed);
    }

    /// Keeps the first text of each kind of failure of each endpoint for the report.
    pub fn explain(&self, endpoint: u32, class: ErrorClass, because: &str) {
        if self.findings.is_new(endpoint, class) {
            let all = self.endpoints.all();
            let endpoint = usize::try_from(endpoint).ok().and_then(|index| all.get(index));
            self.findings.explain(endpoint, class, because);
        }
    }

    /// One more virtual user, until the guard is dropped.
    pub fn user(self: &Arc<Self>) -> Alive {
        self.users.fetch_add(1, Ordering::Relaxed);
        Alive(self.clone())
    }

    fn in_flight(&self) -> u32 {
        let sum: i64 = self.shards.iter().map(|shard| shard.in_flight.load(Ordering::Relaxed)).sum();
        // Shards are read one after the other, so a sum may be off by what moved meanwhile.
        u32::try_from(sum.max(0)).unwrap_or(u32::MAX)
    }

    fn shard(&self) -> &Shard {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        thread_local!(static MINE: Cell<usize> = Cell::new(NEXT.fetch_add(1, Ordering::Relaxed)));
        &self.shards[MINE.get() % SHARDS]
    }

    fn finding(&self, severity: Severity, message: String) {
        self.stream.tell(Fact::Finding { source: "load".to_owned(), severity, message });
    }
}

/// What no interval can hold is left out; the capability has said so by then.
impl ports::Metrics for Recorder {
    fn check(&self, name: &str, passed: bool) {
        if self.recording.load(Ordering::Relaxed) {
            self.shard().pending().figures.check(name, passed);
        }
    }

    fn count(&self, name: &str, amount: f64) {
        if amount.is_finite() && self.recording.load(Ordering::Relaxed) {
            self.shard().pending().figures.count(name, amount);
        }
    }

    fn trend(&self, name: &str, value: f64) {
        if (0.0..=1e12).contains(&value) && self.recording.load(Ordering::Relaxed) {
            self.shard().pending().figures.trend(name, (value * 1000.0).round() as u64);
        }
    }
}

/// A virtual user that lives.
#[derive(Debug)]
pub struct Alive(Arc<Recorder>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.users.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A recorder at work.
#[derive(Debug)]
pub struct Recording {
    recorder: Arc<Recorder>,
    stop: mpsc::Sender<()>,
    thread: Option<std::thread::JoinHandle<()>>,
    ticker: tokio::task::AbortHandle,
}

impl Recording {
    /// Tells everything up to now, the second that has begun included, and ends.
    pub async fn finish(mut self) {
        self.ticker.abort();
        self.recorder.generator.rest();
        // Either error means that the thread has ended already.
        let _ = self.stop.send(());
        if let Some(thread) = self.thread.take() {
            let joined = tokio::task::spawn_blocking(move || thread.join().is_ok()).await;
            if !matches!(joined, Ok(true)) {
                self.recorder.finding(
                    Severity::Warning,
                    "the recorder broke down: figures since then are missing".to_owned(),
                );
            }
        }
        self.recorder.recording.store(false, Ordering::SeqCst);
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        // Dropping the sender ends the thread as well, after a last folding.
        self.ticker.abort();
        self.recorder.recording.store(false, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests;
