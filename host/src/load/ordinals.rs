//! Ordinals of users: what they pick an account by.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

/// Hands out the smallest free number, so that a user who takes another's place takes over its
/// account, and as few accounts are used as users live at once: one number among the users of a
/// behavior, and one among all users of the run.
#[derive(Debug, Clone, Default)]
pub(super) struct Ordinals {
    behavior: Numbers,
    run: Numbers,
}

/// Numbers in use.
#[derive(Debug, Clone, Default)]
pub(super) struct Numbers(Arc<Mutex<Free>>);

#[derive(Debug, Default)]
struct Free {
    /// Given back, below `next`.
    returned: BTreeSet<u64>,
    /// Never given out so far.
    next: u64,
}

impl Ordinals {
    /// For so many behaviors of the run whose places these are.
    pub(super) fn among(places: &Numbers, behaviors: usize) -> Vec<Self> {
        (0..behaviors).map(|_| Self { behavior: Numbers::default(), run: places.clone() }).collect()
    }

    pub(super) fn take(&self) -> Ordinal {
        Ordinal { behavior: self.behavior.take(), run: self.run.take() }
    }
}

impl Numbers {
    fn take(&self) -> Number {
        let mut free = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let number = free.returned.pop_first().unwrap_or_else(|| {
            free.next += 1;
            free.next - 1
        });
        Number { number, from: self.clone() }
    }
}

/// An ordinal in use; free again when this is dropped.
#[derive(Debug)]
pub(super) struct Ordinal {
    behavior: Number,
    run: Number,
}

#[derive(Debug)]
struct Number {
    number: u64,
    from: Numbers,
}

impl Ordinal {
    /// Among the users of the same behavior.
    pub(super) fn number(&self) -> u64 {
        self.behavior.number
    }

    /// Among all users of the run.
    pub(super) fn place(&self) -> u64 {
        self.run.number
    }
}

impl Drop for Number {
    fn drop(&mut self) {
        self.from.0.lock().unwrap_or_else(PoisonError::into_inner).returned.insert(self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_free_one_is_next() {
        let ordinals = Ordinals::default();
        let mut taken: Vec<_> = (0..4).map(|_| ordinals.take()).collect();
        assert_eq!(taken.iter().map(Ordinal::number).collect::<Vec<_>>(), [0, 1, 2, 3]);
        drop(taken.remove(2));
        drop(taken.remove(0));
        assert_eq!(
            [ordinals.take(), ordinals.take(), ordinals.take()].map(|taken| taken.number()),
            [0, 2, 4]
        );
    }

    #[test]
    fn behaviors_count_for_themselves_and_places_for_all() {
        let places = Numbers::default();
        let (ordinals, probes) = (Ordinals::among(&places, 2), Ordinals::among(&places, 1));
        let taken: Vec<_> = [0, 1, 1, 0].map(|behavior: usize| ordinals[behavior].take()).into();
        assert_eq!(taken.iter().map(Ordinal::number).collect::<Vec<_>>(), [0, 0, 1, 1]);
        assert_eq!(taken.iter().map(Ordinal::place).collect::<Vec<_>>(), [0, 1, 2, 3]);
        let mut taken = taken;
        taken.remove(1);
        let next = ordinals[0].take();
        assert_eq!((next.number(), next.place()), (2, 1));
        let probe = probes[0].take();
        assert_eq!((probe.number(), probe.place()), (0, 4));
    }
}
