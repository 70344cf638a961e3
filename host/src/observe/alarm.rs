//! A bound in time on what is done again and again.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Instant,
};

use tokio::time::{Sleep, sleep_until};

/// Bounds one wait after the other.
///
/// The runtime's own timeout hands in a timer before each wait and takes it back after it. Here there
/// is one timer, which stays where it is while the bound moves away from it, and is moved after the
/// bound only when it rings too early. A bound that is minutes away so costs next to nothing.
#[derive(Debug, Default)]
pub(crate) struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    /// Waits for something, and no longer than until then; None if it was not done by then. What is
    /// waited for is pinned by the caller: moved in here, it would take its room twice.
    pub(crate) async fn bound<F>(&mut self, until: Instant, mut wanted: F) -> Option<F::Output>
    where
        F: Future + Unpin,
    {
        poll_fn(|cx| match Pin::new(&mut wanted).poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => self.poll_ring(until.into(), cx).map(|()| None),
        })
        .await
    }

    fn poll_ring(&mut self, until: tokio::time::Instant, cx: &mut Context<'_>) -> Poll<()> {
        let timer = self.0.get_or_insert_with(|| Box::pin(sleep_until(until)));
        loop {
            if timer.deadline() > until {
                timer.as_mut().reset(until);
            }
            ready!(timer.as_mut().poll(cx));
            if timer.deadline() >= until {
                return Poll::Ready(());
            }
            timer.as_mut().reset(until);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::{pending, ready},
        time::Duration,
    };

    use super::*;

    #[tokio::test]
    async fn every_wait_ends_at_its_own_bound() {
        let mut alarm = Alarm::default();
        let begun = Instant::now();
        let at = |millis| begun + Duration::from_millis(millis);
        // Later, earlier and long ago: the timer follows.
        for until in [20, 120, 60, 140, 200] {
            assert_eq!(alarm.bound(at(until), pending::<()>()).await, None);
            assert!(begun.elapsed() >= Duration::from_millis(until), "until {until}");
        }
        assert_eq!(alarm.bound(at(3_600_000), ready(7)).await, Some(7));
        let soon = Box::pin(tokio::time::sleep(Duration::from_millis(20)));
        assert_eq!(alarm.bound(at(3_600_000), soon).await, Some(()));
        // Back from an hour ahead.
        let soon = Instant::now() + Duration::from_millis(20);
        assert_eq!(alarm.bound(soon, pending::<()>()).await, None);
        assert!((soon..soon + Duration::from_secs(60)).contains(&Instant::now()));
    }
}
