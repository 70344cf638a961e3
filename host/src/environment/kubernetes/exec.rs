//! Commands inside pods, as `kubectl exec` runs them.

use std::time::Duration;

use k8s_openapi::{api::core::v1::Pod, apimachinery::pkg::apis::meta::v1::Status};
use kube::api::AttachParams;
use tokio::io::{AsyncRead, AsyncReadExt};

use super::{
    Kubernetes,
    error::{ask, from_kube},
    view,
};
use crate::environment::{EnvironmentError, ExecOutput, Result};

/// Most that is kept of each stream.
const KEPT: usize = 64 << 10;

/// What came of a command that was begun.
pub(super) enum Ran {
    Ended(ExecOutput),
    /// The connection ended before the command did.
    CutOff,
}

impl Kubernetes {
    /// Runs a command in the pod's main container. When the time is over, it is no longer waited for;
    /// there is no way to end it.
    pub(super) async fn run_in(&self, pod: &Pod, command: &[String], timeout: Duration) -> Result<Ran> {
        let name = view::name(&pod.metadata);
        let what = format!("'{}' in '{name}'", command.first().map(String::as_str).unwrap_or_default());
        let running = self.attach(pod, &name, &what, command);
        let ran = tokio::time::timeout(timeout, running).await;
        ran.unwrap_or_else(|_| Err(EnvironmentError::TimedOut(format!("{what} did not end in {timeout:?}"))))
    }

    async fn attach(&self, pod: &Pod, name: &str, what: &str, command: &[String]) -> Result<Ran> {
        let parameters = AttachParams { container: view::main_container(pod), ..AttachParams::default() };
        let attached = self.api::<Pod>().exec(name, command, &parameters).await;
        let mut attached = attached.map_err(|error| from_kube(what, &error))?;
        let (stdout, stderr, status) = (attached.stdout(), attached.stderr(), attached.take_status());
        let (stdout, stderr) = tokio::join!(bounded(stdout), bounded(stderr));
        let status = match status {
            Some(status) => status.await,
            None => None,
        };
        let Some(status) = status else { return Ok(Ran::CutOff) };
        let exit_code = exit_code(&status).ok_or_else(|| {
            EnvironmentError::Conflict(format!(
                "{what}: {}",
                status.message.as_deref().unwrap_or("it did not run")
            ))
        })?;
        Ok(Ran::Ended(ExecOutput { exit_code, stdout, stderr }))
    }

    /// The pod as it is now.
    pub(super) async fn pod(&self, name: &str) -> Result<Pod> {
        ask(&format!("instance '{name}'"), self.api::<Pod>().get(name)).await
    }
}

/// All of a stream is read, so that nobody waits; the beginning of it is kept.
async fn bounded(stream: Option<impl AsyncRead + Unpin>) -> String {
    let Some(mut stream) = stream else { return String::new() };
    let (mut kept, mut piece) = (Vec::new(), vec![0; 8 << 10]);
    // An error is the end of the stream; why it ended is in the status.
    while let Ok(count @ 1..) = stream.read(&mut piece).await {
        let room = KEPT.saturating_sub(kept.len());
        kept.extend_from_slice(&piece[..count.min(room)]);
    }
    String::from_utf8_lossy(&kept).into_owned()
}

fn exit_code(status: &Status) -> Option<i32> {
    if status.status.as_deref() == Some("Success") {
        return Some(0);
    }
    let causes = status.details.as_ref()?.causes.as_ref()?;
    let cause = causes.iter().find(|cause| cause.reason.as_deref() == Some("ExitCode"))?;
    cause.message.as_ref()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn exit_codes_are_found_in_the_status() {
        let code = |status| exit_code(&serde_json::from_value(status).expect("a status"));
        assert_eq!(code(json!({ "status": "Success" })), Some(0));
        let ended = json!({
            "status": "Failure", "reason": "NonZeroExitCode",
            "details": { "causes": [{ "reason": "ExitCode", "message": "7" }] },
        });
        assert_eq!(code(ended), Some(7));
        assert_eq!(code(json!({ "status": "Failure", "message": "no such container" })), None);
    }

    #[tokio::test]
    async fn long_output_is_read_to_its_end_and_cut() {
        let long = vec![b'x'; KEPT + 1];
        assert_eq!(bounded(Some(long.as_slice())).await.len(), KEPT);
        assert_eq!(bounded(None::<&[u8]>).await, "");
    }
}
