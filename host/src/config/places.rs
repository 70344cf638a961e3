//! `[environments.NAME]` as it is written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::quantities::NameText;
use crate::environment::kubernetes::Via;

/// A place where the run can happen.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(tag = "kind", deny_unknown_fields, rename_all = "kebab-case")]
pub(super) enum EnvironmentTable {
    /// A lab on this machine.
    #[serde(rename_all = "kebab-case")]
    Lab {
        /// The stack file.
        stack: String,
        /// Other plugins for faults, by the fault's name.
        #[serde(default)]
        faults: BTreeMap<String, SwapTable>,
    },
    /// Something that already runs and only gets load: for runs without faults.
    #[serde(rename_all = "kebab-case")]
    Url {
        /// Scheme, host and port, such as `http://127.0.0.1:8080`.
        url: String,
        #[serde(default)]
        faults: BTreeMap<String, SwapTable>,
    },
    /// One namespace of a Kubernetes cluster.
    #[serde(rename_all = "kebab-case")]
    Kubernetes {
        /// The kubeconfig's context. A run inside a cluster uses its own account there instead.
        context: String,
        /// The one namespace that may be touched.
        namespace: String,
        target: TargetTable,
        /// What is forbidden unless named here.
        #[serde(default)]
        allow: Vec<Allowance>,
        /// Contexts that need `--allow-context`, in which `*` stands for anything; those with `prod` or
        /// `live` in their names unless given.
        protected: Option<Vec<String>>,
        /// The label whose values are the groups that a quota can bound; `tier` unless given.
        groups: Option<String>,
        /// A command that powers off the node `{node}`.
        fail_node: Option<Vec<String>>,
        /// A command that powers it on again.
        restore_node: Option<Vec<String>>,
        #[serde(default)]
        faults: BTreeMap<String, SwapTable>,
    },
}

/// How the target is reached in a cluster.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct TargetTable {
    /// The Service.
    pub(super) service: String,
    pub(super) via: Via,
    /// The name of its port; not needed when there is only one.
    pub(super) port: Option<String>,
}

/// What is forbidden in a cluster unless it is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub(super) enum Allowance {
    /// To cordon, drain and power off nodes, and to look at what else runs on them.
    Nodes,
}

/// Another plugin, or another config, for a fault in this environment.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(extend("minProperties" = 1))]
pub(super) struct SwapTable {
    pub(super) plugin: Option<NameText>,
    /// In place of the fault's own, which stays unless given.
    pub(super) config: Option<Map<String, Value>>,
}
