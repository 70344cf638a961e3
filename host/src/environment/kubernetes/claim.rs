//! One run at a time: a Lease keeps a second one out, and the journal of what must be undone is kept in the
//! cluster, where any machine finds it.

use std::time::Duration;

use k8s_openapi::{
    api::{coordination::v1::Lease, core::v1::ConfigMap},
    apimachinery::pkg::apis::meta::v1::MicroTime,
    jiff::Timestamp,
};
use kube::{
    Api,
    api::{ListParams, Patch, PatchParams, PostParams},
};
use serde_json::json;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use super::{
    Kubernetes, RUN_LABEL,
    error::{ask, merge, remove},
    view,
    watch::Watches,
};
use crate::{
    environment::{EnvironmentError, Result},
    observe::{Fact, Severity, Stream},
};

/// The Lease's name: one for each namespace.
const LEASE: &str = "assay";

/// Marks the ConfigMaps that hold journals.
const JOURNAL_LABEL: &str = "assay/journal";
const JOURNAL_KEY: &str = "journal.jsonl";

/// A holder that has not renewed its lease for so long is gone.
const LEASE_LASTS: Duration = Duration::from_secs(15);
const RENEWED_EVERY: Duration = Duration::from_secs(5);

/// A namespace that belongs to a run until this is closed.
pub(super) struct Claim {
    run: String,
    renewing: AbortOnDropHandle<()>,
    /// Taken when the claim ends.
    watches: std::sync::Mutex<Option<Watches>>,
    /// Held while the journal is written: a later state must not be overwritten by an earlier one.
    writing: tokio::sync::Mutex<()>,
}

impl Claim {
    pub(super) fn run(&self) -> &str {
        &self.run
    }
}

/// What a run that did not end in good order left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover {
    pub run: String,
    /// Its journal, line by line as in the run's directory.
    pub journal: String,
}

impl Kubernetes {
    /// Makes the namespace this run's, and begins to watch it. Refused while another run holds it, and
    /// when a run that was killed left something to undo.
    pub async fn claim(&self, run: &str) -> Result<()> {
        self.take_lease(run).await?;
        let renewing = self.keep_renewing(run);
        match self.begin_to_watch().await {
            Ok(watches) => self.keep_claim(run, renewing, Some(watches)),
            Err(error) => {
                drop(renewing);
                // If it cannot be given back either, it runs out; what matters is why the run cannot begin.
                let _given_back = self.give_back(run).await;
                Err(error)
            }
        }
    }

    /// Like [`Kubernetes::claim`], to undo what killed runs left: without watching.
    pub async fn claim_for_recovery(&self, run: &str) -> Result<()> {
        self.take_lease(run).await?;
        self.keep_claim(run, self.keep_renewing(run), None)
    }

    async fn begin_to_watch(&self) -> Result<Watches> {
        let left = self.leftovers().await?;
        if !left.is_empty() {
            let runs: Vec<_> = left.iter().map(|one| one.run.as_str()).collect();
            return Err(EnvironmentError::Conflict(format!(
                "{} ended without undoing what it changed in namespace '{}'; `host recover` undoes it",
                runs.join(", "),
                self.config.namespace
            )));
        }
        Watches::start(self).await
    }

    fn keep_renewing(&self, run: &str) -> AbortOnDropHandle<()> {
        AbortOnDropHandle::new(tokio::spawn(renew(self.api(), run.to_owned(), self.stream.clone())))
    }

    fn keep_claim(&self, run: &str, renewing: AbortOnDropHandle<()>, watches: Option<Watches>) -> Result<()> {
        let claim = Claim {
            run: run.to_owned(),
            renewing,
            watches: std::sync::Mutex::new(watches),
            writing: tokio::sync::Mutex::default(),
        };
        let held = self.claimed.set(claim);
        held.map_err(|_| EnvironmentError::Conflict("the namespace is this process' already".to_owned()))
    }

    /// Ends watches and lease.
    pub(super) async fn give_up(&self) -> Result<()> {
        let Some(claim) = self.claimed.get() else { return Ok(()) };
        claim.renewing.abort();
        claim.watches.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        self.give_back(&claim.run).await
    }

    async fn give_back(&self, run: &str) -> Result<()> {
        let leases: Api<Lease> = self.api();
        let held = ask("the lease", leases.get_opt(LEASE)).await?;
        match held.as_ref().and_then(holder) {
            Some(holder) if holder == run => remove("the lease", &leases, LEASE).await,
            _ => Ok(()),
        }
    }

