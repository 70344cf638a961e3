//! Conducts a run: preflight, profile, phases with faults, settle, audit, restore, judge, report.
//!
//! It says what happens when, and leaves the work to the other rooms.

mod cast;
mod circumstances;
mod conduct;
mod identity;
mod job;
mod judge_again;
mod network;
mod place;
mod plan;
mod preflight;
mod rack;
mod recover;
mod settle;
mod unfinished;
mod users;
mod watch;

pub use cast::{Cast, CastError};
pub use conduct::{Finished, Options, RunError, conduct};
pub use identity::fresh_seed;
pub use job::{JobError, JobOrder, job_manifests};
pub use judge_again::{JudgeAgainError, JudgedAgain, judge_again};
pub use place::calls;
pub(crate) use place::{Place, planned};
pub use plan::Plan;
pub(crate) use plan::plan;
pub use recover::{Recovered, recover, recover_by_config};
