//! Ending pods, or stopping them, in the manner that was asked for.
//!
//! A pod's own object is all that a cluster offers, and deleting it is never a crash: its programs are
//! asked to end first. Where the containers of a pod share one process namespace, a shell in it can do what
//! a kernel would: stop every process, so that none answers anything any more, and kill them. A pod that
//! is to be held keeps its object by a finalizer until [`Kubernetes::let_go`]: no controller puts another in
//! its place while it is there.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, Preconditions};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    FROZEN, HOLD, Kubernetes,
    error::{absent_is_fine, ask, merge},
    exec::Ran,
    view,
};
use crate::{
    environment::{EnvironmentError, InstanceState, Manner, Result},
    observe::{Fact, InstanceChange, InstanceEvent},
};

/// How long a signal to all processes of a pod may take.
const SIGNALLED_WITHIN: Duration = Duration::from_secs(20);

/// How long a cluster takes to notice that all processes of a pod have ended: a kubelet looks once a second.
const NOTICED_WITHIN: Duration = Duration::from_secs(5);

/// For how long they are killed again if it does not.
const ENDED_WITHIN: Duration = Duration::from_secs(20);

/// The exit code of a shell that was killed.
const KILLED: i32 = 137;

/// Sends a signal to every process of the pod but the first, which only keeps its namespaces, and this
/// shell; goes round until there is no new one, because a process that is not stopped yet may fork.
const SIGNAL_ALL: &str = r#"
seen=" "; again=1; count=0
while [ $again = 1 ]; do
  again=0
  for path in /proc/[0-9]*; do
    pid=${path#/proc/}
    case $pid in 1|$$) continue ;; esac
    case $seen in *" $pid "*) continue ;; esac
    if kill -s "$0" "$pid" 2>/dev/null; then
      seen="$seen$pid "; again=1; count=$((count + 1))
    elif [ -d "$path" ]; then
      echo "process $pid may not be signalled" >&2; exit 3
    fi
  done
done
echo $count
"#;

impl Kubernetes {
    pub(super) async fn end(&self, name: &str, uid: &str, manner: Manner, hold: bool) -> Result<String> {
        let pod = self.instance_pod(name).await?;
        let now = view::instance(&pod, &self.stream.clock()).uid;
        if now != uid {
            return Err(EnvironmentError::Conflict(format!(
                "instance '{name}' is now '{now}', no longer '{uid}'"
            )));
        }
        match manner {
            Manner::Graceful => self.delete(&pod, hold, None).await.map(|()| {
                let grace = pod.spec.as_ref().and_then(|spec| spec.termination_grace_period_seconds).unwrap_or(30);
                format!("its object deleted: SIGTERM to its programs, SIGKILL after {grace} s")
            }),
            Manner::Crash if shares_processes(&pod) => self.crash(&pod, hold).await,
            Manner::Crash => self.delete(&pod, hold, Some(0)).await.map(|()| {
                "its object deleted without grace; without shareProcessNamespace its programs are still asked first, \
                 so this was not a crash"
                    .to_owned()
            }),
            Manner::Freeze if shares_processes(&pod) => self.freeze(&pod).await,
            Manner::Freeze => Err(EnvironmentError::Unsupported(format!(
                "instance '{name}' cannot be frozen: its pod template needs shareProcessNamespace: true"
            ))),
        }
    }

    async fn crash(&self, pod: &Pod, hold: bool) -> Result<String> {
        let name = view::name(&pod.metadata);
        if hold {
            self.hold(pod).await?;
            // Stopped processes cannot answer the signal that the deletion sends them.
            self.signal_all(pod, "STOP").await?;
            self.delete_object(pod, None).await?;
        }
        let count = self.kill_all(pod).await?;
        let count =
            count.map_or_else(|| "every process".to_owned(), |count| format!("its {count} processes"));
        Ok(match hold {
            true => format!("SIGSTOP to all of '{name}', its object deleted and held, SIGKILL to {count}"),
            false => format!("SIGKILL to {count} of '{name}'"),
        })
    }

    /// Kills until the cluster says that the processes have ended: the way to a shell in the pod leads over
    /// several programs, each of which may fail. Answers how many there were, if the shell lived to say so.
    async fn kill_all(&self, pod: &Pod) -> Result<Option<u32>> {
        let deadline = Instant::now() + ENDED_WITHIN;
        loop {
            let killed = self.signal_all(pod, "KILL").await;
            if self.ended_since(pod).await? {
                return Ok(killed.unwrap_or_default());
            }
            if Instant::now() >= deadline {
                let because = killed.err().map_or_else(String::new, |error| format!(": {error}"));
                let name = view::name(&pod.metadata);
                return Err(EnvironmentError::TimedOut(format!(
                    "instance '{name}' still runs after {ENDED_WITHIN:?} of killing its processes{because}"
                )));
            }
        }
    }

