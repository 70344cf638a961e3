//! Ordinals of a behavior's users: what they pick an account by.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

/// Hands out the smallest free ordinal, so that a user who takes another's place takes over its
/// account, and as few accounts are used as users live at once.
#[derive(Debug, Clone, Default)]
pub(super) struct Ordinals(Arc<Mutex<Free>>);

#[derive(Debug, Default)]
struct Free {
    /// Given back, below `next`.
    returned: BTreeSet<u64>,
    /// Never given out so far.
    next: u64,
}

impl Ordinals {
    pub(super) fn take(&self) -> Ordinal {
        let mut free = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let number = free.returned.pop_first().unwrap_or_else(|| {
            free.next += 1;
            free.next - 1
        });
        Ordinal { number, from: self.clone() }
    }
}

/// An ordinal in use; free again when this is dropped.
#[derive(Debug)]
pub(super) struct Ordinal {
    number: u64,
    from: Ordinals,
}

impl Ordinal {
    pub(super) fn number(&self) -> u64 {
        self.number
    }
}

impl Drop for Ordinal {
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
}
