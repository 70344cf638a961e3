//! All objects that make a run inside the cluster.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::{
    api::{
        batch::v1::{CronJob, CronJobSpec, Job, JobSpec, JobTemplateSpec},
        core::v1::{
            Capabilities, ConfigMapVolumeSource, Container, EmptyDirVolumeSource, EnvVar,
            PersistentVolumeClaim, PersistentVolumeClaimSpec, PersistentVolumeClaimVolumeSource,
            PodSecurityContext, PodSpec, PodTemplateSpec, ResourceRequirements, SeccompProfile,
            SecurityContext, ServiceAccount, Volume, VolumeMount, VolumeResourceRequirements,
        },
    },
    apimachinery::pkg::{api::resource::Quantity, apis::meta::v1::ObjectMeta},
};

use super::{
    super::{
        access::{Access, Account},
        permissions::Right,
        quantity::bytes,
        yaml::Documents,
    },
    CONTAINER, IMAGE, Names, RESULTS, RUN, files,
};
use crate::{
    environment::{EnvironmentError, Result},
    observe::Labels,
};

/// Longest name of a CronJob: what it makes has the moment behind its name.
const LONGEST_NAME: usize = 52;

/// Where the run config's files are.
const CONFIG: &str = "/config";

/// The only place that can be written beside the results.
const SCRATCH: &str = "/tmp";

/// Nobody in particular, but not root.
const USER: i64 = 1000;

/// For how long a run that is told to end may put back what it changed, and report.
pub(super) const GRACE_SECONDS: i64 = 120;

/// What a Job is made from.
#[derive(Debug, Clone)]
pub struct JobSettings {
    /// The run config's name.
    pub name: String,
    pub namespace: String,
    /// An image with `host` on its path, and `sh`, `cat`, `find` and `sha256sum` to read the results.
    pub image: String,
    /// What its account may do.
    pub rights: BTreeSet<Right>,
    /// The run config's files by their paths below its folder, at most [`MOST_FILES`](super::MOST_FILES) bytes.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Which of them is the run config itself.
    pub config: String,
    /// What `host run` is told beside the run config and the folder for its results.
    pub options: Vec<String>,
    /// Makes it a CronJob, which begins a run whenever this fits: five fields, or a macro such as `@daily`.
    pub schedule: Option<String>,
    /// Of the volume for the results; absent: the cluster's default.
    pub storage_class: Option<String>,
    /// How large that volume is, as Kubernetes writes sizes.
    pub results_size: String,
}

/// Everything as YAML. What cannot be is refused with the option at fault.
pub fn render_job(settings: &JobSettings) -> Result<String> {
    settings.check()?;
    let mut documents = Documents::default();
    documents.add(&settings.account())?;
    settings.access().write(&mut documents)?;
    documents.add(&settings.results())?;
    documents.add(&files::config_map(settings.metadata(settings.names().files), &settings.files))?;
    match &settings.schedule {
        Some(schedule) => documents.add(&settings.cron_job(schedule))?,
        None => documents.add(&settings.job())?,
    }
    Ok(documents.into_text())
}

impl JobSettings {
    fn check(&self) -> Result<()> {
        let refuse = |text: String| Err(EnvironmentError::Invalid(text));
        let name = self.names().job;
        if name.len() > LONGEST_NAME {
            let most = LONGEST_NAME - (name.len() - self.name.len());
            return refuse(format!(
                "the run config's name `{}` has {} characters: the name of a Job has room for {most}",
                self.name,
                self.name.len()
            ));
        }
        if self.image.is_empty() || self.image.contains(char::is_whitespace) {
            return refuse(format!(
                "--image `{}` names no image, as registry.example/assay:1 does",
                self.image
            ));
        }
        if bytes(&Quantity(self.results_size.clone())).is_none_or(|size| size == 0) {
            return refuse(format!("--results-size `{}` is no size such as 500Mi or 2Gi", self.results_size));
        }
        match &self.schedule {
            Some(schedule) if !is_schedule(schedule) => refuse(format!(
                "--schedule `{schedule}` is none: it has five fields, minute, hour, day, month and weekday, as in \
                 \"30 2 * * *\", or is one of @hourly, @daily, @weekly, @monthly and @yearly"
            )),
            _ => Ok(()),
        }
    }

    fn names(&self) -> Names {
        Names::of(&self.name, &self.namespace)
    }

    fn metadata(&self, name: String) -> ObjectMeta {
        ObjectMeta {
            name: Some(name),
            namespace: Some(self.namespace.clone()),
            labels: Some(self.names().labels()),
            ..ObjectMeta::default()
        }
    }

    fn account(&self) -> ServiceAccount {
        ServiceAccount { metadata: self.metadata(self.names().job), ..ServiceAccount::default() }
    }

    fn access(&self) -> Access {
        let Names { job, cluster_role, .. } = self.names();
        let (namespace, labels) = (self.namespace.clone(), self.names().labels());
        Access::of(&Account { name: job, namespace, cluster_role, labels }, &self.rights)
    }

