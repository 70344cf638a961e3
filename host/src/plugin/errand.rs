//! Work that a guest waits for, done off its fiber.
//!
//! A host function runs on the fiber of its instance, of which there is one per user: whatever it leaves on
//! that stack is out of the processor's caches by the user's next turn, and what it needs of it a guest that
//! recursed deeply may not have left. So a host function that waits hands its work to whoever called the
//! guest, who polls it on the stack of the thread, and the fiber rests until there is an answer.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use futures::future::BoxFuture;

/// Where an instance's host functions leave their work and its caller finds it. Clones are the same place.
#[derive(Clone, Default)]
pub(crate) struct Errands(Arc<Place>);

#[derive(Default)]
struct Place {
    handed_in: Mutex<Option<Arc<dyn Step>>>,
    /// The last work was not done at once: the thread went on to others meanwhile.
    rested: AtomicBool,
}

/// Work whose answer somebody else takes.
trait Step: Send + Sync {
    fn step(&self, cx: &mut Context<'_>) -> Poll<()>;
}

enum Errand<T> {
    Doing(BoxFuture<'static, T>),
    Done(T),
    Taken,
}

impl<T: Send> Step for Mutex<Errand<T>> {
    fn step(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut errand = lock(self);
        if let Errand::Doing(work) = &mut *errand {
            let answer = ready!(work.as_mut().poll(cx));
            *errand = Errand::Done(answer);
        }
        Poll::Ready(())
    }
}

impl Errands {
    /// For a host function: has work done and waits for its answer. The guest must have been called by way of
    /// [`drive`](Self::drive). Nothing else on the fiber is polled meanwhile, so what bounds the work in time is part
    /// of it.
    pub(crate) async fn run<T: Send + 'static>(&self, work: BoxFuture<'static, T>) -> T {
        let errand = Arc::new(Mutex::new(Errand::Doing(work)));
        *lock(&self.0.handed_in) = Some(errand.clone());
        // Nobody needs to be woken: the guest is polled again when the work is done.
        poll_fn(|_| {
            let mut errand = lock(&errand);
            if let Errand::Doing(_) = *errand {
                return Poll::Pending;
            }
            match std::mem::replace(&mut *errand, Errand::Taken) {
                Errand::Done(answer) => Poll::Ready(answer),
                Errand::Doing(_) | Errand::Taken => Poll::Pending,
            }
        })
        .await
    }

    /// Did others have their turn, waiting for work, since this was last asked?
    pub(crate) fn take_rest(&self) -> bool {
        // Only ever one task at a time, so it need not be one step.
        let rested = self.0.rested.load(Ordering::Relaxed);
        self.0.rested.store(false, Ordering::Relaxed);
        rested
    }

    /// For whoever calls a guest: waits for the call, and meanwhile does the work that it hands out.
    pub(crate) fn drive<F: Future + Unpin>(&self, mut call: F) -> impl Future<Output = F::Output> + Unpin {
        let mut errand: Option<Arc<dyn Step>> = None;
        poll_fn(move |cx| {
            loop {
                if let Some(doing) = &errand
                    && doing.step(cx).is_pending()
                {
                    self.0.rested.store(true, Ordering::Relaxed);
                    return Poll::Pending;
                }
                if let Poll::Ready(output) = Pin::new(&mut call).poll(cx) {
                    return Poll::Ready(output);
                }
                errand = lock(&self.0.handed_in).take();
                if errand.is_none() {
                    return Poll::Pending;
                }
            }
        })
    }
}

fn lock<T: ?Sized>(place: &Mutex<T>) -> MutexGuard<'_, T> {
    place.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn work_is_done_by_the_caller_and_answered_where_it_was_asked_for() {
        let errands = Errands::default();
        let asked = errands.clone();
        let call = Box::pin(async move {
            let mut sum = 0;
            for number in [1, 2, 3] {
                sum += asked
                    .run(Box::pin(async move {
                        tokio::time::sleep(Duration::from_millis(number)).await;
                        number
                    }))
                    .await;
                // A wait of the guest's own, which is no errand.
                tokio::task::yield_now().await;
            }
            sum
        });
        assert_eq!(errands.drive(call).await, 6);
    }

    #[tokio::test]
    async fn only_work_that_is_not_done_at_once_is_a_rest() {
        let errands = Errands::default();
        for (pauses, rested) in [(0, false), (2, true)] {
            let asked = errands.clone();
            let call = Box::pin(async move {
                let work = async move {
                    for _ in 0..pauses {
                        tokio::task::yield_now().await;
                    }
                };
                asked.run(Box::pin(work)).await;
            });
            errands.drive(call).await;
            assert_eq!([errands.take_rest(), errands.take_rest()], [rested, false]);
        }
    }

    #[tokio::test]
    async fn what_is_given_up_is_dropped() {
        let errands = Errands::default();
        let (asked, kept) = (errands.clone(), Arc::new(()));
        let held = kept.clone();
        let call = Box::pin(async move {
            let work = async move {
                let _held = held;
                std::future::pending::<()>().await;
            };
            asked.run(Box::pin(work)).await;
        });
        let driven = tokio::time::timeout(Duration::from_millis(5), errands.drive(call)).await;
        assert!(driven.is_err());
        assert_eq!(Arc::strong_count(&kept), 1);
    }
}
