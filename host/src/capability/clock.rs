//! Time, as the run knows it.

use std::time::{Duration, SystemTime};

use assay_bindings::imports::{
    clock,
    types::{Failure, Nanos},
};

use crate::plugin::Sandbox;

const LONGEST_SLEEP: Duration = Duration::from_secs(60);

impl clock::Host for Sandbox {
    fn now(&mut self) -> wasmtime::Result<Nanos> {
        Ok(self.clock().now())
    }

    fn wall(&mut self) -> wasmtime::Result<clock::WallTime> {
        let clock = self.clock();
        let since = clock.wall(clock.now()).duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Ok(clock::WallTime { seconds: since.as_secs(), nanos: since.subsec_nanos() })
    }

    async fn sleep(&mut self, duration: Nanos) -> wasmtime::Result<Result<(), Failure>> {
        let duration = Duration::from_nanos(duration);
        if duration > LONGEST_SLEEP {
            let text = format!("a sleep of {duration:?}; at most {LONGEST_SLEEP:?} are allowed");
            return Ok(Err(Failure::Invalid(text)));
        }
        let allowed = self.time_for(duration);
        tokio::time::sleep(allowed).await;
        Ok(match allowed == duration {
            true => Ok(()),
            false => {
                Err(Failure::TimedOut(format!("the call's deadline came before {duration:?} were over")))
            }
        })
    }
}
