//! Watches: what happens in the namespace, told into the run's stream as it happens.
//!
//! Each kind of object has a book that knows what was told of each object. A watch that broke off is made
//! again and may bring everything anew; because only the difference to the book is told, nothing is told
//! twice, and what happened meanwhile is told late, but told. While the API server cannot be reached the
//! stream says so ([`sight`]).

mod events;
mod nodes;
mod pods;
mod routes;
mod sight;
mod workloads;

use std::{collections::BTreeSet, fmt::Debug, sync::Arc, time::Duration};

use futures::{StreamExt, pin_mut};
use k8s_openapi::api::{
    apps::v1::{Deployment, StatefulSet},
    core::v1::{Event, Node, Pod},
    discovery::v1::EndpointSlice,
};
use kube::{
    Api, Resource,
    runtime::watcher::{self, Event as Change},
};
use serde::de::DeserializeOwned;
use tokio::task::JoinSet;

use super::Kubernetes;
use crate::observe::Stream;
use sight::Sight;

/// How often the server ends a watch by itself. One that went silent is noticed a little later.
const RENEWED_EVERY: u32 = 30;

/// Pause before a watch that broke off is made again.
const PAUSE: Duration = Duration::from_millis(500);

/// What was told of the objects of one kind.
pub(super) trait Book: Send + 'static {
    type Object: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static;

    /// What errors call the objects.
    const OBJECTS: &'static str;

    /// An object is there, in this form. `baseline`: it was there before the watch began.
    fn there(&mut self, object: &Self::Object, baseline: bool, stream: &Stream);

    /// It is gone.
    fn gone(&mut self, uid: &str, stream: &Stream);

    /// All objects that are known, by uid.
    fn known(&self) -> Vec<String>;
}

/// Watches under way; they end when this is dropped.
pub(super) struct Watches {
    _tasks: JoinSet<()>,
}

impl Watches {
    pub(super) fn start(cluster: &Kubernetes) -> Self {
        let stream = &cluster.stream;
        let sight = Arc::new(Sight::new(stream.clone()));
        let mut tasks = JoinSet::new();
        tasks.spawn(sight::recover(sight.clone(), cluster.client.clone()));
        tasks.spawn(follow(cluster.api::<Pod>(), pods::Pods::default(), sight.clone(), stream.clone()));
        let deployments = workloads::Replicas::<Deployment>::default();
        tasks.spawn(follow(cluster.api(), deployments, sight.clone(), stream.clone()));
        let sets = workloads::Replicas::<StatefulSet>::default();
        tasks.spawn(follow(cluster.api(), sets, sight.clone(), stream.clone()));
        let slices = cluster.api::<EndpointSlice>();
        tasks.spawn(follow(slices, routes::Routes::default(), sight.clone(), stream.clone()));
        tasks.spawn(follow(cluster.api::<Event>(), events::Events::default(), sight.clone(), stream.clone()));
        if cluster.config.allow_nodes {
            let nodes: Api<Node> = cluster.node_api();
            tasks.spawn(follow(nodes, nodes::Nodes::default(), sight, stream.clone()));
        }
        Self { _tasks: tasks }
    }
}

/// Follows all objects of one kind for as long as it is polled.
async fn follow<B: Book>(api: Api<B::Object>, mut book: B, sight: Arc<Sight>, stream: Stream) {
    let changes = watcher::watcher(api, watcher::Config::default().timeout(RENEWED_EVERY));
    pin_mut!(changes);
    let (mut baseline, mut listed) = (true, BTreeSet::new());
    while let Some(change) = changes.next().await {
        match change {
            Ok(Change::Init) => listed.clear(),
            Ok(Change::InitApply(object)) => {
                listed.extend(object.meta().uid.clone());
                book.there(&object, baseline, &stream);
            }
            Ok(Change::InitDone) => {
                for uid in book.known().into_iter().filter(|uid| !listed.contains(uid)) {
                    book.gone(&uid, &stream);
                }
                baseline = false;
            }
            Ok(Change::Apply(object)) => book.there(&object, false, &stream),
            Ok(Change::Delete(object)) => {
                book.gone(object.meta().uid.as_deref().unwrap_or_default(), &stream)
            }
            Err(error) => {
                sight.lose(B::OBJECTS, &super::error::chain(&error));
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}
