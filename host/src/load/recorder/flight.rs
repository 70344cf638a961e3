//! A request on its way, so that none is ever forgotten.

use std::sync::atomic::Ordering;

use crate::observe::{ErrorClass, Nanos};

use super::{Recorder, Sample};

/// A request that was begun and has not ended. Counted as in flight until then.
///
/// Dropped without an end, it was given up from outside. If its deadline had passed, that is a
/// timeout and recorded as one; otherwise the load was cut off in its middle: nobody knows how it
/// would have ended, so it stays in flight, and the last interval says so.
#[derive(Debug)]
pub struct Flight<'a> {
    recorder: &'a Recorder,
    endpoint: u32,
    intended: Nanos,
    sent: Nanos,
    deadline: Nanos,
    over: bool,
}

/// What a request came to.
#[derive(Debug, Clone, Copy, Default)]
pub struct Landing {
    pub status: Option<u16>,
    pub failure: Option<ErrorClass>,
    pub bytes_sent: u64,
    pub bytes_received: u64,
}

impl Recorder {
    /// Begins a request, which is sent now. `intended` is when it should have been, if that was earlier.
    pub fn begin(&self, endpoint: u32, sent: Nanos, intended: Option<Nanos>, deadline: Nanos) -> Flight<'_> {
        self.shard().in_flight.fetch_add(1, Ordering::Relaxed);
        Flight {
            recorder: self,
            endpoint,
            intended: intended.unwrap_or(sent).min(sent),
            sent,
            deadline,
            over: false,
        }
    }
}

impl Flight<'_> {
    /// Ends it now. The sample is the caller's, to be recorded once it is sure.
    pub fn land(mut self, landing: Landing) -> Sample {
        self.end(landing)
    }

    fn end(&mut self, landing: Landing) -> Sample {
        self.over = true;
        self.recorder.shard().in_flight.fetch_sub(1, Ordering::Relaxed);
        Sample {
            endpoint: self.endpoint,
            status: landing.status,
            failure: landing.failure,
            intended: self.intended,
            sent: self.sent,
            ended: self.recorder.clock().now(),
            bytes_sent: landing.bytes_sent,
            bytes_received: landing.bytes_received,
        }
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        if !self.over && self.recorder.clock().now() >= self.deadline {
            let sample = self.end(Landing { failure: Some(ErrorClass::Timeout), ..Landing::default() });
            self.recorder.record(sample);
        }
    }
}
