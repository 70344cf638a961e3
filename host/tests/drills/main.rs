//! Drills on the reference shop, in one lab that they share.
//!
//! A lab of the shop takes its time to start, and a drill puts back whatever it changed: so the lab is kept up among
//! these tests, and each makes sure that it leaves the lab whole. What a drill does not put back, no other depends on: who
//! is the primary, every drill asks. Tests that need another lab are in other binaries, so that this one is not up beside
//! what they measure: the main job, whose lab starts and ends with it (`end_to_end`), and those of the ledger, whose
//! stacks replicate otherwise (`ledger`).

#[path = "../support/mod.rs"]
mod support;

mod failovers;
mod kills;
mod sessions;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use support::{kept_lab::KeptLab, kills::Platform, project};

/// The lab, once somebody has needed it. Whoever waits for a turn holds on to it, and so it stays up for the next test
/// and ends with the last.
#[derive(Default)]
struct Shared(Mutex<Option<KeptLab>>);

impl Shared {
    fn lab() -> Arc<Self> {
        static LAB: Mutex<Weak<Shared>> = Mutex::new(Weak::new());
        let mut known = LAB.lock().unwrap_or_else(PoisonError::into_inner);
        known.upgrade().unwrap_or_else(|| {
            let new = Arc::default();
            *known = Arc::downgrade(&new);
            new
        })
    }

    /// Waits until no other test is at work. What one has left that failed is none of the next one's business, which
    /// gets a new lab.
    fn turn(&self) -> MutexGuard<'_, Option<KeptLab>> {
        self.0.lock().unwrap_or_else(|failed| {
            self.0.clear_poison();
            let mut lab = failed.into_inner();
            *lab = None;
            lab
        })
    }
}

/// Runs a test in the lab, alone, and asserts that nothing of it is left.
fn in_the_lab(test: impl FnOnce(&KeptLab)) {
    let shared = Shared::lab();
    let mut turn = shared.turn();
    let stack = project().join("config/stacks/jewelry-shop.toml");
    let lab = turn.get_or_insert_with(|| KeptLab::start(&stack));
    test(lab);
    lab.whole();
    assert_eq!(lab.left(), [""; 0], "left in the lab");
}
