//! Bounds on groups of workloads.
//!
//! A cluster has nothing that bounds what several pods use together: a ResourceQuota counts what is asked
//! for when a pod is made, and bounds nobody's use. So the bound is divided among the pods of the group, in
//! proportion to the limits that they have, and patched into the pod templates. What the templates
//! had before lies in an annotation that the same patch writes: it cannot be lost, and cannot come apart
//! from the change. An autoscaler that adds pods adds their shares, too.

use std::{collections::BTreeMap, time::Duration};

use k8s_openapi::{
    api::{
        apps::v1::{Deployment, StatefulSet},
        core::v1::{Container, ResourceRequirements},
    },
    apimachinery::pkg::api::resource::Quantity,
};
use kube::api::ListParams;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    Kubernetes, RUN_LABEL,
    error::ask,
    quantity::{bytes, millicores, write_bytes, write_millicores},
    view::{self, AsWorkload},
    workloads::Kind,
};
use crate::{
    environment::{EnvironmentError, Quota, QuotaStatus, Result, Selector, one_group},
    observe::Fact,
};

/// On a workload: the bound of its group, and what its containers had before.
const BOUND: &str = "assay/quota";

/// How long pods with the new limits may take to replace the old ones.
const ROLLED_OUT_WITHIN: Duration = Duration::from_secs(50);

/// The annotation [`BOUND`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Bound {
    quota: Quota,
    before: BTreeMap<String, Amounts>,
}

/// What one container asks for and may have.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Amounts {
    requests: BTreeMap<String, Quantity>,
    limits: BTreeMap<String, Quantity>,
}

/// A workload of the group, as it is without a bound.
#[derive(Debug, Clone)]
struct Member {
    name: String,
    kind: Kind,
    instances: u32,
    containers: BTreeMap<String, Amounts>,
    bound: Option<Quota>,
}

impl Kubernetes {
    pub(super) async fn bounds(&self, selector: &Selector) -> Result<Vec<QuotaStatus>> {
        let group = one_group(selector, &self.all_workloads().await?)?;
        let members = self.members(&group).await?;
        let quota = members.iter().find_map(|member| member.bound).unwrap_or_default();
        Ok(vec![QuotaStatus { group, quota, capacity: self.capacity().await? }])
    }

    /// What the nodes could give, if they may be looked at.
    async fn capacity(&self) -> Result<Quota> {
        if !self.config.allow_nodes {
            return Ok(Quota::default());
        }
        let nodes = ask("the nodes", self.node_api().list(&ListParams::default())).await?;
        let sum = |key: &str, read: fn(&Quantity) -> Option<u64>| -> Option<u64> {
            let all =
                nodes.items.iter().map(|node| read(node.status.as_ref()?.allocatable.as_ref()?.get(key)?));
            all.sum()
        };
        Ok(Quota { cpu: sum("cpu", millicores), memory: sum("memory", bytes) })
    }

    /// Sets or, if it bounds nothing, takes back. Returns when all pods have the limits.
    pub(super) async fn bound(&self, group: &str, quota: Quota) -> Result<()> {
        let members = self.members(group).await?;
        let shares = Shares::of(&members, quota)?;
        let run = self.run()?;
        for member in &members {
            let patch = match quota == Quota::default() {
                true if member.bound.is_none() => continue,
                true => patch(&member.containers, &Value::Null, &Value::Null),
                false => {
                    let bound = Bound { quota, before: member.containers.clone() };
                    let bound = serde_json::to_string(&bound).map_err(|error| {
                        EnvironmentError::Other(format!("the bound of '{group}': {error}"))
                    })?;
                    let bounded = shares.apply(&member.containers);
                    patch(&bounded, &bound.into(), &run.into())
                }
            };
            self.patch_workload(&member.name, member.kind, &patch).await?;
        }
        let (cpu, memory) = (quota.cpu, quota.memory);
        self.stream.tell(Fact::Quota { group: group.to_owned(), cpu, memory });
        self.rolled_out(&members).await
    }

    async fn members(&self, group: &str) -> Result<Vec<Member>> {
        let (deployments, sets) = self.workload_objects().await?;
        let groups = &self.config.groups;
        let deployments =
            deployments.iter().filter_map(|one| Member::of(one, Kind::Deployment, groups, group));
        let sets = sets.iter().filter_map(|one| Member::of(one, Kind::StatefulSet, groups, group));
        let members: Vec<_> = deployments.chain(sets).collect();
        match members.is_empty() {
            true => Err(EnvironmentError::NotFound(format!("there is no group '{group}'"))),
            false => Ok(members),
        }
    }

