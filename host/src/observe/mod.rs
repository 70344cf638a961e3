//! The one event stream, and what is known from it.
//!
//! Every fact of a run is an [`Event`] in one [`Stream`]; console, reports and assertions read it,
//! and nothing else. A finished run can be judged and rendered again from its directory alone.
//! Requests are not events: the recorder folds them into one [`Interval`] a second.
//!
//! This room depends on no other.

mod clock;
mod event;
mod interval;
mod stream;

pub use clock::{Clock, Nanos, nanos};
pub use event::*;
pub use interval::*;
pub use stream::{Stream, Subscription};
