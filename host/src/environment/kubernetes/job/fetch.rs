//! Brings home the run directories that lie on the volume of runs inside the cluster: by a short-lived pod
//! that mounts it, whether a run goes on meanwhile or its pod is long gone.
//!
//! Every file comes with the checksum that was taken where it lay. A directory gets its name when all of
//! it is there, and one that is at home already is left alone.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    time::Duration,
};

use fs_err as fs;
use k8s_openapi::{
    api::core::v1::{Container, PersistentVolumeClaim, Pod, PodSpec},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{
    ResourceExt,
    api::{DeleteParams, PostParams},
};
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::{
    super::{
        error::{absent_is_fine, ask},
        exec::Ran,
        view,
    },
    CONTAINER, IMAGE, READER, RESULTS, RunJob, is_alive,
    manifest::{container_security, mount, pod_security, results_volume},
};
use crate::environment::{EnvironmentError, Result};

/// How long the reader may take to start.
const STARTED_WITHIN: Duration = Duration::from_secs(120);

/// How long it lives if nobody ends it.
const LIVES: i64 = 1800;

/// How long listing and checksums may take.
const LISTED_WITHIN: Duration = Duration::from_secs(120);

/// How long one file may take.
const READ_WITHIN: Duration = Duration::from_secs(600);

/// Prints the folders of runs, oldest first: those that have events.
const LIST: &str = r#"cd "$0" && for one in */events.jsonl; do [ ! -f "$one" ] || echo "${one%/*}"; done"#;

/// One file of a run's directory.
#[derive(Debug, PartialEq, Eq)]
struct Listed {
    /// Its path below the run's directory.
    path: String,
    /// SHA-256, in hexadecimal digits.
    sum: String,
}

impl RunJob {
    /// Fetches every run directory that is not below `to` yet, and says of each what became of it. Answers
    /// those that are there now. A run that goes on is left out.
    pub async fn fetch(&self, to: &Path, mut say: impl FnMut(&str)) -> Result<Vec<PathBuf>> {
        let claims = self.cluster.api::<PersistentVolumeClaim>();
        let claim = ask("the claim", claims.get_opt(&self.names.results)).await?.ok_or_else(|| {
            let claim = &self.names.results;
            EnvironmentError::NotFound(format!(
                "there are no results of {}: it has no claim '{claim}'",
                self.what()
            ))
        })?;
        let running = self.run_pods().await?.into_iter().rfind(is_alive);
        let reader = self.reader(&claim, running.as_ref())?;
        let pods = self.cluster.api::<Pod>();
        let reader = ask("the reader's pod", pods.create(&PostParams::default(), &reader)).await?;
        let fetched = self.fetch_by(&reader, running.is_some(), to, &mut say).await;
        // If this fails, the pod ends itself, and the next `cleanup` finds it.
        let at_once = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
        let gone = absent_is_fine(ask("the reader's pod", pods.delete(&reader.name_any(), &at_once)).await);
        let fetched = fetched?;
        gone.map(|()| fetched)
    }

    async fn fetch_by(
        &self,
        reader: &Pod,
        goes_on: bool,
        to: &Path,
        say: &mut impl FnMut(&str),
    ) -> Result<Vec<PathBuf>> {
        let reader = self.until_started(&reader.name_any()).await?;
        let mut runs = self.lines_of(&reader, ["sh", "-c", LIST, RESULTS]).await?;
        // Names of runs begin with the moment of their start.
        runs.sort();
        if goes_on && let Some(newest) = runs.pop() {
            say(&format!("{newest}: left out, because the Job's pod still runs"));
        }
        if runs.is_empty() && !goes_on {
            return Err(EnvironmentError::NotFound(format!("no run of {} has left anything", self.what())));
        }
        let local = |error: std::io::Error| EnvironmentError::Other(error.to_string());
        fs::create_dir_all(to).map_err(local)?;
        let mut there = Vec::new();
        for run in runs {
            let place = to.join(&run);
            if place.try_exists().map_err(local)? {
                say(&format!("{}: is there already, not fetched again", place.display()));
            } else {
                // The name says what it is, should this process be ended meanwhile.
                let unfinished = to.join(format!(".{run}.unfinished"));
                if unfinished.try_exists().map_err(local)? {
                    fs::remove_dir_all(&unfinished).map_err(local)?;
                }
                let count = self.fetch_run(&reader, &run, &unfinished).await?;
                fs::rename(&unfinished, &place).map_err(local)?;
                say(&format!("{}: {count} files", place.display()));
            }
            there.push(place);
        }
        Ok(there)
    }

    async fn fetch_run(&self, reader: &Pod, run: &str, into: &Path) -> Result<usize> {
        let below = format!("{RESULTS}/{run}");
        let sums = ["find", below.as_str(), "-type", "f", "-exec", "sha256sum", "{}", "+"];
        let files = self.lines_of(reader, sums).await?;
        let files = files.iter().map(|line| listed(line, &below)).collect::<Result<Vec<_>>>()?;
        for file in &files {
            let path = into.join(&file.path);
            let sum = self.fetch_file(reader, &format!("{below}/{}", file.path), &path).await?;
            if sum != file.sum {
                return Err(EnvironmentError::Other(format!(
                    "{run}/{} did not arrive as it is there: its SHA-256 is {}, and {sum} is what came",
                    file.path, file.sum
                )));
            }
        }
        Ok(files.len())
    }

    /// Answers the SHA-256 of what arrived.
    async fn fetch_file(&self, reader: &Pod, from: &str, to: &Path) -> Result<String> {
        let local = |error: std::io::Error| EnvironmentError::Other(error.to_string());
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder).map_err(local)?;
        }
        let mut file = fs::File::create_new(to).map_err(local)?;
        let mut sum = Sha256::new();
        let command = ["cat", from].map(str::to_owned);
        let take = |piece: &[u8]| {
            sum.update(piece);
            file.write_all(piece).map_err(local)
        };
        self.cluster.stream_from(reader, &command, READ_WITHIN, take).await?;
        Ok(sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }

    async fn lines_of<const N: usize>(&self, reader: &Pod, command: [&str; N]) -> Result<Vec<String>> {
        let what = format!("reading the volume of '{}'", self.names.results);
        match self.cluster.run_in(reader, &command.map(str::to_owned), LISTED_WITHIN).await? {
            Ran::Ended(output) if output.exit_code == 0 => {
                Ok(output.stdout.lines().map(str::to_owned).collect())
            }
            Ran::Ended(output) => Err(EnvironmentError::Other(format!(
                "{what} failed with {}: {}",
                output.exit_code,
                output.stderr.trim()
            ))),
            Ran::CutOff => Err(EnvironmentError::Unreachable(format!("{what}: the connection broke off"))),
        }
    }

    /// A pod that does nothing but mount the volume, on the node of the run's pod if there is one: most
    /// volumes can be on one node at a time.
    fn reader(&self, claim: &PersistentVolumeClaim, running: Option<&Pod>) -> Result<Pod> {
        let image = claim.metadata.annotations.as_ref().and_then(|all| all.get(IMAGE)).cloned();
        let image = image.ok_or_else(|| {
            EnvironmentError::Invalid(format!(
                "claim '{}' does not say which image can read it: its annotation {IMAGE} is missing",
                self.names.results
            ))
        })?;
        Ok(Pod {
            metadata: ObjectMeta {
                name: Some(format!("{}-reader-{:08x}", self.names.job, rand::random::<u32>())),
                labels: Some(self.names.pod_labels(READER)),
                ..ObjectMeta::default()
            },
            spec: Some(PodSpec {
                active_deadline_seconds: Some(LIVES),
                automount_service_account_token: Some(false),
                containers: vec![Container {
                    name: CONTAINER.to_owned(),
                    image: Some(image),
                    image_pull_policy: Some("IfNotPresent".to_owned()),
                    command: Some(vec!["sleep".to_owned(), LIVES.to_string()]),
                    security_context: Some(container_security()),
                    volume_mounts: Some(vec![mount("results", RESULTS, true)]),
                    ..Container::default()
                }],
                node_name: running.map(view::node_name).filter(|node| !node.is_empty()),
                restart_policy: Some("Never".to_owned()),
                security_context: Some(pod_security()),
                volumes: Some(vec![results_volume(self.names.results.clone(), true)]),
                ..PodSpec::default()
            }),
            status: None,
        })
    }

    async fn until_started(&self, name: &str) -> Result<Pod> {
        let deadline = Instant::now() + STARTED_WITHIN;
        loop {
            let pod = self.cluster.pod(name).await?;
            let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or_default();
            let trouble = view::trouble(&pod);
            match phase {
                "Running" => return Ok(pod),
                "Failed" | "Succeeded" => {
                    return Err(EnvironmentError::Conflict(format!("pod '{name}' ended: {trouble}")));
                }
                _ if Instant::now() >= deadline => {
                    return Err(EnvironmentError::TimedOut(format!(
                        "pod '{name}' has not started after {STARTED_WITHIN:?}: {trouble}"
                    )));
                }
                _ => tokio::time::sleep(Duration::from_millis(250)).await,
            }
        }
    }
}

