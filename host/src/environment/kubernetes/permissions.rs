//! Which rights a run needs, and whether this account has them. The roles that grant them are in [`access`](super::access).
//!
//! What plugins can call is known from their components: a call that a component does not import, it cannot
//! make. So the rights are those of the calls that are imported, and no more.

use std::collections::BTreeSet;

use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::authorization::v1::SelfSubjectAccessReview;
use kube::{
    Api,
    api::PostParams,
    core::{ApiResource, GroupVersionKind},
};
use serde_json::json;

use super::{ClusterConfig, Kubernetes, Via, access::render_role, error::ask};
use crate::environment::{Calls, EnvironmentError, Result};

/// How many questions are on their way at once.
const AT_ONCE: usize = 8;

/// One verb on one kind of objects.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Right {
    /// Beyond the namespace: nodes, and the pods on them.
    pub cluster: bool,
    /// Empty for the core group.
    pub group: String,
    /// With its subresource: `pods/exec`.
    pub resource: String,
    /// Of one object alone.
    pub name: Option<String>,
    pub verb: String,
}

/// `group resource verb verb`, a line each; the core group is `-`.
type Rules = &'static [(&'static str, &'static str, &'static [&'static str])];

/// What every run does: look, watch, and keep lease and journal.
const ALWAYS: Rules = &[
    ("", "services", &["get"]),
    ("", "pods", &["get", "list", "watch"]),
    ("", "events", &["list", "watch"]),
    ("apps", "deployments", &["list", "watch"]),
    ("apps", "statefulsets", &["list", "watch"]),
    ("discovery.k8s.io", "endpointslices", &["list", "watch"]),
    ("metrics.k8s.io", "pods", &["list"]),
    ("coordination.k8s.io", "leases", &["get", "create", "update", "patch", "delete"]),
    ("", "configmaps", &["list", "create", "patch", "delete"]),
];

const INGRESS: Rules = &[("networking.k8s.io", "ingresses", &["list"])];

/// To look at nodes: only where they are allowed.
const NODES: Rules = &[("", "nodes", &["get", "list", "watch"])];

/// To run a command in a pod. Which of the verbs is asked for depends on the server's version.
const EXEC: Rules = &[("", "pods/exec", &["get", "create"])];

const FORWARD: Rules = &[("", "pods/portforward", &["get", "create"])];

/// What each call of the interface `cluster` takes, in the namespace and beyond it.
fn call_rules(call: &str) -> (&'static [Rules], Rules) {
    const TERMINATE: Rules = &[("", "pods", &["get", "patch", "delete"])];
    const POLICIES: Rules =
        &[("networking.k8s.io", "networkpolicies", &["list", "create", "delete"]), ("", "pods", &["patch"])];
    const SCALE: Rules =
        &[("apps", "deployments/scale", &["patch"]), ("apps", "statefulsets/scale", &["patch"])];
    const TEMPLATES: Rules = &[("apps", "deployments", &["patch"]), ("apps", "statefulsets", &["patch"])];
    const CORDON: Rules = &[("", "nodes", &["get", "patch"])];
    const DRAIN: Rules =
        &[("", "nodes", &["get", "patch"]), ("", "pods", &["list"]), ("", "pods/eviction", &["create"])];
    match call {
        "terminate" | "release" => (&[TERMINATE, EXEC], &[]),
        "exec" => (&[EXEC], &[]),
        "isolate" | "heal" => (&[POLICIES], &[]),
        "scale" => (&[SCALE], &[]),
        "set-quota" => (&[TEMPLATES], &[]),
        "cordon" | "uncordon" => (&[], CORDON),
        "drain" => (&[], DRAIN),
        _ => (&[], &[]),
    }
}

/// All that a run in this environment with these calls needs, and no more.
pub fn rights(config: &ClusterConfig, calls: &Calls) -> BTreeSet<Right> {
    let mut rights = BTreeSet::new();
    add(&mut rights, false, ALWAYS);
    if config.target.via == Via::Ingress {
        add(&mut rights, false, INGRESS);
    }
    for call in &calls.cluster {
        let (inside, beyond) = call_rules(call);
        inside.iter().for_each(|rules| add(&mut rights, false, rules));
        // Where nodes are not allowed, such calls are refused before anything is asked.
        if config.allow_nodes {
            add(&mut rights, true, beyond);
        }
    }
    if config.allow_nodes {
        add(&mut rights, true, NODES);
    }
    if calls.connections {
        add(&mut rights, false, FORWARD);
    }
    for object in &calls.objects {
        let (group, version) = object.api_version.split_once('/').unwrap_or(("", &object.api_version));
        let kind = GroupVersionKind::gvk(group, version, &object.kind);
        let resource = ApiResource::from_gvk(&kind).plural;
        for verb in ["get", "list", "patch", "create", "delete"] {
            rights.insert(Right {
                cluster: false,
                group: group.to_owned(),
                resource: resource.clone(),
                name: Some(object.name.clone())
                    .filter(|name| !name.is_empty() && !matches!(verb, "list" | "create")),
                verb: verb.to_owned(),
            });
        }
    }
    rights.extend(calls.secrets.iter().map(|name| Right {
        cluster: false,
        group: String::new(),
        resource: "secrets".to_owned(),
        name: Some(name.clone()),
        verb: "get".to_owned(),
    }));
    rights
}

fn add(rights: &mut BTreeSet<Right>, cluster: bool, rules: Rules) {
    for (group, resource, verbs) in rules {
        for verb in *verbs {
            let (group, resource, verb) = ((*group).to_owned(), (*resource).to_owned(), (*verb).to_owned());
            rights.insert(Right { cluster, group, resource, name: None, verb });
        }
    }
}

impl Kubernetes {
    /// Refuses if this account lacks a right, and says which Role would grant what is missing.
    pub(super) async fn ensure_rights(&self, calls: &Calls) -> Result<()> {
        let wanted = rights(&self.config, calls);
        let asked = stream::iter(wanted).map(|right| async move {
            let granted = self.is_granted(&right).await?;
            Ok::<_, EnvironmentError>((!granted).then_some(right))
        });
        let missing: BTreeSet<Right> =
            asked.buffered(AT_ONCE).try_filter_map(|missing| async { Ok(missing) }).try_collect().await?;
        match missing.is_empty() {
            true => Ok(()),
            false => Err(EnvironmentError::Other(lacking(&missing, &self.config.namespace)?)),
        }
    }

    async fn is_granted(&self, right: &Right) -> Result<bool> {
        let (resource, subresource) = right.resource.split_once('/').unwrap_or((&right.resource, ""));
        let review = json!({
            "metadata": {},
            "spec": { "resourceAttributes": {
                "namespace": if right.cluster { "" } else { &self.config.namespace },
                "group": right.group,
                "resource": resource,
                "subresource": subresource,
                "name": right.name.as_deref().unwrap_or_default(),
                "verb": right.verb,
            } },
        });
        let review: SelfSubjectAccessReview = serde_json::from_value(review)
            .map_err(|error| EnvironmentError::Other(format!("an access review: {error}")))?;
        let reviews: Api<SelfSubjectAccessReview> = Api::all(self.client.clone());
        let answer = ask("an access review", reviews.create(&PostParams::default(), &review)).await?;
        Ok(answer.status.is_some_and(|status| status.allowed))
    }
}

impl std::fmt::Display for Right {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.verb, self.resource)?;
        if !self.group.is_empty() {
            write!(f, ".{}", self.group)?;
        }
        if let Some(name) = &self.name {
            write!(f, " '{name}'")?;
        }
        if self.cluster { write!(f, " in the whole cluster") } else { Ok(()) }
    }
}

