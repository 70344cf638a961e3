//! What comes after the strike starts from it.

use std::time::Duration;

use super::Impact;
use crate::clock::{self, Nanos, nanos};
use crate::failure::{Failure, Result};

/// What was struck, and when: kept by [`inject`](super::Fault::inject) for the questions that follow it.
#[derive(Clone, Debug)]
pub struct Struck<T>(Option<(Nanos, T)>);

impl<T: Clone> Struck<T> {
    /// Nothing yet.
    pub fn nothing() -> Struck<T> {
        Struck(None)
    }

    /// Struck at this time, as [`Injected`](super::Injected) says it.
    pub fn at(at: Nanos, what: T) -> Struck<T> {
        Struck(Some((at, what)))
    }

    /// What was struck.
    ///
    /// # Errors
    ///
    /// If nothing was struck yet: there is nothing to ask about.
    pub fn what(&self) -> Result<T> {
        let (_, what) = self.0.as_ref().ok_or_else(|| Failure::other("nothing was struck yet"))?;
        Ok(what.clone())
    }

    /// The answer of [`effect`](super::Fault::effect) while the probe sees none:
    /// [`NotYet`](super::Bite::NotYet), and [`Absent`](super::Bite::Absent) once so much time has passed
    /// since the strike.
    pub fn unseen(&self, patience: Duration, probed: impl Into<String>) -> Impact {
        let since = self.0.as_ref().map_or(0, |(at, _)| clock::now().saturating_sub(*at));
        match since < nanos(patience) {
            true => Impact::not_yet(probed),
            false => Impact::absent(probed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Bite;
    use super::*;
    use crate::fake::FakeHost;

    #[test]
    fn patience_ends() {
        let host = FakeHost::start();
        let failure = Struck::<u8>::nothing().what().expect_err("nothing was");
        assert_eq!(failure.text(), "nothing was struck yet");
        host.pass(Duration::from_secs(7));
        let struck = Struck::at(clock::now(), 1);
        assert_eq!(struck.what(), Ok(1));
        let patience = Duration::from_secs(10);
        host.pass(patience - Duration::from_nanos(1));
        assert_eq!(struck.unseen(patience, "it answers").bite, Bite::NotYet);
        host.pass(Duration::from_nanos(1));
        assert_eq!(struck.unseen(patience, "it answers"), Impact::absent("it answers"));
    }
}
