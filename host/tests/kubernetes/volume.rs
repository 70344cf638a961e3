//! A folder of a node as a volume, for clusters that have no storage to give.

use k8s_openapi::api::core::v1::{Namespace, PersistentVolume, Pod};
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams},
};
use serde_json::json;

use crate::{
    kit::{Stage, until},
    support::image,
};

/// Where the volumes' folders are, on a node.
const FOLDER: &str = "/var/tmp";

/// A volume that waits for one claim of the stage's namespace.
pub(crate) struct Volume {
    name: String,
    node: String,
}

impl Volume {
    /// Must be made while pods may still be root: a folder that is new on a node belongs to root, and whoever
    /// mounts it later does not.
    pub(crate) async fn make(stage: &Stage, claim: &str, node: &str) -> Self {
        let volume = Self { name: format!("{}-{claim}", stage.namespace), node: node.to_owned() };
        volume.as_root(stage, "mkdir --mode 0777 /there/$0").await;
        let hostname = json!({ "key": "kubernetes.io/hostname", "operator": "In", "values": [volume.node] });
        let object = json!({
            "apiVersion": "v1", "kind": "PersistentVolume", "metadata": { "name": volume.name },
            "spec": {
                "capacity": { "storage": "1Gi" }, "accessModes": ["ReadWriteOnce"],
                "persistentVolumeReclaimPolicy": "Retain", "storageClassName": "",
                "claimRef": { "namespace": stage.namespace, "name": claim },
                "hostPath": { "path": format!("{FOLDER}/{}", volume.name), "type": "Directory" },
                "nodeAffinity": { "required": { "nodeSelectorTerms": [{ "matchExpressions": [hostname] }] } },
            },
        });
        stage.apply(object).await;
        volume
    }

    pub(crate) async fn remove(self, stage: &Stage) {
        let volumes: Api<PersistentVolume> = Api::all(stage.client.clone());
        volumes.delete(&self.name, &DeleteParams::default()).await.expect("deleted");
        admit(stage, "privileged").await;
        self.as_root(stage, "rm -r /there/$0").await;
    }

    /// Runs a command on the node, where the volume's folder is `/there/$0`.
    async fn as_root(&self, stage: &Stage, command: &str) {
        let image = image();
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "volume" },
            "spec": {
                "nodeName": self.node, "restartPolicy": "Never",
                "containers": [{
                    "name": "main", "image": image, "imagePullPolicy": "IfNotPresent",
                    "command": ["sh", "-c", command, self.name],
                    "securityContext": { "runAsUser": 0 },
                    "volumeMounts": [{ "name": "there", "mountPath": "/there" }],
                }],
                "volumes": [{ "name": "there", "hostPath": { "path": FOLDER, "type": "Directory" } }],
            },
        });
        stage.apply(pod).await;
        let pods = stage.api::<Pod>();
        until("the node's folder is as it should be", async || {
            let pod = pods.get("volume").await.expect("it is there");
            pod.status.and_then(|status| status.phase).as_deref() == Some("Succeeded")
        })
        .await;
        let at_once = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
        pods.delete("volume", &at_once).await.expect("deleted");
        until("its pod is gone", async || pods.get_opt("volume").await.expect("asked").is_none()).await;
    }
}

/// From now on pods of the stage's namespace have to be as a Pod Security Standard wants them.
pub(crate) async fn admit(stage: &Stage, standard: &str) {
    let labels = json!({ "metadata": { "labels": { "pod-security.kubernetes.io/enforce": standard } } });
    let namespaces: Api<Namespace> = Api::all(stage.client.clone());
    let (patch, parameters) = (Patch::Merge(&labels), PatchParams::default());
    namespaces.patch(&stage.namespace, &parameters, &patch).await.expect("labelled");
}
