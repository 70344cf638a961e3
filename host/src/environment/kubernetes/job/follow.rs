//! Passes on what a run inside the cluster says, and how it ended.

use std::time::Duration;

use futures::{AsyncBufRead, AsyncBufReadExt};
use k8s_openapi::api::{
    batch::v1::Job,
    core::v1::{ContainerState, Event, Pod},
};
use kube::{
    ResourceExt,
    api::{ListParams, LogParams},
};
use tokio::time::Instant;

use super::{
    super::{error::ask, view},
    CONTAINER, RunJob,
    log::Log,
};
use crate::environment::{EnvironmentError, InstanceState, Result};

/// How often a pod is looked for that is not there yet, and a log that broke off is asked for again.
const LOOK: Duration = Duration::from_secs(1);

/// A log that says nothing for so long is asked for anew: the way to it may be gone.
const SILENT_AT_MOST: Duration = Duration::from_secs(30);

/// How long the cluster may be out of sight.
const UNSEEN_AT_MOST: Duration = Duration::from_secs(300);

/// How a run inside the cluster ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// Its process ended with this code; with the cluster's word for it, such as `OOMKilled`.
    Code { code: i32, reason: String },
    /// How its process ended is not known any more, and why.
    Lost(String),
}

/// What came of following once.
enum Step {
    Ended(Ended),
    /// What is waited for.
    Waits(String),
    /// Its log broke off.
    Again,
}

