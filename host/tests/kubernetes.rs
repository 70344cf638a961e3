//! A real cluster, and what is done to it. `make test-kubernetes` runs these against whatever `KUBECONFIG`
//! points at, if that is a test cluster. They need an image with bash, and busybox or
//! Python (`ASSAY_TEST_IMAGE`; the reference shop's own unless given); what only a cluster's own tools can do
//! they do by commands in variables (docs/kubernetes.md), and say so where they were skipped for want of them.

#[path = "kubernetes/autoscaling.rs"]
mod autoscaling;
mod conformance;
#[path = "kubernetes/in_vain.rs"]
mod in_vain;
#[path = "kubernetes/kills.rs"]
mod kills;
#[path = "kubernetes/kit.rs"]
mod kit;
#[path = "kubernetes/runs.rs"]
mod runs;
#[path = "kubernetes/shop.rs"]
mod shop;
mod support;

use std::time::Duration;

use assay::{
    environment::{
        Direction, Environment, EnvironmentError, Inverse, Manner, ObjectReference,
        kubernetes::{Kubernetes, RUN_LABEL},
    },
    observe::{Clock, Fact, InstanceEvent, Stream},
};
use conformance::{Traits, conforms};
use k8s_openapi::api::coordination::v1::Lease;
use kit::{Stage, power_commands, until};
use serde_json::json;
use support::skipped;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: make test-kubernetes"]
async fn a_cluster_does_what_every_environment_must() {
    let stage = Stage::set().await;
    let environment = stage.environment("conformance").await;
    let power = power_commands().is_some();
    if !power {
        skipped("what a failed node does", "nodes cannot be powered off here");
    }
    conforms(&environment, Traits { patience: Duration::from_secs(120), power }).await;
    environment.close().await.expect("closed");
    stage.close().await;
}

/// What the watches tell of the life of one instance.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: make test-kubernetes"]
async fn what_happens_is_told_once_as_it_happens() {
    let stage = Stage::set().await;
    let stream = Stream::new(Clock::start());
    let mut told = stream.subscribe();
    let environment = stage.environment_telling("watching", stream).await;
    let all = environment.instances(&"app=front".parse().expect("a selector")).await.expect("instances");
    let (victim, uid) = (&all[0].name, &all[0].uid);
    environment.terminate(victim, uid, Manner::Crash, false).await.expect("it crashes");
    let (mut life, mut replicas) = (Vec::new(), Vec::new());
    until("it is ready again, and its workload has two", async || {
        while let Ok(event) = told.try_recv() {
            match &event.fact {
                Fact::Instance(change) if change.instance == *victim => life.push(change.change),
                Fact::Replicas { workload, desired, ready, .. } if workload == "front" => {
                    replicas.push((*desired, *ready));
                }
                _ => {}
            }
        }
        life.contains(&InstanceEvent::Ready) && replicas.last() == Some(&(2, 2))
    })
    .await;
    let lives: Vec<_> = life.iter().filter(|change| **change != InstanceEvent::NotReady).collect();
    assert_eq!(lives, [&InstanceEvent::Exited, &InstanceEvent::Started, &InstanceEvent::Ready], "{life:?}");
    assert!(replicas.contains(&(2, 1)), "{replicas:?}");
    environment.close().await.expect("closed");
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: make test-kubernetes"]
async fn a_cut_that_another_policy_would_undo_is_refused() {
    let stage = Stage::set().await;
    let environment = stage.environment("cutting").await;
    let policy = json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": { "name": "open" },
        "spec": { "podSelector": { "matchLabels": { "app": "front" } }, "ingress": [{}] },
    });
    stage.apply(policy).await;
    let victims = "app=front".parse().expect("a selector");
    let refused = environment.isolate("cut", &victims, None, Direction::Both).await;
    let refused = refused.expect_err("it would have no effect").to_string();
    assert!(refused.starts_with("NetworkPolicy 'open' allows traffic of 'front-"), "{refused}");
    environment.close().await.expect("closed");
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: make test-kubernetes"]
async fn raw_objects_are_changed_and_given_back() {
    let stage = Stage::set().await;
    let environment = stage.environment("objects").await;
    let object = |api_version: &str, kind: &str, name: &str| ObjectReference {
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
        name: name.to_owned(),
    };
    let objects = environment.objects().expect("a cluster has objects");
    let map = object("v1", "ConfigMap", "made");
    let new = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "made" }, "data": { "a": "1" } });
    let made = objects.create(&new).await.expect("created");
    assert_eq!(made["metadata"]["labels"][RUN_LABEL], "objects");
    let taken = objects.create(&new).await;
    assert!(matches!(taken, Err(EnvironmentError::Conflict(_))), "{taken:?}");
    let patched = objects.patch(&map, &json!({ "data": { "a": null, "b": "2" } })).await.expect("patched");
    assert_eq!(patched["data"], json!({ "b": "2" }));
    let before = Inverse::Patch { object: map.clone(), before: json!({ "data": { "a": "1", "b": null } }) };
    environment.undo(&before).await.expect("given back");
    assert_eq!(objects.get(&map).await.expect("it is there")["data"], json!({ "a": "1" }));
    let found =
        objects.find(&object("apps/v1", "Deployment", ""), &"app=front".parse().expect("a selector")).await;
    assert_eq!(found.expect("found").len(), 1);
    environment.undo(&Inverse::Delete { object: map.clone() }).await.expect("deleted");
    environment.undo(&Inverse::Delete { object: map.clone() }).await.expect("deleted twice is fine");
    assert!(matches!(objects.get(&map).await, Err(EnvironmentError::NotFound(_))));
    // What somebody else made under the same name is left alone.
    stage.apply(new.clone()).await;
    environment.undo(&Inverse::Delete { object: map.clone() }).await.expect("nothing to delete");
    assert!(objects.get(&map).await.is_ok());
    let node = objects.get(&object("v1", "Node", "any")).await;
    assert!(matches!(node, Err(EnvironmentError::Unsupported(_))), "{node:?}");
    environment.close().await.expect("closed");
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: make test-kubernetes"]
async fn a_second_run_is_kept_out() {
    let stage = Stage::set().await;
    let first = stage.environment("first").await;
    let second =
        Kubernetes::reach(&stage.config(), Stream::new(Clock::start())).await.expect("it is reached");
    let refused = second.claim("second").await.expect_err("it is taken").to_string();
    assert_eq!(refused, format!("run 'first' holds namespace '{}': one run at a time", stage.namespace));
    first.close().await.expect("closed");
    second.claim("second").await.expect("it is free");
    second.close().await.expect("closed");
    assert!(stage.api::<Lease>().get_opt("assay").await.expect("asked").is_none());
    stage.close().await;
}
