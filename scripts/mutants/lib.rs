//! The modules of the host that hold definitions, and nothing else: see `scripts/mutants/run`.

// What lies in the rooms that are left out uses much of this.
#![allow(dead_code, unused_imports)]

pub mod observe;

pub mod faults {
    mod horizon;
    mod recovery;

    pub use recovery::CALM;
}

pub mod judge {
    mod answers;
    mod outcome;
}

pub mod load {
    mod ledger;

    mod recorder {
        mod endpoints;
        mod fold;
        mod sample;
        mod sparse;
        mod stretches;

        use sample::Sample;
    }
}

pub mod capability {
    pub mod ports {
        pub trait Ledger: Send + Sync {
            fn attempt(&self, behavior: &str, key: &str) -> Result<(), String>;
            fn confirm(&self, behavior: &str, key: &str) -> Result<(), String>;
            fn reject(&self, behavior: &str, key: &str) -> Result<(), String>;
        }
    }
}
