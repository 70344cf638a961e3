//! What the tests on a cluster share.

use std::{
    fmt::Debug,
    path::Path,
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use assay::{
    environment::{
        Environment,
        kubernetes::{ClusterConfig, Kubernetes, NodeCommands, Target, Via},
    },
    observe::{Clock, Stream},
};
use futures::TryStreamExt;
use k8s_openapi::api::{
    authentication::v1::TokenRequest,
    core::v1::{ConfigMap, Namespace, ServiceAccount},
    rbac::v1::{ClusterRole, ClusterRoleBinding},
};
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams},
    config::{AuthInfo, Kubeconfig},
    core::GroupVersionKind,
    discovery,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard};

use crate::{conformance, support::image};

/// Marks what lies beyond a namespace, so that what a failed test leaves is found.
const STAGE_LABEL: &str = "assay.test/stage";

/// One test at a time: nodes and the API server are everybody's.
static TURN: Mutex<()> = Mutex::const_new(());

/// A test cluster, whose turn it is for one test.
pub(crate) struct Cluster {
    pub(crate) client: Client,
    pub(crate) context: String,
    turn: MutexGuard<'static, ()>,
}

impl Cluster {
    pub(crate) async fn reach() -> Self {
        let turn = TURN.lock().await;
        // Only a second one would be an error.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let context =
            Kubeconfig::read().expect("KUBECONFIG leads to a cluster").current_context.expect("a context");
        let client = Client::try_default().await.expect("the cluster can be reached");
        ensure_test_cluster(&client, &context).await;
        Self { client, context, turn }
    }
}

/// A namespace of its own with the workloads of the conformance suite; gone when it is [`Stage::close`]d, and with
/// `scripts/kubernetes remove`.
pub(crate) struct Stage {
    pub(crate) client: Client,
    pub(crate) namespace: String,
    pub(crate) context: String,
    _turn: MutexGuard<'static, ()>,
}