    async fn rolled_out(&self, members: &[Member]) -> Result<()> {
        let deadline = Instant::now() + ROLLED_OUT_WITHIN;
        loop {
            let (deployments, sets) = self.workload_objects().await?;
            let ours =
                |name: &Option<String>| members.iter().any(|member| Some(&member.name) == name.as_ref());
            let deployments = deployments.iter().filter(|one| ours(&one.metadata.name) && !deployed(one));
            let sets = sets.iter().filter(|one| ours(&one.metadata.name) && !set_out(one));
            let waiting: Vec<_> = deployments
                .map(|one| view::name(&one.metadata))
                .chain(sets.map(|one| view::name(&one.metadata)))
                .collect();
            if waiting.is_empty() {
                return Ok(());
            }
            if Instant::now() >= deadline {
                let text = format!("{} not rolled out after {ROLLED_OUT_WITHIN:?}", waiting.join(", "));
                return Err(EnvironmentError::TimedOut(text));
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }
}

fn deployed(deployment: &Deployment) -> bool {
    let Some(status) = &deployment.status else { return false };
    let (desired, running, ready) = deployment.counts();
    let updated = status.updated_replicas.unwrap_or(0);
    status.observed_generation >= deployment.metadata.generation
        && u32::try_from(updated).is_ok_and(|updated| updated == desired)
        && running == desired
        && ready == desired
}

fn set_out(set: &StatefulSet) -> bool {
    let Some(status) = &set.status else { return false };
    let (desired, _, ready) = set.counts();
    let updated = status.updated_replicas.unwrap_or(0);
    let whole = status.update_revision == status.current_revision;
    status.observed_generation >= set.metadata.generation
        && (whole || u32::try_from(updated).is_ok_and(|updated| updated == desired))
        && ready == desired
}

impl Member {
    fn of(object: &impl AsWorkload, kind: Kind, groups: &str, group: &str) -> Option<Self> {
        let workload = view::workload(object, groups);
        if workload.group.as_deref() != Some(group) {
            return None;
        }
        let annotations = object.metadata().annotations.as_ref();
        let bound = annotations.and_then(|all| serde_json::from_str::<Bound>(all.get(BOUND)?).ok());
        let template = object.template().and_then(|template| template.spec.as_ref());
        let now = || template.map(|spec| spec.containers.iter().map(amounts).collect()).unwrap_or_default();
        Some(Self {
            name: workload.name,
            kind,
            instances: workload.desired,
            bound: bound.as_ref().map(|bound| bound.quota),
            containers: bound.map_or_else(now, |bound| bound.before),
        })
    }
}

fn amounts(container: &Container) -> (String, Amounts) {
    let none = ResourceRequirements::default();
    let resources = container.resources.as_ref().unwrap_or(&none);
    let amounts = Amounts {
        requests: resources.requests.clone().unwrap_or_default(),
        limits: resources.limits.clone().unwrap_or_default(),
    };
    (container.name.clone(), amounts)
}

/// What is left of every limit, from 0 to 1; absent where nothing is bounded.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Shares {
    cpu: Option<f64>,
    memory: Option<f64>,
}

impl Shares {
    fn of(members: &[Member], quota: Quota) -> Result<Self> {
        Ok(Self {
            cpu: share(members, "cpu", millicores, quota.cpu)?,
            memory: share(members, "memory", bytes, quota.memory)?,
        })
    }

