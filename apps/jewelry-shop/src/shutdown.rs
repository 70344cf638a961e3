//! The end of a process: SIGTERM and SIGINT, told to everyone who waits for them.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Cheap to clone; every clone is told.
#[derive(Debug, Clone)]
pub(crate) struct Shutdown(watch::Receiver<bool>);

impl Shutdown {
    /// Starts listening for the signals.
    pub(crate) fn on_signal() -> anyhow::Result<Self> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let (tell, told) = watch::channel(false);
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            tracing::info!("stopping");
            tell.send_replace(true);
            // The channel must outlive the signal, or late listeners would see it closed.
            tell.closed().await;
        });
        Ok(Self(told))
    }

    /// Resolves once the process is to end.
    pub(crate) async fn wait(&mut self) {
        // An error means that the sender is gone, which only happens while the runtime ends.
        let _ = self.0.wait_for(|stopping| *stopping).await;
    }

    /// Whether the process is to end.
    pub(crate) fn is_set(&self) -> bool {
        *self.0.borrow()
    }
}
