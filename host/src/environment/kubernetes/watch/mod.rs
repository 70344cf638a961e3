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
    core::v1::{Event, Pod},
    discovery::v1::EndpointSlice,
};
use kube::{
    Api, Resource,
    runtime::watcher::{self, Event as Change},
};
use serde::de::DeserializeOwned;
use tokio::{sync::mpsc, task::JoinSet};

use super::{Kubernetes, NOT_OWN};
use crate::{
    environment::{EnvironmentError, Result},
    observe::Stream,
};
use sight::Sight;

/// How often the server ends a watch by itself. One that went silent is noticed a little later.
const RENEWED_EVERY: u32 = 30;

/// How long all of them together may take to begin.
const BEGUN_WITHIN: Duration = Duration::from_secs(20);

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
    /// Returns when all of them know what there is: from then on nothing happens unseen.
    pub(super) async fn start(cluster: &Kubernetes) -> Result<Self> {
        let stream = &cluster.stream;
        let sight = Arc::new(Sight::new(stream.clone()));
        // Every watch has a sender and drops it when it has begun.
        let (begins, mut begun) = mpsc::channel::<()>(1);
        let mut tasks = JoinSet::new();
        tasks.spawn(sight::recover(sight.clone(), cluster.client.clone()));
        let guide = Guide { sight, stream: stream.clone(), begins };
        tasks.spawn(guide.follow(cluster.api::<Pod>(), pods::Pods::default()));
        tasks.spawn(guide.follow(cluster.api(), workloads::Replicas::<Deployment>::default()));
        tasks.spawn(guide.follow(cluster.api(), workloads::Replicas::<StatefulSet>::default()));
        tasks.spawn(guide.follow(cluster.api::<EndpointSlice>(), routes::Routes::default()));
        tasks.spawn(guide.follow(cluster.api::<Event>(), events::Events::default()));
        if cluster.config.allow_nodes {
            tasks.spawn(guide.follow(cluster.node_api(), nodes::Nodes::default()));
        }
        drop(guide);
        match tokio::time::timeout(BEGUN_WITHIN, begun.recv()).await {
            Ok(_) => Ok(Self { _tasks: tasks }),
            Err(_) => {
                Err(EnvironmentError::TimedOut(format!("the watches have not begun after {BEGUN_WITHIN:?}")))
            }
        }
    }
}

/// What all watches share.
#[derive(Clone)]
struct Guide {
    sight: Arc<Sight>,
    stream: Stream,
    begins: mpsc::Sender<()>,
}

impl Guide {
    /// Follows all objects of one kind for as long as it is polled.
    fn follow<B: Book>(&self, api: Api<B::Object>, book: B) -> impl Future<Output = ()> + Send + use<B> {
        follow(api, book, self.clone())
    }
}

async fn follow<B: Book>(api: Api<B::Object>, mut book: B, guide: Guide) {
    let Guide { sight, stream, begins } = guide;
    let mut begins = Some(begins);
    let changes = watcher::watcher(api, watcher::Config::default().labels(NOT_OWN).timeout(RENEWED_EVERY));
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
                begins.take();
            }
            Ok(Change::Apply(object)) => book.there(&object, false, &stream),
            Ok(Change::Delete(object)) => {
                book.gone(object.meta().uid.as_deref().unwrap_or_default(), &stream)
            }
            // The server answers, but has forgotten where this watch had got to: it lists everything anew.
            Err(watcher::Error::WatchError(status)) if status.code == 410 => {}
            Err(error) => {
                sight.lose(B::OBJECTS, &super::error::chain(&error));
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}
