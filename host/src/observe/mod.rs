//! The one event stream, and what is known from it.
//!
//! Every fact of a run is an [`Event`] in one [`Stream`]; console, reports and assertions read it,
//! and nothing else. A finished run can be judged and rendered again from its directory alone.
//! Requests are not events: the recorder folds them into one [`Interval`] a second.
//!
//! This room depends on no other.

mod alarm;
mod clock;
mod event;
pub mod figures;
#[cfg(test)]
pub(crate) mod fixtures;
pub mod histogram;
mod hlog;
mod interval;
mod live;
mod observations;
mod outcome;
mod run_dir;
mod spool;
mod stream;

pub(crate) use alarm::Alarm;
pub use clock::{Clock, Nanos, nanos};
pub use event::*;
pub use interval::*;
pub use live::Live;
pub use observations::*;
pub use run_dir::{ReadError, Recorded, Recorder, RunDir};
pub use stream::{Stream, Subscription};