    fn results(&self) -> PersistentVolumeClaim {
        let annotations = BTreeMap::from([(IMAGE.to_owned(), self.image.clone())]);
        let size = BTreeMap::from([("storage".to_owned(), Quantity(self.results_size.clone()))]);
        PersistentVolumeClaim {
            metadata: ObjectMeta { annotations: Some(annotations), ..self.metadata(self.names().results) },
            spec: Some(PersistentVolumeClaimSpec {
                access_modes: Some(vec!["ReadWriteOnce".to_owned()]),
                resources: Some(VolumeResourceRequirements { requests: Some(size), limits: None }),
                storage_class_name: self.storage_class.clone(),
                ..PersistentVolumeClaimSpec::default()
            }),
            status: None,
        }
    }

    fn job(&self) -> Job {
        Job { metadata: self.metadata(self.names().job), spec: Some(self.job_spec()), status: None }
    }

    fn cron_job(&self, schedule: &str) -> CronJob {
        let labels = Some(self.names().labels());
        CronJob {
            metadata: self.metadata(self.names().job),
            spec: Some(CronJobSpec {
                schedule: schedule.to_owned(),
                // A namespace has room for one run.
                concurrency_policy: Some("Forbid".to_owned()),
                job_template: JobTemplateSpec {
                    metadata: Some(ObjectMeta { labels, ..ObjectMeta::default() }),
                    spec: Some(self.job_spec()),
                },
                ..CronJobSpec::default()
            }),
            status: None,
        }
    }

    /// One attempt: a run that failed is a result, and a second one would be another run.
    fn job_spec(&self) -> JobSpec {
        JobSpec { backoff_limit: Some(0), template: self.pod(), ..JobSpec::default() }
    }

    fn pod(&self) -> PodTemplateSpec {
        let names = self.names();
        // Whoever tidies nodes up would end the run.
        let stays = ("cluster-autoscaler.kubernetes.io/safe-to-evict".to_owned(), "false".to_owned());
        PodTemplateSpec {
            metadata: Some(ObjectMeta {
                labels: Some(names.pod_labels(RUN)),
                annotations: Some(Labels::from([stays])),
                ..ObjectMeta::default()
            }),
            spec: Some(PodSpec {
                containers: vec![self.container()],
                // Variables of each Service would only be in the way.
                enable_service_links: Some(false),
                restart_policy: Some("Never".to_owned()),
                security_context: Some(pod_security()),
                service_account_name: Some(names.job),
                // So that `host` is no process 1, which no signal ends that it does not wait for.
                share_process_namespace: Some(true),
                termination_grace_period_seconds: Some(GRACE_SECONDS),
                volumes: Some(vec![
                    Volume {
                        name: "config".to_owned(),
                        config_map: Some(ConfigMapVolumeSource {
                            name: names.files,
                            items: Some(files::items(&self.files)),
                            ..ConfigMapVolumeSource::default()
                        }),
                        ..Volume::default()
                    },
                    results_volume(names.results, false),
                    Volume {
                        name: "scratch".to_owned(),
                        empty_dir: Some(EmptyDirVolumeSource::default()),
                        ..Volume::default()
                    },
                ]),
                ..PodSpec::default()
            }),
        }
    }

    fn container(&self) -> Container {
        let amounts = |all: &[(&str, &str)]| {
            let amount = |(key, text): &(&str, &str)| ((*key).to_owned(), Quantity((*text).to_owned()));
            Some(all.iter().map(amount).collect())
        };
        let mut arguments = vec!["run".to_owned(), format!("{CONFIG}/{}", self.config)];
        arguments.extend(self.options.iter().cloned());
        arguments.extend(["--runs".to_owned(), RESULTS.to_owned()]);
        Container {
            name: CONTAINER.to_owned(),
            image: Some(self.image.clone()),
            image_pull_policy: Some("IfNotPresent".to_owned()),
            command: Some(vec!["host".to_owned()]),
            args: Some(arguments),
            // Compiled plugins, and notes of what is to be undone, lie below it.
            env: Some(vec![EnvVar {
                name: "HOME".to_owned(),
                value: Some(SCRATCH.to_owned()),
                value_from: None,
            }]),
            // Without a limit on processors: a generator that is held back measures itself.
            resources: Some(ResourceRequirements {
                requests: amounts(&[("cpu", "500m"), ("memory", "512Mi")]),
                limits: amounts(&[("memory", "2Gi")]),
                claims: None,
            }),
            security_context: Some(container_security()),
            volume_mounts: Some(vec![
                mount("config", CONFIG, true),
                mount("results", RESULTS, false),
                mount("scratch", SCRATCH, false),
            ]),
            ..Container::default()
        }
    }
}