/// A line of `sha256sum`.
fn listed(line: &str, below: &str) -> Result<Listed> {
    let parts = line.split_once("  ").and_then(|(sum, path)| {
        let path = path.strip_prefix(below)?.strip_prefix('/')?;
        let plain = path.split('/').all(|part| !matches!(part, "" | "." | ".."));
        let is_sum = sum.len() == 64 && sum.chars().all(|c| c.is_ascii_hexdigit());
        (plain && is_sum).then(|| Listed { path: path.to_owned(), sum: sum.to_owned() })
    });
    parts.ok_or_else(|| EnvironmentError::Other(format!("`{line}` is no file of a run with its checksum")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_listed_with_their_sums() {
        let sum = "a".repeat(64);
        let line = format!("{sum}  /results/run-1/parts/events.jsonl");
        let file = Listed { path: "parts/events.jsonl".to_owned(), sum: sum.clone() };
        assert_eq!(listed(&line, "/results/run-1").expect("a file"), file);
        for path in ["/results/run-1/../x", "/results/run-2/x", "/etc/passwd", "/results/run-1//etc"] {
            assert!(listed(&format!("{sum}  {path}"), "/results/run-1").is_err(), "{path}");
        }
        assert!(listed("sha256sum: no such file", "/results/run-1").is_err());
    }
}
