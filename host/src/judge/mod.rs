//! Runs assertions over observations, and says how the run as a whole turned out.
//!
//! It reads observations and nothing else: the same run directory judged again gives the same
//! verdicts.

mod answers;
mod evaluate;
mod outcome;

pub use evaluate::{Judge, awaiting, evaluate};
pub use outcome::{Circumstances, decide};
