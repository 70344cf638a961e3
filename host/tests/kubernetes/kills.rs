//! The host is killed at random points of drills on the deployed shop, and `host recover` puts everything back.

use std::{process::Command, time::Duration};

use assay::environment::{Environment, kubernetes::RUN_LABEL};
use k8s_openapi::api::{
    core::v1::{ConfigMap, Node},
    networking::v1::NetworkPolicy,
};
use kube::{Api, ResourceExt, api::ListParams};
use tokio::runtime::Runtime;

use crate::{
    shop::{NAMESPACE, Shop},
    support::{
        finish,
        kills::{CRASH, DRAIN, EXHAUSTION, FREEZE, PARTITION, Platform, leave_nothing},
        text,
    },
};

/// From before anything was done until long after the strike.
const WITHIN: std::ops::Range<Duration> = Duration::ZERO..Duration::from_secs(30);

/// Lists what is frozen in a pod, and what a fault has started there, which bears its mark for a name.
const ODD: &str = "grep -lE '^State:\\s+T' /proc/[0-9]*/status; grep -la '^exhaustion-' /proc/[0-9]*/cmdline";

#[test]
#[ignore = "needs a cluster: make test-kubernetes"]
fn drills_killed_at_random_points_leave_nothing_in_force() {
    let runtime = Runtime::new().expect("a runtime");
    let shop = runtime.block_on(Shop::open());
    // Without the loss of a node's power, for which every cluster has another command.
    let drills = [CRASH, DRAIN, EXHAUSTION, FREEZE, PARTITION];
    leave_nothing(&Deployed { shop, runtime }, &drills, WITHIN);
}

/// The shop on the cluster, for those who do not wait.
struct Deployed {
    shop: Shop,
    /// Outlives whatever of the shop runs on it.
    runtime: Runtime,
}

impl Platform for Deployed {
    fn drill(&self, config: &str) -> Command {
        let mut command = self.shop.host("run", config);
        command.arg("--quiet");
        command
    }

    fn recover(&self) -> String {
        let output = finish(&mut self.shop.recover(), Duration::from_secs(120));
        assert!(output.status.success(), "{}", text(&output));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn in_force(&self) -> Vec<String> {
        self.runtime.block_on(in_force(&self.shop))
    }

    fn whole(&self) {
        self.runtime.block_on(async {
            self.shop.whole().await;
            self.shop.assert_untouched().await;
        });
    }
}

async fn in_force(shop: &Shop) -> Vec<String> {
    let mut found = Vec::new();
    let client = &shop.cluster.client;
    let labelled = ListParams::default().labels(RUN_LABEL);
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), NAMESPACE);
    let policies: Api<NetworkPolicy> = Api::namespaced(client.clone(), NAMESPACE);
    let maps = maps.list(&labelled).await.expect("config maps").items;
    let policies = policies.list(&labelled).await.expect("policies").items;
    found.extend(maps.iter().map(|map| format!("journal {}", map.name_any())));
    found.extend(policies.iter().map(|policy| format!("policy {}", policy.name_any())));
    let nodes: Api<Node> = Api::all(client.clone());
    for node in nodes.list(&ListParams::default()).await.expect("nodes").items {
        if node.spec.as_ref().is_some_and(|spec| spec.unschedulable == Some(true)) {
            found.push(format!("node {} takes no pods", node.name_any()));
        }
    }
    let struck = "app in (web, redis, postgres)".parse().expect("a selector");
    for instance in shop.kubernetes.instances(&struck).await.expect("instances") {
        let command = ["sh", "-c", ODD].map(str::to_owned);
        // One that is about to end cannot be asked, and takes with it what was in it.
        if let Ok(odd) = shop.kubernetes.exec(&instance.name, &command, Duration::from_secs(10)).await {
            found.extend(odd.stdout.lines().map(|process| format!("{} in {}", process, instance.name)));
        }
    }
    found
}