impl Stage {
    pub(crate) async fn set() -> Self {
        let Cluster { client, context, turn } = Cluster::reach().await;
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let namespace =
            format!("assay-test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let new = json!({ "metadata": { "name": namespace, "labels": { STAGE_LABEL: "true" } } });
        let new = serde_json::from_value(new).expect("a namespace");
        let namespaces: Api<Namespace> = Api::all(client.clone());
        namespaces.create(&PostParams::default(), &new).await.expect("a namespace");
        let stage = Self { client, namespace, context, _turn: turn };
        let image = image();
        let objects: Vec<Value> =
            serde_json::from_str(&include_str!("objects.json").replace("IMAGE", &image)).expect("JSON");
        for object in objects {
            stage.apply(object).await;
        }
        stage
    }

    /// Creates an object, or brings it into this form.
    pub(crate) async fn apply(&self, object: Value) {
        let mut object: DynamicObject = serde_json::from_value(object).expect("an object");
        let types = object.types.clone().expect("a kind");
        let kind = GroupVersionKind::try_from(&types).expect("a kind");
        let (resource, capabilities) =
            discovery::pinned_kind(&self.client, &kind).await.expect("a known kind");
        let api: Api<DynamicObject> = match capabilities.scope {
            discovery::Scope::Namespaced => {
                Api::namespaced_with(self.client.clone(), &self.namespace, &resource)
            }
            discovery::Scope::Cluster => {
                object.labels_mut().insert(STAGE_LABEL.to_owned(), "true".to_owned());
                Api::all_with(self.client.clone(), &resource)
            }
        };
        let name = object.metadata.name.clone().expect("a name");
        let parameters = PatchParams::apply("assay-test").force();
        api.patch(&name, &parameters, &Patch::Apply(&object))
            .await
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    }

    pub(crate) fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    pub(crate) fn config(&self) -> ClusterConfig {
        ClusterConfig {
            context: self.context.clone(),
            namespace: self.namespace.clone(),
            target: Target { service: "front".to_owned(), via: Via::NodePort, port: None },
            allow_nodes: true,
            groups: "tier".to_owned(),
            commands: power_commands(),
        }
    }

    /// The environment, claimed for a run, with all its workloads ready.
    pub(crate) async fn environment(&self, run: &str) -> Kubernetes {
        self.environment_telling(run, Stream::new(Clock::start())).await
    }

    pub(crate) async fn environment_telling(&self, run: &str, stream: Stream) -> Kubernetes {
        self.ready().await;
        let cluster = Kubernetes::connect(&self.config(), stream).await.expect("it is reached");
        cluster.claim(run).await.expect("nobody else is here");
        cluster
    }

    /// Waits until the workloads are ready.
    pub(crate) async fn ready(&self) {
        let stream = Stream::new(Clock::start());
        let looking = Kubernetes::reach(&self.config(), stream).await.expect("it is reached");
        looking.wait_ready(Duration::from_secs(90)).await.expect("it gets ready");
    }

    /// The cluster's version of now, to ask for what happened since.
    pub(crate) async fn version(&self) -> String {
        let any = self.api::<ConfigMap>().list(&ListParams::default().limit(1)).await.expect("config maps");
        any.metadata.resource_version.expect("a version")
    }

    /// The names of all objects of one kind that were made, changed or deleted since then.
    pub(crate) async fn changed_since<K>(&self, version: &str) -> Vec<String>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>
            + Clone
            + Debug
            + DeserializeOwned,
    {
        // The server tells its history first, and ends the watch after a second.
        let parameters = WatchParams::default().timeout(1);
        let told = self.api::<K>().watch(&parameters, version).await.expect("a watch");
        let told: Vec<WatchEvent<K>> = told.try_collect().await.expect("its events");
        told.into_iter()
            .map(|event| match event {
                WatchEvent::Added(object) | WatchEvent::Modified(object) | WatchEvent::Deleted(object) => {
                    object.name_any()
                }
                WatchEvent::Bookmark(_) | WatchEvent::Error(_) => {
                    panic!("the history is not complete: {event:?}")
                }
            })
            .collect()
    }

    /// Gives the namespace's account `assay` what a Role says, and writes a kubeconfig for it.
    pub(crate) async fn grant(&self, role: &str, kubeconfig: &Path) {
        let account =
            json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": "assay" } });
        self.apply(account).await;
        for document in role.split("---\n").filter(|document| !document.trim().is_empty()) {
            self.apply(serde_saphyr::from_str(document).expect("YAML")).await;
        }
        let accounts: Api<ServiceAccount> = self.api();
        let (parameters, request) = (PostParams::default(), TokenRequest::default());
        let answer = accounts.create_token_request("assay", &parameters, &request).await.expect("a token");
        let token = answer.status.expect("a token").token;
        let mut config = Kubeconfig::read().expect("KUBECONFIG leads to a cluster");
        for user in &mut config.auth_infos {
            user.auth_info = Some(AuthInfo { token: Some(token.clone().into()), ..AuthInfo::default() });
        }
        std::fs::write(kubeconfig, serde_json::to_string(&config).expect("JSON is YAML")).expect("written");
    }

    /// Takes back what lies beyond the namespace.
    pub(crate) async fn revoke(&self) {
        let name = format!("assay-{}", self.namespace);
        let roles: Api<ClusterRole> = Api::all(self.client.clone());
        let bindings: Api<ClusterRoleBinding> = Api::all(self.client.clone());
        roles.delete(&name, &DeleteParams::default()).await.expect("deleted");
        bindings.delete(&name, &DeleteParams::default()).await.expect("deleted");
    }

    pub(crate) async fn close(self) {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        namespaces.delete(&self.namespace, &DeleteParams::background()).await.expect("deleted");
    }
}

/// Polls until something holds, within a bound that a busy machine keeps.
pub(crate) async fn until(what: &str, holds: impl AsyncFnMut() -> bool) {
    conformance::until(what, Duration::from_secs(120), holds).await;
}

/// Tests break things: only where the context's name, or somebody by a label, says that this is what the cluster
/// is for. `scripts/kubernetes` knows the same.
async fn ensure_test_cluster(client: &Client, context: &str) {
    if context.starts_with("kind-") || context.starts_with("k3d-") || context == "minikube" {
        return;
    }
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let system = namespaces.get("kube-system").await.expect("the cluster answers");
    let labels = system.metadata.labels.unwrap_or_default();
    assert_eq!(
        labels.get("assay.test").map(String::as_str),
        Some("true"),
        "context '{context}' is no test cluster: kubectl label namespace kube-system assay.test=true makes it one"
    );
}

/// The words of the command that a variable holds, if it is set.
fn command(variable: &str) -> Option<Vec<String>> {
    let words: Vec<_> = std::env::var(variable).ok()?.split_whitespace().map(str::to_owned).collect();
    (!words.is_empty()).then_some(words)
}

/// `$ASSAY_TEST_NODE_STOP NODE` and `$ASSAY_TEST_NODE_START NODE`, if this cluster's nodes have a power switch.
pub(crate) fn power_commands() -> Option<NodeCommands> {
    let of_a_node = |variable| Some([command(variable)?, vec!["{node}".to_owned()]].concat());
    Some(NodeCommands {
        fail: of_a_node("ASSAY_TEST_NODE_STOP")?,
        restore: of_a_node("ASSAY_TEST_NODE_START")?,
    })
}

/// How the API server is taken away and brought back, where it can be.
pub(crate) struct ApiServer {
    stop: Vec<String>,
    start: Vec<String>,
}

impl ApiServer {
    pub(crate) fn switch() -> Option<Self> {
        Some(Self { stop: command("ASSAY_TEST_API_STOP")?, start: command("ASSAY_TEST_API_START")? })
    }

    pub(crate) async fn away(&self, for_so_long: Duration) {
        run(&self.stop);
        tokio::time::sleep(for_so_long).await;
        run(&self.start);
    }
}

fn run(command: &[String]) {
    let status = Command::new(&command[0]).args(&command[1..]).status();
    assert!(status.expect("it starts").success(), "{command:?}");
}
