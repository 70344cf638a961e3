//! Nodes: what they are, whether they take pods, and their power.

use std::{collections::BTreeMap, process::Stdio, time::Duration};

use k8s_openapi::api::core::v1::{Node as ClusterNode, Pod};
use kube::{Api, api::ListParams};
use serde_json::json;
use tokio::process::Command;

use super::{
    Kubernetes,
    error::{ask, merge},
    view,
};
use crate::{
    environment::{EnvironmentError, InstanceState, Node, Result},
    observe::Labels,
};

/// How long a command that powers a node off or on may take.
const POWERED_WITHIN: Duration = Duration::from_secs(120);

/// Most of a command's complaint that is repeated.
const QUOTED: usize = 400;

impl Kubernetes {
    pub(super) fn node_api(&self) -> Api<ClusterNode> {
        Api::all(self.client.clone())
    }

    /// All nodes, or without leave to look at them those that carry the namespace's pods: these say no
    /// more than that one of them is ready.
    pub(super) async fn all_nodes(&self) -> Result<Vec<Node>> {
        if self.config.allow_nodes {
            let found = ask("the nodes", self.node_api().list(&ListParams::default())).await?;
            return Ok(found.items.iter().map(view::node).collect());
        }
        let pods = ask("the instances", self.api::<Pod>().list(&Self::instance_pods())).await?;
        Ok(known_by_pods(&pods.items))
    }

    pub(super) async fn set_node_schedulable(&self, name: &str, schedulable: bool) -> Result<()> {
        self.ensure_nodes_allowed(if schedulable { "uncordon" } else { "cordon" })?;
        let patch = json!({ "spec": { "unschedulable": if schedulable { None } else { Some(true) } } });
        merge(&format!("node '{name}'"), &self.node_api(), name, &patch).await.map(drop)
    }

    pub(super) async fn power_off(&self, name: &str) -> Result<String> {
        self.ensure_nodes_allowed("fail-node")?;
        let node = ask(&format!("node '{name}'"), self.node_api().get(name)).await?;
        if !view::node(&node).ready {
            return Err(EnvironmentError::Conflict(format!("node '{name}' is already down")));
        }
        self.ensure_not_own(name).await?;
        let command = self.command(name, |commands| &commands.fail)?;
        run(&command).await?;
        Ok(format!("the config's command ended: {}", command.join(" ")))
    }

    pub(super) async fn power_on(&self, name: &str) -> Result<()> {
        self.ensure_nodes_allowed("restore-node")?;
        run(&self.command(name, |commands| &commands.restore)?).await
    }

    fn command(
        &self,
        node: &str,
        which: impl Fn(&super::NodeCommands) -> &Vec<String>,
    ) -> Result<Vec<String>> {
        let commands = self.config.commands.as_ref().ok_or_else(|| {
            EnvironmentError::Unsupported(
                "a cluster has no power switch: the environment's table needs the commands fail-node and restore-node"
                    .to_owned(),
            )
        })?;
        Ok(which(commands).iter().map(|part| part.replace("{node}", node)).collect())
    }

    /// The node that carries this process is never a victim: nobody would be there to restore it.
    pub(super) async fn ensure_not_own(&self, node: &str) -> Result<()> {
        if !self.inside {
            return Ok(());
        }
        // A pod's host name is the pod's name, unless its template says otherwise.
        let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let own = self.pod(&name).await.map_err(|error| {
            EnvironmentError::Unsupported(format!("which node carries this run cannot be told: {error}"))
        })?;
        match view::node_name(&own) == node {
            false => Ok(()),
            true => Err(EnvironmentError::Conflict(format!(
                "node '{node}' carries this run, and is never a victim"
            ))),
        }
    }
}

fn known_by_pods(pods: &[Pod]) -> Vec<Node> {
    let mut ready = BTreeMap::new();
    for pod in pods {
        let node = view::node_name(pod);
        if !node.is_empty() {
            *ready.entry(node).or_insert(false) |= view::state(pod) == InstanceState::Ready;
        }
    }
    let node = |(name, ready)| Node { name, labels: Labels::new(), ready, schedulable: true };
    ready.into_iter().map(node).collect()
}

async fn run(command: &[String]) -> Result<()> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(EnvironmentError::Invalid("an empty command".to_owned()));
    };
    let shown = command.join(" ");
    let running = Command::new(program).args(arguments).stdin(Stdio::null()).kill_on_drop(true).output();
    let output = match tokio::time::timeout(POWERED_WITHIN, running).await {
        Ok(output) => output.map_err(|error| EnvironmentError::Other(format!("`{shown}`: {error}")))?,
        Err(_) => {
            return Err(EnvironmentError::TimedOut(format!("`{shown}` did not end in {POWERED_WITHIN:?}")));
        }
    };
    if output.status.success() {
        return Ok(());
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    let complaint: String = complaint.trim().chars().take(QUOTED).collect();
    Err(EnvironmentError::Other(format!("`{shown}` ended with {}: {complaint}", output.status)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn commands_fail_with_what_they_say() {
        let failed = |command: &[&str]| {
            let command: Vec<_> = command.iter().map(|part| (*part).to_owned()).collect();
            async move { run(&command).await.map_err(|error| error.to_string()) }
        };
        assert_eq!(failed(&["true", "node-1"]).await, Ok(()));
        let error = failed(&["sh", "-c", "echo no such node >&2; exit 3"]).await.expect_err("it fails");
        assert!(error.ends_with("ended with exit status: 3: no such node"), "{error}");
        assert!(failed(&["/no/such/program"]).await.is_err());
    }

    #[test]
    fn without_leave_nodes_are_known_by_their_pods() {
        let pod = |node: &str, ready: &str| -> Pod {
            let conditions = serde_json::json!([{ "type": "Ready", "status": ready }]);
            let status = serde_json::json!({ "phase": "Running", "conditions": conditions });
            serde_json::from_value(
                serde_json::json!({ "metadata": {}, "spec": { "nodeName": node, "containers": [] }, "status": status }),
            )
            .expect("a pod")
        };
        let nodes =
            known_by_pods(&[pod("b", "False"), pod("a", "True"), pod("b", "True"), pod("c", "False")]);
        let seen: Vec<_> = nodes.iter().map(|node| (node.name.as_str(), node.ready)).collect();
        assert_eq!(seen, [("a", true), ("b", true), ("c", false)]);
    }
}
