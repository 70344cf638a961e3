//! What is known about the database: there, or away.

use std::sync::atomic::{AtomicU64, Ordering};

/// Open while the database is away, as an electric circuit is: nothing flows.
///
/// Counts its openings and closings, so that it is odd while open. Whoever uses the database
/// remembers the count; one who was waiting since before an outage and gives up after it then says nothing about
/// the database as it is now.
#[derive(Debug, Default)]
pub(super) struct Circuit(AtomicU64);

/// The count while the circuit was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Epoch(u64);

impl Circuit {
    /// The present epoch, or nothing while requests are to be refused at once.
    pub(super) fn epoch(&self) -> Option<Epoch> {
        let count = self.0.load(Ordering::Acquire);
        count.is_multiple_of(2).then_some(Epoch(count))
    }

    /// Notes that the database is away. True for the one who noticed first and has to look for it.
    pub(super) fn open(&self, seen_in: Epoch) -> bool {
        self.0.compare_exchange(seen_in.0, seen_in.0 + 1, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Notes that the database is back; for the one who opened.
    pub(super) fn close(&self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_looks_while_all_are_refused() {
        let circuit = Circuit::default();
        let before = circuit.epoch().expect("closed at first");
        assert!(circuit.open(before));
        assert!(!circuit.open(before), "someone looks already");
        assert_eq!(circuit.epoch(), None);
        circuit.close();
        assert!(!circuit.open(before), "old news");
        let after = circuit.epoch().expect("closed again");
        assert!(circuit.open(after));
    }
}
