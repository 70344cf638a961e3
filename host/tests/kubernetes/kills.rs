//! The host is killed at random points of drills on the deployed shop, and `host recover` puts everything back.

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use assay::environment::{Environment, kubernetes::RUN_LABEL};
use k8s_openapi::api::{
    core::v1::{ConfigMap, Node},
    networking::v1::NetworkPolicy,
};
use kube::{Api, ResourceExt, api::ListParams};

use crate::{
    shop::{NAMESPACE, Shop},
    support::{
        Running, figures, finish, kill,
        kills::{CRASH, DRAIN, Drill, EXHAUSTION, FREEZE, PARTITION, drawn, undone},
        text,
    },
};

/// Without the loss of a node's power, for which every cluster has another command.
const DRILLS: [Drill; 5] = [CRASH, DRAIN, EXHAUSTION, FREEZE, PARTITION];

/// From before anything was done until long after the strike.
const WITHIN: std::ops::Range<Duration> = Duration::ZERO..Duration::from_secs(30);

/// Lists what is frozen in a pod, and what a fault has started there, which bears its mark for a name.
const ODD: &str = "grep -lE '^State:\\s+T' /proc/[0-9]*/status; grep -la '^exhaustion-' /proc/[0-9]*/cmdline";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: make test-kubernetes"]
async fn drills_killed_at_random_points_leave_nothing_in_force() {
    let shop = Shop::open().await;
    let (mut kills, mut harmful) = (0, 0);
    for (drill, after) in drawn(&DRILLS, WITHIN) {
        kills += 1;
        let count = killed(&shop, drill, after).await;
        harmful += u32::from(count > 0);
        let left = in_force(&shop).await;
        let recovered = Instant::now();
        shop.whole().await;
        let ready = format!("{:.1} s", recovered.elapsed().as_secs_f64());
        let after = format!("{:.1} s", after.as_secs_f64());
        figures::row([
            kills.to_string(),
            drill.name().to_owned(),
            after.clone(),
            count.to_string(),
            left.len().to_string(),
            ready,
        ]);
        assert_eq!(left, [""; 0], "of {} killed after {after}", drill.name());
        shop.assert_untouched().await;
    }
    figures::line(&format!(
        "\n{harmful} of {kills} kills left something to undo; after `host recover` none did."
    ));
    // Three may all come too early; so many cannot.
    assert!(harmful > 0 || kills < 10, "nothing was ever in force");
}

/// Kills a run of a drill so long after its start, recovers, and says how much was undone.
async fn killed(shop: &Shop, drill: Drill, after: Duration) -> u32 {
    let mut command = shop.host("run", drill.config);
    command.args(drill.settings()).arg("--quiet").stdout(Stdio::null()).stderr(Stdio::null());
    let mut run = Running(command.spawn().expect("it starts"));
    tokio::time::sleep(after).await;
    let ended = run.0.try_wait().expect("it can be asked");
    assert_eq!(ended, None, "{} ended by itself", drill.name());
    kill(run.0.id(), "KILL");
    drop(run);
    undone(&recover(shop))
}

fn recover(shop: &Shop) -> String {
    let output = finish(&mut shop.recover(), Duration::from_secs(120));
    assert!(output.status.success(), "{}", text(&output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Everything that a fault has left in force, or a run has left to do.
async fn in_force(shop: &Shop) -> Vec<String> {
    let mut found = Vec::new();
    let again = recover(shop);
    if again != "nothing to do\n" {
        found.push(format!("`host recover` found once more: {again}"));
    }
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
