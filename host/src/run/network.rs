//! The runtime that talks to the target.
//!
//! Its threads enter the target's network before they do anything else, and a socket belongs to the
//! network in which it was made: so no packet of the load can leave it, while the process' other
//! threads keep the network they were born in. The load runs here, and so does every plugin that
//! asks the target something.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    thread::available_parallelism,
};

use tokio::runtime::{Builder, Handle, Runtime};

use crate::{environment::EnterNetwork, load::recorder::Threads};

/// A tokio runtime inside the target's network.
#[derive(Debug)]
pub(crate) struct TargetNetwork {
    /// Always there until dropped.
    runtime: Option<Runtime>,
    threads: Threads,
}

impl TargetNetwork {
    /// Starts one thread for each processor that this process may use inside the network, or says why
    /// they could not enter it.
    pub(crate) fn enter(enter: EnterNetwork) -> io::Result<Self> {
        // More than that would take turns, and wake each other for it.
        Self::with(enter, available_parallelism().map_or(1, usize::from))
    }

    fn with(enter: EnterNetwork, threads: usize) -> io::Result<Self> {
        // A thread cannot refuse to start, so what went wrong is asked for afterwards.
        let failure: Arc<Mutex<Option<io::Error>>> = Arc::default();
        let (noted, carriers) = (failure.clone(), Threads::default());
        let carrier = carriers.clone();
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name("target")
            .enable_all()
            .on_thread_start(move || {
                carrier.enter();
                if let Err(error) = enter() {
                    noted.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                }
            })
            .build()?;
        let network = Self { runtime: Some(runtime), threads: carriers };
        network.settle(threads);
        match failure.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(error) => Err(error),
            None => Ok(network),
        }
    }

    /// Where to spawn.
    pub(crate) fn handle(&self) -> Handle {
        match &self.runtime {
            Some(runtime) => runtime.handle().clone(),
            None => unreachable!("the runtime is taken only by drop"),
        }
    }

    /// Its threads, whose processor time is the load's.
    pub(crate) fn threads(&self) -> Threads {
        self.threads.clone()
    }

    /// Runs something there and waits for it.
    pub(crate) async fn run<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> T {
        match self.handle().spawn(work).await {
            Ok(done) => done,
            // Nobody aborts it, so it panicked, and the panic goes on where it is waited for.
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }

    /// Waits until every worker thread has started, by making all of them meet.
    fn settle(&self, threads: usize) {
        let barrier = Arc::new(std::sync::Barrier::new(threads + 1));
        for _ in 0..threads {
            let barrier = barrier.clone();
            self.handle().spawn(async move { tokio::task::block_in_place(|| barrier.wait()) });
        }
        barrier.wait();
    }
}

impl Drop for TargetNetwork {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // It may be dropped inside another runtime, where waiting is forbidden.
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn every_thread_enters_before_any_work() {
        let entered = Arc::new(AtomicUsize::new(0));
        let count = entered.clone();
        let enter: EnterNetwork = Arc::new(move || {
            count.fetch_add(1, Ordering::SeqCst);
            Ok(())
        });
        let network = TargetNetwork::with(enter, 2).expect("enters");
        assert!(entered.load(Ordering::SeqCst) >= 2);
        drop(network);
    }

    #[test]
    fn a_network_that_cannot_be_entered_is_an_error() {
        let enter: EnterNetwork = Arc::new(|| Err(io::Error::other("no such network")));
        let error = TargetNetwork::with(enter, 1).expect_err("cannot enter");
        assert_eq!(error.to_string(), "no such network");
    }
}