    /// Waits a while for the cluster to notice that the processes it knew have ended.
    async fn ended_since(&self, before: &Pod) -> Result<bool> {
        let (name, uid) = (view::name(&before.metadata), view::instance(before, &self.stream.clock()).uid);
        let deadline = Instant::now() + NOTICED_WITHIN;
        loop {
            match self.pod(&name).await {
                Err(EnvironmentError::NotFound(_)) => return Ok(true),
                Err(error) => return Err(error),
                Ok(pod) => {
                    let now = view::instance(&pod, &self.stream.clock());
                    if now.uid != uid || now.state == InstanceState::Ended || has_ended_container(&pod) {
                        return Ok(true);
                    }
                }
            }
            if Instant::now() >= deadline {
                return Ok(false);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn freeze(&self, pod: &Pod) -> Result<String> {
        let run = self.run()?;
        // First, so that whoever finds the pod hanging can see why.
        self.change(pod, &json!({ "metadata": { "annotations": { FROZEN: run } } })).await?;
        let count = self.signal_all(pod, "STOP").await?;
        let count = count.map_or_else(|| "all".to_owned(), |count| format!("its {count}"));
        let means = format!("SIGSTOP to {count} processes");
        self.tell(pod, InstanceEvent::Frozen, &means);
        let watched = view::containers(pod).iter().any(|container| container.liveness_probe.is_some());
        Ok(if watched { format!("{means}; its liveness probe will end it") } else { means })
    }

    async fn delete(&self, pod: &Pod, hold: bool, grace: Option<u32>) -> Result<()> {
        if hold {
            self.hold(pod).await?;
        }
        self.delete_object(pod, grace).await
    }

    async fn delete_object(&self, pod: &Pod, grace_period_seconds: Option<u32>) -> Result<()> {
        let name = view::name(&pod.metadata);
        let preconditions = Some(Preconditions { uid: pod.metadata.uid.clone(), resource_version: None });
        let parameters = DeleteParams { grace_period_seconds, preconditions, ..DeleteParams::default() };
        let pods = self.api::<Pod>();
        absent_is_fine(ask(&format!("deleting '{name}'"), pods.delete(&name, &parameters)).await)
    }

    async fn hold(&self, pod: &Pod) -> Result<()> {
        if view::is_held(pod) {
            return Ok(());
        }
        let mut finalizers = pod.metadata.finalizers.clone().unwrap_or_default();
        finalizers.push(HOLD.to_owned());
        let run = self.run()?;
        // With the version that was read: another's finalizer must not be overwritten.
        let version = &pod.metadata.resource_version;
        let patch = json!({ "metadata": {
            "resourceVersion": version, "finalizers": finalizers, "annotations": { HOLD: run },
        } });
        self.change(pod, &patch).await?;
        self.tell(pod, InstanceEvent::Held, "its object is kept until it is released");
        Ok(())
    }

    /// Lets a held pod go and a frozen one go on; without effect on any other.
    pub(super) async fn let_go(&self, name: &str) -> Result<()> {
        let pod = match self.pod(name).await {
            Ok(pod) => pod,
            Err(EnvironmentError::NotFound(_)) => return Ok(()),
            Err(error) => return Err(error),
        };
        let frozen = pod.metadata.annotations.as_ref().is_some_and(|all| all.contains_key(FROZEN));
        if frozen {
            if !matches!(view::state(&pod), InstanceState::Ended | InstanceState::Pending) {
                self.signal_all(&pod, "CONT").await?;
            }
            self.change(&pod, &json!({ "metadata": { "annotations": { FROZEN: null } } })).await?;
            self.tell(&pod, InstanceEvent::Resumed, "SIGCONT to all its processes");
        }
        if view::is_held(&pod) {
            let pod = self.pod(name).await?;
            let others =
                pod.metadata.finalizers.iter().flatten().filter(|one| *one != HOLD).collect::<Vec<_>>();
            let patch = json!({ "metadata": {
                "resourceVersion": pod.metadata.resource_version,
                "finalizers": others,
                "annotations": { HOLD: null },
            } });
            absent_is_fine(self.change(&pod, &patch).await)?;
            self.tell(&pod, InstanceEvent::Released, "");
        }
        Ok(())
    }

    /// Answers how many processes got it; unknown if the shell that sent it ended with them.
    async fn signal_all(&self, pod: &Pod, signal: &str) -> Result<Option<u32>> {
        let command = ["sh", "-c", SIGNAL_ALL, signal].map(str::to_owned);
        let output = match self.run_in(pod, &command, SIGNALLED_WITHIN).await? {
            Ran::CutOff => return Ok(None),
            Ran::Ended(output) => output,
        };
        match output.exit_code {
            0 => Ok(output.stdout.trim().parse().ok()),
            KILLED => Ok(None),
            code => Err(EnvironmentError::Other(format!(
                "SIG{signal} to all of '{}' failed with {code}: {}",
                view::name(&pod.metadata),
                output.stderr.trim()
            ))),
        }
    }

    async fn change(&self, pod: &Pod, patch: &Value) -> Result<()> {
        let name = view::name(&pod.metadata);
        merge(&format!("marking '{name}'"), &self.api::<Pod>(), &name, patch).await.map(drop)
    }

    fn tell(&self, pod: &Pod, change: InstanceEvent, detail: &str) {
        self.stream.tell(Fact::Instance(InstanceChange {
            instance: view::name(&pod.metadata),
            workload: view::workload_name(pod),
            node: view::node_name(pod),
            change,
            detail: detail.to_owned(),
        }));
    }
}

fn shares_processes(pod: &Pod) -> bool {
    pod.spec.as_ref().and_then(|spec| spec.share_process_namespace).unwrap_or(false)
}

fn has_ended_container(pod: &Pod) -> bool {
    let statuses =
        pod.status.as_ref().and_then(|status| status.container_statuses.as_deref()).unwrap_or_default();
    statuses.iter().any(|one| {
        one.state.as_ref().is_some_and(|state| state.terminated.is_some() || state.waiting.is_some())
    })
}