/// What the Pod Security Standard `restricted` asks of a pod.
pub(super) fn pod_security() -> PodSecurityContext {
    PodSecurityContext {
        run_as_non_root: Some(true),
        run_as_user: Some(USER),
        run_as_group: Some(USER),
        // Of volumes that know owners, so that the results can be written.
        fs_group: Some(USER),
        seccomp_profile: Some(SeccompProfile { type_: "RuntimeDefault".to_owned(), localhost_profile: None }),
        ..PodSecurityContext::default()
    }
}

/// And what it asks of a container.
pub(super) fn container_security() -> SecurityContext {
    SecurityContext {
        allow_privilege_escalation: Some(false),
        capabilities: Some(Capabilities { drop: Some(vec!["ALL".to_owned()]), add: None }),
        read_only_root_filesystem: Some(true),
        ..SecurityContext::default()
    }
}

pub(super) fn results_volume(claim_name: String, read_only: bool) -> Volume {
    Volume {
        name: "results".to_owned(),
        persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource {
            claim_name,
            read_only: read_only.then_some(true),
        }),
        ..Volume::default()
    }
}

pub(super) fn mount(name: &str, path: &str, read_only: bool) -> VolumeMount {
    VolumeMount {
        name: name.to_owned(),
        mount_path: path.to_owned(),
        read_only: read_only.then_some(true),
        ..VolumeMount::default()
    }
}

/// Whether that is a schedule by its form; the API server says the rest.
fn is_schedule(text: &str) -> bool {
    const MACROS: [&str; 7] =
        ["@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually"];
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '*' | '/' | ',' | '-' | '?');
    let fields: Vec<_> = text.split_whitespace().collect();
    MACROS.contains(&text) || fields.len() == 5 && fields.iter().all(|field| field.chars().all(fits))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> JobSettings {
        let right = |cluster, resource: &str, verb: &str| Right {
            cluster,
            group: String::new(),
            resource: resource.to_owned(),
            name: None,
            verb: verb.to_owned(),
        };
        let file = |path: &str, content: &[u8]| (path.to_owned(), content.to_owned());
        JobSettings {
            name: "smoke".to_owned(),
            namespace: "here".to_owned(),
            image: "registry.example/assay:1".to_owned(),
            rights: BTreeSet::from([
                right(false, "pods", "list"),
                right(false, "pods", "watch"),
                right(true, "nodes", "get"),
            ]),
            files: BTreeMap::from([
                file("smoke.toml", b"name = \"smoke\"\ninclude = [\"places/a.toml\"]\n"),
                file("places/a.toml", b"[environments.there]\nkind = \"kubernetes\"\n"),
                file("own.wasm", b"\0asm\xff"),
            ]),
            config: "smoke.toml".to_owned(),
            options: ["--env", "there", "--set", "phases.0.users=5", "--time-scale", "20"]
                .map(str::to_owned)
                .to_vec(),
            schedule: None,
            storage_class: None,
            results_size: "1Gi".to_owned(),
        }
    }

    #[test]
    fn a_job_reads_as_a_person_would_write_it() {
        insta::assert_snapshot!(render_job(&settings()).expect("it is right"));
    }

    #[test]
    fn a_schedule_makes_it_a_cron_job() {
        let rights = BTreeSet::new();
        let (schedule, storage_class) = (Some("30 2 * * 1-5".to_owned()), Some("fast".to_owned()));
        let scheduled = JobSettings { schedule, storage_class, rights, ..settings() };
        insta::assert_snapshot!(render_job(&scheduled).expect("it is right"));
    }

    #[test]
    fn what_is_written_is_read_back() {
        let text = render_job(&settings()).expect("it is right");
        let documents: Vec<_> = text.split("---\n").filter(|document| !document.is_empty()).collect();
        let read = |document: &str| serde_saphyr::from_str::<serde_json::Value>(document).expect("YAML");
        let kinds: Vec<_> = documents
            .iter()
            .map(|document| read(document)["kind"].as_str().expect("a kind").to_owned())
            .collect();
        let roles = ["Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"];
        let all = [&["ServiceAccount"], roles.as_slice(), &["PersistentVolumeClaim", "ConfigMap", "Job"]];
        assert_eq!(kinds, all.concat());
        let job: Job = serde_saphyr::from_str(documents[7]).expect("a Job");
        assert_eq!(job, settings().job());
    }

    #[test]
    fn what_cannot_be_a_job_says_why() {
        let refused = [
            JobSettings { name: "x".repeat(47), ..settings() },
            JobSettings { image: "no image".to_owned(), ..settings() },
            JobSettings { results_size: "1Gig".to_owned(), ..settings() },
            JobSettings { results_size: "0".to_owned(), ..settings() },
            JobSettings { schedule: Some("@often".to_owned()), ..settings() },
            JobSettings { schedule: Some("* * * *".to_owned()), ..settings() },
        ];
        let refused = refused.map(|one| render_job(&one).expect_err("refused").to_string());
        insta::assert_snapshot!(refused.join("\n"));
        for schedule in ["30 2 * * *", "@daily", "*/5 0-6 1,15 JAN MON-FRI"] {
            assert!(is_schedule(schedule), "{schedule}");
        }
    }
}
