//! The platform is described twice, for the lab and for Kubernetes. This holds the two together: the same
//! labels, so that a selector finds the same victims in both, and the same requests and limits, so
//! that quota arithmetic comes out the same.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

/// What the small overlay makes of processors.
const CAPACITY_SCALE: f64 = 0.2;

/// What a workload asks for and may use, as its file writes it.
#[derive(Debug, Clone, Default, PartialEq)]
struct Resources {
    /// Whether it has the label `tier=app`.
    counts: bool,
    cpu_request: Option<String>,
    cpu_limit: Option<String>,
    memory_request: Option<String>,
    memory_limit: Option<String>,
}

impl Resources {
    fn of(labels: &Value, resources: &Value) -> Self {
        let text = |kind: &str, what: &str| {
            let value = &resources[kind][what];
            value.as_str().map(str::to_owned).or_else(|| value.as_number().map(ToString::to_string))
        };
        Self {
            counts: labels["tier"] == "app",
            cpu_request: text("requests", "cpu"),
            cpu_limit: text("limits", "cpu"),
            memory_request: text("requests", "memory"),
            memory_limit: text("limits", "memory"),
        }
    }
}

fn config() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config")
}

/// The lab's workloads by their label `app`, and whether `capacity-scale` scales their processor limit.
fn lab() -> BTreeMap<String, (Resources, bool)> {
    let text = fs::read_to_string(config().join("stacks/jewelry-shop.toml")).expect("the stack can be read");
    let stack: Value = toml::from_str(&text).expect("the stack is TOML");
    let workloads = stack["workloads"].as_array().expect("workloads");
    workloads
        .iter()
        .map(|workload| {
            let app = workload["labels"]["app"].as_str().expect("a label `app`").to_owned();
            (app, (Resources::of(&workload["labels"], workload), workload["scaled"] == true))
        })
        .collect()
}

/// The containers of a folder's manifests by the name of their workload, which is its label `app`.
fn cluster(folder: &str) -> BTreeMap<String, Resources> {
    let folder = config().join("kubernetes/jewelry-shop").join(folder);
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("the entry can be read").path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let text = fs::read_to_string(&path).expect("the file can be read");
        for part in text.split("\n---\n") {
            let object: Value =
                serde_saphyr::from_str(part).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let template = &object["spec"]["template"];
            let Some(containers) = template["spec"]["containers"].as_array() else { continue };
            let name = object["metadata"]["name"].as_str().expect("a name").to_owned();
            let labels = &template["metadata"]["labels"];
            assert!(labels.is_null() || labels["app"] == *name, "{name} has another label: {labels}");
            assert_eq!(containers.len(), 1, "{name} has one container");
            found.insert(name, Resources::of(labels, &containers[0]["resources"]));
        }
    }
    found
}

/// A fifth of a processor quantity.
fn scaled(cpu: Option<&String>) -> Option<String> {
    let cpu = cpu?;
    let millis = match cpu.strip_suffix('m') {
        Some(millis) => millis.parse().expect("a number"),
        None => cpu.parse::<f64>().expect("a number") * 1000.0,
    };
    Some(format!("{}m", (millis * CAPACITY_SCALE).round()))
}

#[test]
fn a_cluster_carries_what_the_lab_carries() {
    let mut expected: BTreeMap<_, _> =
        lab().into_iter().map(|(app, (resources, _))| (app, resources)).collect();
    // Kubernetes itself keeps Patroni's state, and leads to the primary.
    for own in ["etcd", "haproxy"] {
        assert!(expected.remove(own).is_some(), "the lab has {own}");
    }
    assert_eq!(cluster("base"), expected);
}

/// The only object of a kind in a file of manifests.
fn object(file: &str, kind: &str) -> Value {
    let path = config().join("kubernetes/jewelry-shop").join(file);
    let text = fs::read_to_string(path).expect("the file can be read");
    let objects = text.split("\n---\n").map(|part| serde_saphyr::from_str::<Value>(part).expect("YAML"));
    let mut found = objects.filter(|object| object["kind"] == kind);
    found.next().unwrap_or_else(|| panic!("{file} has no {kind}"))
}

#[test]
fn both_autoscalers_want_the_same() {
    let kind = "HorizontalPodAutoscaler";
    let (base, small) = (object("base/web.yaml", kind), object("overlays/small/autoscaler.yaml", kind));
    for (stack, autoscaler) in [("jewelry-shop-extreme.toml", &base), ("jewelry-shop-small.toml", &small)] {
        let text = fs::read_to_string(config().join("stacks").join(stack)).expect("the overlay");
        let overlay: Value = toml::from_str(&text).expect("the overlay is TOML");
        let lab = &overlay["workloads"]["web"]["autoscale"];
        assert_eq!(overlay["capacity-scale"], CAPACITY_SCALE);

        assert_eq!((&lab["min"], &lab["max"]), (&base["spec"]["minReplicas"], &base["spec"]["maxReplicas"]));
        for metric in autoscaler["spec"]["metrics"].as_array().expect("metrics") {
            let resource = &metric["resource"];
            let name = resource["name"].as_str().expect("a name");
            assert_eq!(lab["target-utilization"][name], resource["target"]["averageUtilization"], "{name}");
        }
        let down = |object: &Value| object["spec"]["behavior"]["scaleDown"].clone();
        let seconds = |value: &Value| value.as_u64().map(Duration::from_secs);
        let written = |value: &Value| {
            let (count, unit) = value.as_str().and_then(|text| text.split_at_checked(text.len() - 1))?;
            Some(Duration::from_secs(count.parse::<u64>().ok()? * if unit == "m" { 60 } else { 1 }))
        };
        let window = seconds(&down(autoscaler)["stabilizationWindowSeconds"]);
        assert!(window.is_some());
        assert_eq!(written(&lab["scale-down"]["stabilization-window"]), window, "{stack}");
        let (here, there) = (&lab["scale-down"]["policies"][0], &down(&base)["policies"][0]);
        let lower = |kind: &Value| kind.as_str().map(str::to_lowercase);
        assert_eq!(lower(&here["type"]), lower(&there["type"]));
        assert_eq!(here["value"], there["value"]);
        assert_eq!(written(&here["period"]), seconds(&there["periodSeconds"]));
    }
}

/// Whoever counts votes or keeps data never shares a node with another of its kind, not even while a third node takes
/// no pods: the loss of one node would be that of the majority.
#[test]
fn a_majority_is_never_on_one_node() {
    for app in ["sentinel", "redis", "postgres"] {
        let pods = &object(&format!("base/{app}.yaml"), "StatefulSet")["spec"]["template"]["spec"];
        let spread = &pods["topologySpreadConstraints"][0];
        assert_eq!(spread["topologyKey"], "kubernetes.io/hostname", "{app}");
        assert_eq!((&spread["maxSkew"], &spread["whenUnsatisfiable"]), (&1.into(), &"DoNotSchedule".into()));
        // By default, nodes that take no pods are counted, too.
        assert_eq!(spread["nodeTaintsPolicy"], Value::Null, "{app}");
    }
}

#[test]
fn the_small_overlay_is_a_fifth_of_the_processors() {
    let lab = lab();
    let expected: BTreeMap<_, _> = cluster("base")
        .into_iter()
        .map(|(app, base)| {
            let limit_is_scaled = lab[&app].1;
            let small = Resources {
                cpu_request: scaled(base.cpu_request.as_ref()),
                cpu_limit: scaled(base.cpu_limit.as_ref()).filter(|_| limit_is_scaled),
                ..Resources::default()
            };
            (app, small)
        })
        .collect();
    assert_eq!(cluster("overlays/small"), expected);
}