    /// Takes the lease, or waits until it is sure that its holder does not renew it any more. Clocks
    /// of other machines are not trusted: what counts is whether it changes while one looks.
    async fn take_lease(&self, run: &str) -> Result<()> {
        let leases: Api<Lease> = self.api();
        let (mut seen, mut since): (Option<String>, Instant) = (None, Instant::now());
        loop {
            let Some(held) = ask("the lease", leases.get_opt(LEASE)).await? else {
                match ask("the lease", leases.create(&PostParams::default(), &lease(run, None)?)).await {
                    // Somebody was faster.
                    Err(EnvironmentError::Conflict(_)) => continue,
                    taken => return taken.map(drop),
                }
            };
            let version = held.metadata.resource_version.clone();
            let by = holder(&held).unwrap_or_default();
            if by.is_empty() || (seen == version && since.elapsed() >= LEASE_LASTS) {
                match ask("the lease", leases.replace(LEASE, &PostParams::default(), &lease(run, version)?))
                    .await
                {
                    Err(EnvironmentError::Conflict(_)) => continue,
                    taken => return taken.map(drop),
                }
            }
            if seen.is_some() && seen != version {
                return Err(EnvironmentError::Conflict(format!(
                    "run '{by}' holds namespace '{}': one run at a time",
                    self.config.namespace
                )));
            }
            if seen.is_none() {
                (seen, since) = (version, Instant::now());
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    /// Keeps what is pending in the cluster; asks for it when it is this call's turn to write.
    pub(super) async fn keep(&self, pending: &(dyn Fn() -> String + Sync)) -> Result<()> {
        let Some(claim) = self.claimed.get() else {
            return Err(EnvironmentError::Conflict("the cluster was only looked at, not claimed".to_owned()));
        };
        let _turn = claim.writing.lock().await;
        match pending() {
            nothing if nothing.is_empty() => self.forget(&claim.run).await,
            lines => {
                let name = journal_name(&claim.run);
                let journal = json!({
                    "apiVersion": "v1",
                    "kind": "ConfigMap",
                    "metadata": { "name": name, "labels": { RUN_LABEL: claim.run, JOURNAL_LABEL: "true" } },
                    "data": { JOURNAL_KEY: lines },
                });
                let maps: Api<ConfigMap> = self.api();
                let ours = PatchParams::apply("assay").force();
                ask("the journal", maps.patch(&name, &ours, &Patch::Apply(&journal))).await.map(drop)
            }
        }
    }

    /// Removes a run's journal.
    pub async fn forget(&self, run: &str) -> Result<()> {
        let maps: Api<ConfigMap> = self.api();
        remove("the journal", &maps, &journal_name(run)).await
    }

    /// The journals that are there.
    pub async fn leftovers(&self) -> Result<Vec<Leftover>> {
        let maps: Api<ConfigMap> = self.api();
        let found = ask("the journals", maps.list(&ListParams::default().labels(JOURNAL_LABEL))).await?;
        let leftover = |map: ConfigMap| Leftover {
            run: view::labels(&map.metadata).remove(RUN_LABEL).unwrap_or_default(),
            journal: map.data.unwrap_or_default().remove(JOURNAL_KEY).unwrap_or_default(),
        };
        Ok(found.items.into_iter().map(leftover).collect())
    }
}

fn journal_name(run: &str) -> String {
    format!("assay-journal-{run}")
}

fn holder(lease: &Lease) -> Option<String> {
    lease.spec.as_ref()?.holder_identity.clone()
}

fn lease(run: &str, version: Option<String>) -> Result<Lease> {
    let lease = json!({
        "metadata": { "name": LEASE, "labels": { RUN_LABEL: run }, "resourceVersion": version },
        "spec": {
            "holderIdentity": run,
            "leaseDurationSeconds": LEASE_LASTS.as_secs(),
            "acquireTime": now(),
            "renewTime": now(),
        },
    });
    serde_json::from_value(lease).map_err(|error| EnvironmentError::Other(format!("the lease: {error}")))
}

fn now() -> MicroTime {
    MicroTime(Timestamp::now())
}

/// Renews the lease for as long as it is polled.
async fn renew(leases: Api<Lease>, run: String, stream: Stream) {
    loop {
        tokio::time::sleep(RENEWED_EVERY).await;
        // A server that is away is told by the watches, and meanwhile takes nobody else's lease either.
        let Ok(held) = ask("the lease", leases.get_opt(LEASE)).await else { continue };
        match held.as_ref().and_then(holder) {
            Some(holder) if holder == run => {
                let patch = json!({ "spec": { "renewTime": now() } });
                let _tried_again_soon = merge("the lease", &leases, LEASE, &patch).await;
            }
            other => {
                let by = other.map_or_else(|| "nobody".to_owned(), |by| format!("'{by}'"));
                let message = format!("the lease of the namespace is lost: it is now held by {by}");
                let source = "kubernetes".to_owned();
                stream.tell(Fact::Finding { source, severity: Severity::Warning, message });
                return;
            }
        }
    }
}
