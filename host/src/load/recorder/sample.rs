//! One request, as it is remembered for a second or two.

use crate::observe::{ErrorClass, Nanos};

/// A request that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// What the recorder calls its endpoint.
    pub endpoint: u32,
    /// Absent if there was no answer.
    pub status: Option<u16>,
    /// Why it failed, if it did.
    pub failure: Option<ErrorClass>,
    /// When it should have been sent. The same as `sent`, unless the generator or a plan slipped.
    pub intended: Nanos,
    /// When the client began with it; connecting, where needed, is part of it.
    pub sent: Nanos,
    /// When the last byte of its answer was there, or it was given up.
    pub ended: Nanos,
    /// As they went over the connection, heads included, below TLS not counted.
    pub bytes_sent: u64,
    pub bytes_received: u64,
}

impl Sample {
    pub fn service(&self) -> Nanos {
        self.ended.saturating_sub(self.sent)
    }

    pub fn response(&self) -> Nanos {
        self.ended.saturating_sub(self.intended.min(self.sent))
    }
}
