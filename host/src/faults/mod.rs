//! Breaking things on purpose: when each fault strikes, whether it bit, how long the target took to
//! come back, and what must be undone.
//!
//! This room knows the lifecycle of a fault and nothing of what faults do. Everything that is
//! changed is in the [`Journal`] first.

mod guard;
mod horizon;
mod journal;
mod recovery;
mod steady;
mod strike;
mod timeline;
mod turn;

pub use guard::Guard;
pub use horizon::beyond_load;
pub use journal::{Journal, JournalError, Pending, Undo, pending_in};
pub use recovery::{CALM, CALM_SUCCESSES, outage, outages};
pub use steady::{Steady, check as check_steady, wait as wait_steady, wait_probed};
pub use strike::{Armed, Armory, StrikeError};
pub use timeline::Timeline;
pub use turn::Planned;