fn lacking(missing: &BTreeSet<Right>, namespace: &str) -> Result<String> {
    let listed: Vec<_> = missing.iter().map(Right::to_string).collect();
    Ok(format!(
        "this account may not {}; nothing was changed. What is missing is granted by\n\n{}",
        listed.join(", "),
        render_role(missing, namespace)?
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::{ObjectReference, kubernetes::Target};

    fn config(allow_nodes: bool) -> ClusterConfig {
        ClusterConfig {
            context: "test".to_owned(),
            namespace: "here".to_owned(),
            target: Target { service: "web".to_owned(), via: Via::NodePort, port: None },
            allow_nodes,
            groups: "tier".to_owned(),
            commands: None,
        }
    }

    fn calls(cluster: &[&str]) -> Calls {
        Calls { cluster: cluster.iter().map(|call| (*call).to_owned()).collect(), ..Calls::default() }
    }

    #[test]
    fn a_run_without_faults_only_looks_and_keeps_its_books() {
        let rights = rights(&config(false), &Calls::default());
        insta::assert_snapshot!(render_role(&rights, "here").expect("YAML"));
    }

    #[test]
    fn each_call_takes_its_own_rights() {
        let object = ObjectReference {
            api_version: "example.com/v1".into(),
            kind: "Cluster".into(),
            name: String::new(),
        };
        let secrets = BTreeSet::from(["database".to_owned()]);
        let calls = calls(&["drain", "terminate", "isolate"]);
        let calls = Calls { objects: vec![object], connections: true, secrets, ..calls };
        let rights = rights(&config(true), &calls);
        insta::assert_snapshot!(render_role(&rights, "here").expect("YAML"));
    }

    #[test]
    fn without_leave_nodes_take_no_rights() {
        let rights = rights(&config(false), &calls(&["drain", "fail-node", "cordon"]));
        assert!(rights.iter().all(|right| !right.cluster), "{rights:?}");
    }

    #[test]
    fn what_is_missing_is_named_with_the_role_that_grants_it() {
        let missing = rights(&config(true), &calls(&["drain"]));
        let missing = missing.into_iter().filter(|right| right.resource == "pods/eviction").collect();
        insta::assert_snapshot!(lacking(&missing, "here").expect("YAML"));
    }
}
