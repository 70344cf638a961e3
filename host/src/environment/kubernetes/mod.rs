//! One namespace of a Kubernetes cluster as an [`Environment`](super::Environment).
//!
//! [`Kubernetes::connect`] reaches the API server with the kubeconfig's context, or inside a cluster with
//! the pod's own account, and changes nothing: that is enough for a plan. [`Kubernetes::claim`] makes the
//! namespace this run's: it takes the Lease that keeps a second run out, and starts the watches.
//!
//! # Shape
//!
//! * Questions are asked of the API server when they come, so that an answer is never older than the
//!   question; what happens meanwhile is told by [`watch`], and is never asked for.
//! * [`view`] says what pods, workloads and nodes are in the environment's words, without asking anything.
//! * Everything that is created carries the label [`RUN_LABEL`]; what is changed on objects of others is
//!   undone by the inverse that was journaled, and the journal is also kept in the cluster ([`claim`]).
//! * A run may also happen inside the cluster: [`job`] says what makes it, follows it, and fetches what it
//!   wrote. Its pods are no instances.
//! * Deny by default: one namespace, and nodes only where the config allows them ([`permissions`] says
//!   which rights that takes).
//!
//! Nothing here knows what any program in the cluster is.

mod access;
mod claim;
mod connect;
mod drain;
mod endpoint;
mod environment;
mod error;
mod exec;
mod isolate;
mod job;
mod nodes;
mod objects;
mod permissions;
mod quantity;
mod quota;
mod ready;
mod target;
mod terminate;
mod usage;
mod view;
mod watch;
mod workloads;
mod yaml;

use std::sync::{Mutex, OnceLock};

use k8s_openapi::NamespaceResourceScope;
use kube::{Api, Client, Resource, api::ListParams};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use access::render_role;
pub use claim::Leftover;
pub use job::{Ended, JobSettings, MOST_FILES, Removal, RunJob, render_job};
pub use permissions::{Right, rights};

use super::{EnvironmentError, Result};
use crate::observe::Stream;

/// What everything that a run creates is labelled with: the run's id.
pub const RUN_LABEL: &str = "assay/run";

/// Marks what is not the target's but Assay's own, by a label that is customary for that: the pods of
/// runs inside the cluster, and whatever belongs to them. No pod that has it is an instance.
const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "assay");

/// Selects what is not marked so.
const NOT_OWN: &str = "app.kubernetes.io/managed-by!=assay";

/// Keeps a pod's object after its end, so that nothing puts another in its place.
const HOLD: &str = "assay/hold";

/// Marks a pod whose processes are stopped.
const FROZEN: &str = "assay/frozen";

/// Where to run, as the run config says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ClusterConfig {
    /// The kubeconfig's context; without meaning inside a cluster.
    pub context: String,
    pub namespace: String,
    pub target: Target,
    /// May nodes be cordoned, drained and powered off?
    pub allow_nodes: bool,
    /// The label whose values are the groups that a quota can bound.
    pub groups: String,
    pub commands: Option<NodeCommands>,
}

/// The Service that takes the load.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Target {
    pub service: String,
    pub via: Via,
    /// Absent: its only port.
    pub port: Option<String>,
}

/// How the load reaches the target: never through a port-forward, which is pinned to one pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Via {
    /// On a node that carries one of the Service's pods; inside the cluster by the Service's own name.
    NodePort,
    /// By the host that an Ingress gives the Service.
    Ingress,
    /// By the Service's own name, which only pods of the cluster know.
    Name,
}

/// Programs and arguments, run without a shell; `{node}` stands for the node's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct NodeCommands {
    pub fail: Vec<String>,
    pub restore: Vec<String>,
}

/// A namespace that can be reached.
pub struct Kubernetes {
    client: Client,
    config: ClusterConfig,
    /// Is this process a pod of the cluster?
    inside: bool,
    base_url: String,
    stream: Stream,
    claimed: OnceLock<claim::Claim>,
    forwards: Mutex<endpoint::Forwards>,
    sampled: tokio::sync::Mutex<usage::Sampled>,
}

impl std::fmt::Debug for Kubernetes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kubernetes")
            .field("config", &self.config)
            .field("inside", &self.inside)
            .field("base_url", &self.base_url)
            .finish_non_exhaustive()
    }
}

impl Kubernetes {
    /// Objects of one kind in the namespace.
    fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), &self.config.namespace)
    }

    /// What lists the pods that can be instances.
    fn instance_pods() -> ListParams {
        ListParams::default().labels(NOT_OWN)
    }

    /// The run that this namespace belongs to now.
    fn run(&self) -> Result<&str> {
        let claimed = self.claimed.get().map(claim::Claim::run);
        claimed.ok_or_else(|| {
            EnvironmentError::Conflict("the cluster was only looked at, not claimed".to_owned())
        })
    }

    fn ensure_nodes_allowed(&self, act: &str) -> Result<()> {
        match self.config.allow_nodes {
            true => Ok(()),
            false => Err(EnvironmentError::Unsupported(format!(
                "{act}: nodes are not this run's to touch; the environment's table needs allow = [\"nodes\"]"
            ))),
        }
    }
}
