//! What commands wait on.

use tokio::runtime::Builder;

use super::{Exit, speak::complain};

/// Runs a command that waits for others to its end. Two threads: load has a runtime of its own.
pub(super) fn block_on(command: impl Future<Output = Exit>) -> Exit {
    match Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime.block_on(command),
        Err(error) => complain(Exit::Internal, &format!("no runtime: {error}")),
    }
}