    /// Requests follow limits down: none may ask for more than it may have.
    fn apply(self, containers: &BTreeMap<String, Amounts>) -> BTreeMap<String, Amounts> {
        let mut bounded = containers.clone();
        for amounts in bounded.values_mut() {
            let parts = [
                (
                    "cpu",
                    self.cpu,
                    millicores as fn(&Quantity) -> Option<u64>,
                    write_millicores as fn(u64) -> Quantity,
                ),
                ("memory", self.memory, bytes, write_bytes),
            ];
            for (key, share, read, write) in parts {
                let (Some(share), Some(before)) = (share, amounts.ceiling(key, read)) else { continue };
                let limit = (before as f64 * share).floor().max(1.0) as u64;
                amounts.limits.insert(key.to_owned(), write(limit));
                if amounts.requests.get(key).and_then(read).is_some_and(|request| request > limit) {
                    amounts.requests.insert(key.to_owned(), write(limit));
                }
            }
        }
        bounded
    }
}

impl Amounts {
    /// The limit, or what is asked for where there is none.
    fn ceiling(&self, key: &str, read: fn(&Quantity) -> Option<u64>) -> Option<u64> {
        self.limits.get(key).or_else(|| self.requests.get(key)).and_then(read)
    }
}

fn share(
    members: &[Member],
    key: &str,
    read: fn(&Quantity) -> Option<u64>,
    bound: Option<u64>,
) -> Result<Option<f64>> {
    let Some(bound) = bound else { return Ok(None) };
    let mut total = 0;
    for member in members {
        for (container, amounts) in &member.containers {
            let ceiling = amounts.ceiling(key, read).ok_or_else(|| {
                EnvironmentError::Conflict(format!(
                    "container '{container}' of '{}' has neither a limit nor a request of {key}: it has no share to bound",
                    member.name
                ))
            })?;
            total += ceiling * u64::from(member.instances);
        }
    }
    Ok((total > 0).then(|| (bound as f64 / total as f64).min(1.0)))
}

/// Gives the containers these amounts, and takes out what is in none of them.
fn patch(containers: &BTreeMap<String, Amounts>, bound: &Value, run: &Value) -> Value {
    let listed = |amounts: &BTreeMap<String, Quantity>| -> Value {
        ["cpu", "memory"].into_iter().map(|key| (key.to_owned(), json!(amounts.get(key)))).collect()
    };
    let containers: Vec<_> = containers
        .iter()
        .map(|(name, amounts)| {
            let resources =
                json!({ "requests": listed(&amounts.requests), "limits": listed(&amounts.limits) });
            json!({ "name": name, "resources": resources })
        })
        .collect();
    json!({
        "metadata": { "annotations": { BOUND: bound, RUN_LABEL: run } },
        "spec": { "template": { "spec": { "containers": containers } } },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(name: &str, instances: u32, resources: Value) -> Member {
        let deployment: Deployment = serde_json::from_value(json!({
            "metadata": { "name": name },
            "spec": {
                "replicas": instances,
                "selector": {},
                "template": {
                    "metadata": { "labels": { "tier": "app" } },
                    "spec": { "containers": [{ "name": "main", "resources": resources }] },
                },
            },
        }))
        .expect("a deployment");
        Member::of(&deployment, Kind::Deployment, "tier", "app").expect("it is of the group")
    }

    #[test]
    fn a_bound_is_divided_in_proportion_and_requests_follow() {
        let web = member(
            "web",
            3,
            json!({ "requests": { "cpu": "500m" }, "limits": { "cpu": "1", "memory": "512Mi" } }),
        );
        let worker = member("worker", 1, json!({ "requests": { "cpu": "100m", "memory": "512Mi" } }));
        let quota = Quota { cpu: Some(1550), memory: Some(4 << 30) };
        let shares = Shares::of(&[web.clone(), worker.clone()], quota).expect("shares");
        assert_eq!(shares, Shares { cpu: Some(0.5), memory: Some(1.0) });
        let bounded = &shares.apply(&web.containers)["main"];
        assert_eq!(
            (&bounded.limits["cpu"].0, &bounded.requests["cpu"].0),
            (&"500m".to_owned(), &"500m".to_owned())
        );
        let bounded = &shares.apply(&worker.containers)["main"];
        assert_eq!(
            (&bounded.limits["cpu"].0, &bounded.requests["cpu"].0),
            (&"50m".to_owned(), &"50m".to_owned())
        );
    }

    #[test]
    fn without_a_limit_there_is_no_share() {
        let error = Shares::of(&[member("web", 1, json!({}))], Quota { cpu: Some(1), memory: None });
        insta::assert_snapshot!(
            error.expect_err("no share"),
            @"container 'main' of 'web' has neither a limit nor a request of cpu: it has no share to bound"
        );
    }

    #[test]
    fn what_was_not_there_is_taken_out_again() {
        let web = member("web", 1, json!({ "limits": { "cpu": "1" } }));
        insta::assert_json_snapshot!(patch(&web.containers, &Value::Null, &Value::Null));
    }
}
