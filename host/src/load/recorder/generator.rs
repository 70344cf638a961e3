//! Watches the load generator itself, because a generator that is out of breath measures itself.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::task::AbortHandle;

use crate::observe::{GeneratorInterval, Nanos, nanos};

/// How often the event loop is asked whether it is on time.
const TICK: Duration = Duration::from_millis(10);

/// A send that leaves this much after it should have is late. Far above the timer's own
/// millisecond, and the same as what counts as too much lag.
pub const LATE: Nanos = 50_000_000;

/// What is known of the generator since the last reading.
#[derive(Debug, Default)]
pub(super) struct Generator {
    punctuality: Mutex<Punctuality>,
    late_sends: AtomicU64,
    shortages: AtomicU64,
    threads: Threads,
}

/// How late the event loop was each time it was asked.
#[derive(Debug, Default)]
struct Punctuality {
    lags: Vec<Nanos>,
    /// When it should answer next.
    due: Option<Instant>,
}

/// The threads that carry the load. Clones share the same list.
#[derive(Debug, Clone, Default)]
pub struct Threads(Arc<Mutex<BTreeMap<i32, Nanos>>>);

impl Threads {
    /// Counts the calling thread among those that carry the load, from now on.
    pub fn enter(&self) {
        let id = rustix::thread::gettid().as_raw_nonzero().get();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id, thread_time(id).unwrap_or(0));
    }

    /// Processor time since the last call. Threads that have ended are forgotten. Without any
    /// thread in the list it is the whole process' time.
    fn time(&self) -> Nanos {
        let mut threads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sum = 0;
        threads.retain(|id, before| {
            let Some(now) = thread_time(*id) else { return false };
            sum += now.saturating_sub(*before);
            *before = now;
            true
        });
        sum
    }

    fn is_empty(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }
}

impl Generator {
    pub(super) fn new(threads: Threads) -> Self {
        Self { threads, ..Self::default() }
    }

    pub(super) fn late_send(&self) {
        self.late_sends.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn short(&self) {
        self.shortages.fetch_add(1, Ordering::Relaxed);
    }

    fn punctuality(&self) -> MutexGuard<'_, Punctuality> {
        self.punctuality.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing is asked any more.
    pub(super) fn rest(&self) {
        self.punctuality().due = None;
    }

    /// Starts to ask the current runtime whether it is on time, until the handle is used.
    pub(super) fn watch(self: &Arc<Self>) -> AbortHandle {
        let generator = self.clone();
        let ticker = async move {
            loop {
                let due = Instant::now() + TICK;
                generator.punctuality().due = Some(due);
                tokio::time::sleep_until(due.into()).await;
                let lag = nanos(Instant::now().saturating_duration_since(due));
                generator.punctuality().lags.push(lag);
            }
        };
        tokio::spawn(ticker).abort_handle()
    }

    /// What happened since the last reading, which was so long ago.
    pub(super) fn read(&self, process: &mut ProcessTime, elapsed: Nanos) -> GeneratorInterval {
        let lags = {
            let mut punctuality = self.punctuality();
            let mut lags = std::mem::take(&mut punctuality.lags);
            // A loop that is stuck gives no answer at all, and is late by as much as is known so far.
            let overdue = punctuality.due.map(|due| Instant::now().saturating_duration_since(due));
            lags.extend(overdue.filter(|overdue| *overdue > TICK).map(nanos));
            lags
        };
        // Read in either case, so that it never covers more than one reading.
        let whole = process.time();
        let used = if self.threads.is_empty() { whole } else { self.threads.time() };
        GeneratorInterval {
            cpu: used.saturating_mul(1000).checked_div(elapsed).unwrap_or(0),
            lag_p99: p99(lags),
            late_sends: self.late_sends.swap(0, Ordering::Relaxed),
            shortages: self.shortages.swap(0, Ordering::Relaxed),
        }
    }
}

/// The process' processor time at the last reading.
#[derive(Debug)]
pub(super) struct ProcessTime(Nanos);

impl ProcessTime {
    pub(super) fn new() -> Self {
        Self(process_time())
    }

    fn time(&mut self) -> Nanos {
        let now = process_time();
        now.saturating_sub(std::mem::replace(&mut self.0, now))
    }
}

fn process_time() -> Nanos {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0)
}

/// Processor time of one of this process' threads; none once it has ended.
fn thread_time(id: i32) -> Option<Nanos> {
    // Nanoseconds on a processor are the first of three numbers.
    let schedstat = std::fs::read_to_string(format!("/proc/self/task/{id}/schedstat")).ok()?;
    schedstat.split_ascii_whitespace().next()?.parse().ok()
}

fn p99(mut lags: Vec<Nanos>) -> Nanos {
    lags.sort_unstable();
    let rank = (lags.len() * 99).div_ceil(100);
    rank.checked_sub(1).and_then(|index| lags.get(index)).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p99_is_the_nearest_rank() {
        assert_eq!(p99(Vec::new()), 0);
        assert_eq!(p99(vec![5]), 5);
        assert_eq!(p99((1..=100).collect()), 99);
        assert_eq!(p99((1..=200).rev().collect()), 198);
    }

    #[test]
    fn a_thread_that_works_is_seen_until_it_ends() {
        let threads = Threads::default();
        let worker = threads.clone();
        let (told, tells) = std::sync::mpsc::channel();
        let (done, wait) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            worker.enter();
            let begin = Instant::now();
            let mut sum = 0u64;
            while begin.elapsed() < Duration::from_millis(50) {
                sum = std::hint::black_box(sum.wrapping_add(1));
            }
            told.send(sum).expect("the test waits");
            wait.recv().expect("the test answers");
        });
        tells.recv().expect("the thread works");
        assert!(threads.time() > 1_000_000, "it worked for 50 ms");
        done.send(()).expect("the thread waits");
        thread.join().expect("it does not panic");
        threads.time();
        assert!(threads.is_empty());
    }

    #[tokio::test]
    async fn an_event_loop_that_is_stuck_shows_in_every_second() {
        let generator = Arc::new(Generator::default());
        let ticker = generator.watch();
        tokio::time::sleep(Duration::from_millis(30)).await;
        for _ in 0..2 {
            std::thread::sleep(Duration::from_millis(120));
            let reading = generator.read(&mut ProcessTime::new(), 1_000_000_000);
            assert!(reading.lag_p99 > 80_000_000, "{reading:?}");
        }
        ticker.abort();
        generator.rest();
        std::thread::sleep(Duration::from_millis(60));
        assert_eq!(generator.read(&mut ProcessTime::new(), 1_000_000_000).lag_p99, 0);
    }

    #[tokio::test]
    async fn a_blocked_event_loop_shows() {
        let generator = Arc::new(Generator::default());
        let ticker = generator.watch();
        tokio::time::sleep(Duration::from_millis(30)).await;
        std::thread::sleep(Duration::from_millis(120));
        tokio::time::sleep(Duration::from_millis(30)).await;
        ticker.abort();
        let reading = generator.read(&mut ProcessTime::new(), 1_000_000_000);
        assert!(reading.lag_p99 > 80_000_000, "{reading:?}");
    }
}