impl RunJob {
    /// Passes every line of the run's log to `say`, from its beginning, and answers how the run ended.
    /// Waits for a pod that is not there yet, and tells `notice` why.
    pub async fn follow(&self, mut say: impl FnMut(&str), mut notice: impl FnMut(&str)) -> Result<Ended> {
        let job = self.newest_job().await?.name_any();
        let (mut log, mut noticed, mut unseen) = (Log::default(), String::new(), None);
        loop {
            let waits = match self.follow_once(&job, &mut log, &mut say).await {
                Ok(Step::Ended(ended)) => return Ok(ended),
                Ok(Step::Waits(why)) => {
                    unseen = None;
                    why
                }
                Ok(Step::Again) => {
                    unseen = None;
                    String::new()
                }
                Err(error @ (EnvironmentError::Unreachable(_) | EnvironmentError::TimedOut(_))) => {
                    let since: Instant = *unseen.get_or_insert_with(Instant::now);
                    if since.elapsed() >= UNSEEN_AT_MOST {
                        return Err(error);
                    }
                    format!("out of sight: {error}")
                }
                Err(error) => return Err(error),
            };
            if !waits.is_empty() && waits != noticed {
                notice(&waits);
            }
            noticed = waits;
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn follow_once(&self, job: &str, log: &mut Log, say: &mut impl FnMut(&str)) -> Result<Step> {
        let pod = self.run_pods().await?.into_iter().rfind(|pod| is_of(pod, job));
        let Some(pod) = pod else { return self.without_pod(job).await };
        let (name, ended) = (pod.name_any(), ended(&pod));
        if !has_begun(&pod) {
            return Ok(match ended {
                Some(ended) => Step::Ended(ended),
                None => Step::Waits(format!("pod '{name}' has not begun yet: {}", trouble(&pod))),
            });
        }
        let whole = self.read_log(&name, log, ended.is_some(), say).await?;
        Ok(match ended {
            // It had ended before its log was asked for, so this was all of it.
            Some(ended) if whole => Step::Ended(ended),
            _ => Step::Again,
        })
    }

    /// The pod may not have come yet, or be gone again.
    async fn without_pod(&self, job: &str) -> Result<Step> {
        let jobs = self.cluster.api::<Job>();
        let Some(found) = ask(&format!("Job '{job}'"), jobs.get_opt(job)).await? else {
            return Ok(Step::Ended(Ended::Lost(format!("Job '{job}' was deleted"))));
        };
        if let Some(ended) = ended_without_pod(&found) {
            return Ok(Step::Ended(ended));
        }
        let about = format!("involvedObject.kind=Job,involvedObject.name={job},type=Warning");
        let (events, about) = (self.cluster.api::<Event>(), ListParams::default().fields(&about));
        let complaints = ask("the events of the Job", events.list(&about)).await?.items;
        let last =
            complaints.into_iter().max_by_key(|event| event.last_timestamp.as_ref().map(|time| time.0));
        let last = last.and_then(|event| event.message);
        let because = last.map_or_else(String::new, |message| format!(": {message}"));
        Ok(Step::Waits(format!("Job '{job}' has no pod yet{because}")))
    }

    /// Answers whether the log came to its end, rather than breaking off.
    async fn read_log(
        &self,
        pod: &str,
        log: &mut Log,
        ended: bool,
        say: &mut impl FnMut(&str),
    ) -> Result<bool> {
        let parameters = LogParams {
            container: Some(CONTAINER.to_owned()),
            follow: true,
            timestamps: true,
            since_time: log.since(),
            ..LogParams::default()
        };
        let pods = self.cluster.api::<Pod>();
        let lines = ask(&format!("the log of pod '{pod}'"), pods.log_stream(pod, &parameters)).await;
        // Whatever keeps a node from showing it may pass.
        let lines = lines.map_err(|error| EnvironmentError::Unreachable(error.to_string()))?;
        Ok(pass_on(lines, log, ended, say).await)
    }
}

/// Lines up to the end, and whether that was reached. One that is cut off is passed on only if nothing can
/// follow it any more.
async fn pass_on(lines: impl AsyncBufRead, log: &mut Log, ended: bool, say: &mut impl FnMut(&str)) -> bool {
    futures::pin_mut!(lines);
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = tokio::time::timeout(SILENT_AT_MOST, lines.read_until(b'\n', &mut line)).await;
        match read {
            Ok(Ok(0)) => return true,
            Ok(Ok(_)) => {
                let whole = line.last() == Some(&b'\n');
                if !whole && !ended {
                    return false;
                }
                let text = String::from_utf8_lossy(&line);
                if let Some(text) = log.fresh(text.trim_end_matches('\n')) {
                    say(text);
                }
            }
            Ok(Err(_)) | Err(_) => return false,
        }
    }
}

fn is_of(pod: &Pod, job: &str) -> bool {
    pod.owner_references().iter().any(|owner| owner.kind == "Job" && owner.name == job)
}

fn container_state(pod: &Pod) -> Option<&ContainerState> {
    let statuses = pod.status.as_ref()?.container_statuses.as_ref()?;
    statuses.iter().find(|one| one.name == CONTAINER)?.state.as_ref()
}

fn has_begun(pod: &Pod) -> bool {
    container_state(pod).is_some_and(|state| state.running.is_some() || state.terminated.is_some())
}

/// How its process ended, if it has: a cluster takes a moment from there to say so of the whole pod.
pub(super) fn ended(pod: &Pod) -> Option<Ended> {
    if let Some(ended) = container_state(pod).and_then(|state| state.terminated.as_ref()) {
        let reason = ended.reason.clone().unwrap_or_default();
        return Some(Ended::Code { code: ended.exit_code, reason });
    }
    let status = pod.status.as_ref();
    let word = |text: Option<&String>| text.cloned().unwrap_or_default();
    (view::state(pod) == InstanceState::Ended).then(|| {
        let reason = word(status.and_then(|status| status.reason.as_ref()));
        let message = word(status.and_then(|status| status.message.as_ref()));
        Ended::Lost(format!("pod '{}' failed: {reason} {message}", pod.name_any()).trim_end().to_owned())
    })
}

fn ended_without_pod(job: &Job) -> Option<Ended> {
    let conditions = job.status.as_ref()?.conditions.as_ref()?;
    let is = |kind: &str| conditions.iter().find(|one| one.type_ == kind && one.status == "True");
    if is("Complete").is_some() {
        return Some(Ended::Code { code: 0, reason: "Completed".to_owned() });
    }
    let failed = is("Failed")?;
    let because = failed.message.clone().unwrap_or_default();
    Some(Ended::Lost(format!("Job '{}' failed, and its pod is gone: {because}", job.name_any())))
}

fn trouble(pod: &Pod) -> String {
    match view::trouble(pod) {
        nothing if nothing.is_empty() => "it is being scheduled".to_owned(),
        trouble => trouble,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(status: Value) -> Pod {
        let owners = json!([{ "apiVersion": "batch/v1", "kind": "Job", "name": "assay-x", "uid": "u" }]);
        let metadata = json!({ "name": "assay-x-1", "ownerReferences": owners });
        serde_json::from_value(json!({ "metadata": metadata, "status": status })).expect("a pod")
    }

    fn container(state: Value) -> Value {
        let status = json!({ "name": CONTAINER, "state": state, "image": "", "imageID": "", "ready": false, "restartCount": 0 });
        json!({ "phase": "Running", "containerStatuses": [status] })
    }

    #[test]
    fn a_run_ends_as_its_process_does() {
        let with = |state| pod(container(state));
        let killed = with(json!({ "terminated": { "exitCode": 137, "reason": "OOMKilled" } }));
        assert_eq!(ended(&killed), Some(Ended::Code { code: 137, reason: "OOMKilled".to_owned() }));
        assert!(has_begun(&killed) && is_of(&killed, "assay-x") && !is_of(&killed, "assay"));
        let running = with(json!({ "running": {} }));
        assert!(has_begun(&running) && ended(&running).is_none());
        let waiting = with(json!({ "waiting": { "reason": "ErrImagePull" } }));
        assert!(!has_begun(&waiting) && ended(&waiting).is_none());
        assert_eq!(trouble(&waiting), "host: ErrImagePull");
        let evicted = pod(json!({ "phase": "Failed", "reason": "Evicted", "message": "low on memory" }));
        let lost = "pod 'assay-x-1' failed: Evicted low on memory".to_owned();
        assert_eq!(ended(&evicted), Some(Ended::Lost(lost)));
    }

    #[test]
    fn without_its_pod_a_job_still_says_something() {
        let with = |kind: &str| -> Option<Ended> {
            let conditions = json!([{ "type": kind, "status": "True", "message": "too often" }]);
            let job = json!({ "metadata": { "name": "assay-x" }, "status": { "conditions": conditions } });
            ended_without_pod(&serde_json::from_value(job).expect("a Job"))
        };
        assert_eq!(with("Complete"), Some(Ended::Code { code: 0, reason: "Completed".to_owned() }));
        let lost = "Job 'assay-x' failed, and its pod is gone: too often".to_owned();
        assert_eq!(with("Failed"), Some(Ended::Lost(lost)));
        assert_eq!(with("Suspended"), None);
    }

    #[tokio::test]
    async fn a_log_that_breaks_off_in_a_line_says_it_once() {
        let (mut log, mut said) = (Log::default(), Vec::new());
        let mut say = |line: &str| said.push(line.to_owned());
        let (one, two) = ("2026-11-21T10:00:00Z one\n", "2026-11-21T10:00:01Z two\n");
        let cut = format!("{one}{}", &two[..two.len() - 3]);
        assert!(!pass_on(cut.as_bytes(), &mut log, false, &mut say).await);
        let all = format!("{one}{two}2026-11-21T10:00:02Z three");
        assert!(pass_on(all.as_bytes(), &mut log, true, &mut say).await);
        assert_eq!(said, ["one", "two", "three"]);
    }
}
