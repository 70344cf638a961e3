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

/// How much of a stream is read at a time.
const PIECE: usize = 64 << 10;

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
        let mut stdout = Vec::new();
        let running = self.attach(pod, command, |piece| {
            keep(&mut stdout, piece);
            Ok(())
        });
        let ran = tokio::time::timeout(timeout, running).await;
        let (exit_code, stderr) = match ran {
            Ok(Ok(Some(ended))) => ended,
            Ok(Ok(None)) => return Ok(Ran::CutOff),
            Ok(Err(error)) => return Err(error),
            Err(_) => {
                let what = what(pod, command);
                return Err(EnvironmentError::TimedOut(format!("{what} did not end in {timeout:?}")));
            }
        };
        let stdout = String::from_utf8_lossy(&stdout).into_owned();
        Ok(Ran::Ended(ExecOutput { exit_code, stdout, stderr }))
    }

    /// Hands over all that a command in the pod's main container says, piece by piece, however much it is.
    /// The command has to succeed.
    pub(super) async fn stream_from(
        &self,
        pod: &Pod,
        command: &[String],
        timeout: Duration,
        take: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let what = what(pod, command);
        match tokio::time::timeout(timeout, self.attach(pod, command, take)).await {
            Ok(Ok(Some((0, _)))) => Ok(()),
            Ok(Ok(Some((code, stderr)))) => {
                Err(EnvironmentError::Other(format!("{what} failed with {code}: {}", stderr.trim())))
            }
            Ok(Ok(None)) => {
                Err(EnvironmentError::Unreachable(format!("the connection ended before {what} did")))
            }
            Ok(Err(error)) => Err(error),
            Err(_) => Err(EnvironmentError::TimedOut(format!("{what} did not end in {timeout:?}"))),
        }
    }

    /// Answers exit code and complaints; absent if the connection ended before the command did.
    async fn attach(
        &self,
        pod: &Pod,
        command: &[String],
        mut take: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<Option<(i32, String)>> {
        let what = what(pod, command);
        let parameters = AttachParams {
            container: view::main_container(pod),
            max_stdout_buf_size: Some(PIECE),
            ..AttachParams::default()
        };
        let attached = self.api::<Pod>().exec(&view::name(&pod.metadata), command, &parameters).await;
        let mut attached = attached.map_err(|error| from_kube(&what, &error))?;
        let (stdout, stderr, status) = (attached.stdout(), attached.stderr(), attached.take_status());
        let mut complaints = Vec::new();
        let complain = |piece: &[u8]| {
            keep(&mut complaints, piece);
            Ok(())
        };
        tokio::try_join!(all(stdout, &mut take), all(stderr, complain))?;
        let status = match status {
            Some(status) => status.await,
            None => None,
        };
        let Some(status) = status else { return Ok(None) };
        let exit_code = exit_code(&status).ok_or_else(|| {
            EnvironmentError::Conflict(format!(
                "{what}: {}",
                status.message.as_deref().unwrap_or("it did not run")
            ))
        })?;
        Ok(Some((exit_code, String::from_utf8_lossy(&complaints).into_owned())))
    }

    /// The pod of an instance: none of Assay's own.
    pub(super) async fn instance_pod(&self, name: &str) -> Result<Pod> {
        let pod = self.pod(name).await?;
        match view::is_own(&pod.metadata) {
            true => Err(EnvironmentError::Conflict(format!(
                "pod '{name}' is Assay's own, and never an instance of the target"
            ))),
            false => Ok(pod),
        }
    }

    /// The pod as it is now.
    pub(super) async fn pod(&self, name: &str) -> Result<Pod> {
        ask(&format!("instance '{name}'"), self.api::<Pod>().get(name)).await
    }
}

/// How errors call a command.
fn what(pod: &Pod, command: &[String]) -> String {
    let program = command.first().map(String::as_str).unwrap_or_default();
    format!("'{program}' in '{}'", view::name(&pod.metadata))
}

/// Hands over all of a stream.
async fn all(
    stream: Option<impl AsyncRead + Unpin>,
    mut take: impl FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let Some(mut stream) = stream else { return Ok(()) };
    let mut piece = vec![0; PIECE];
    // An error is the end of the stream; why it ended is in the status.
    while let Ok(count @ 1..) = stream.read(&mut piece).await {
        take(&piece[..count])?;
    }
    Ok(())
}

/// The beginning is kept; the rest was read, so that nobody waits.
fn keep(kept: &mut Vec<u8>, piece: &[u8]) {
    let room = KEPT.saturating_sub(kept.len());
    kept.extend_from_slice(&piece[..piece.len().min(room)]);
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
        let long = vec![b'x'; 3 * KEPT + 1];
        let (mut kept, mut whole) = (Vec::new(), 0);
        let take = |piece: &[u8]| {
            keep(&mut kept, piece);
            whole += piece.len();
            Ok(())
        };
        all(Some(long.as_slice()), take).await.expect("it is taken");
        assert_eq!((kept.len(), whole), (KEPT, long.len()));
        let refuse = |_: &[u8]| Err(EnvironmentError::Other("full".to_owned()));
        assert!(all(Some(long.as_slice()), refuse).await.is_err());
        assert!(all(None::<&[u8]>, refuse).await.is_ok());
    }
}
