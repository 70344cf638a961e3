//! Network partitions by NetworkPolicy.
//!
//! A policy allows; what no policy of a pod allows is cut. So a pod is cut off from everything by a policy
//! that allows nothing, and from some by one that allows everybody else. Policies add up, and another
//! one that lets traffic through would leave the cut without effect: that is refused.
//!
//! Policies select by labels. Where the selector names an instance, which is no label, the pods that it
//! matches now are marked with one, and healing takes it off again.

use std::net::IpAddr;

use k8s_openapi::{
    api::{core::v1::Pod, networking::v1::NetworkPolicy},
    apimachinery::pkg::apis::meta::v1::LabelSelector,
};
use kube::api::{ListParams, PostParams};
use serde_json::{Value, json};

use super::{
    Kubernetes, MANAGED_BY, RUN_LABEL,
    error::{absent_is_fine, ask, merge, remove},
    view,
};
use crate::environment::{Direction, EnvironmentError, Result, Selector, selector::Requirement};

impl Kubernetes {
    pub(super) async fn cut_off(
        &self,
        id: &str,
        victims: &Selector,
        peers: Option<&Selector>,
        direction: Direction,
    ) -> Result<()> {
        let run = self.run()?;
        let pods = ask("the instances", self.api::<Pod>().list(&Self::instance_pods())).await?.items;
        let name = object_name(id);
        let victim_pods = matching(&pods, victims, "selector")?;
        let peer_pods = peers.map(|peers| matching(&pods, peers, "peer")).transpose()?;
        self.ensure_no_other_policy(&victim_pods, direction).await?;

        let victim_labels = self.by_labels(victims, &victim_pods, &name, "victim").await?;
        let spared = match (peers, &peer_pods) {
            (Some(peers), Some(peer_pods)) => {
                let labels = self.by_labels(peers, peer_pods, &name, "peer").await?;
                everybody_but(&labels, peer_pods, &self.config.namespace)
            }
            _ => Vec::new(),
        };
        let policy = policy(&name, run, &victim_labels, &spared, direction);
        let policy: NetworkPolicy = serde_json::from_value(policy)
            .map_err(|error| EnvironmentError::Other(format!("the policy of '{id}': {error}")))?;
        let api = self.api::<NetworkPolicy>();
        ask(&format!("NetworkPolicy '{name}'"), api.create(&PostParams::default(), &policy)).await.map(drop)
    }

    pub(super) async fn reconnect(&self, id: &str) -> Result<()> {
        let name = object_name(id);
        remove(&format!("NetworkPolicy '{name}'"), &self.api::<NetworkPolicy>(), &name).await?;
        let label = marking_label(&name);
        let marked = ListParams::default().labels(&label);
        let pods = self.api::<Pod>();
        for pod in ask("the marked instances", pods.list(&marked)).await?.items {
            let patch = json!({ "metadata": { "labels": { &label: null } } });
            let pod = view::name(&pod.metadata);
            absent_is_fine(merge(&format!("unmarking '{pod}'"), &pods, &pod, &patch).await)?;
        }
        Ok(())
    }

    /// The selector in the words of labels, with pods marked where it names them.
    async fn by_labels(
        &self,
        selector: &Selector,
        pods: &[&Pod],
        name: &str,
        role: &str,
    ) -> Result<LabelRules> {
        if let Some(rules) = LabelRules::of(selector) {
            return Ok(rules);
        }
        let label = marking_label(name);
        let patch = json!({ "metadata": { "labels": { &label: role } } });
        for pod in pods {
            let pod = view::name(&pod.metadata);
            merge(&format!("marking '{pod}'"), &self.api::<Pod>(), &pod, &patch).await?;
        }
        Ok(LabelRules(vec![json!({ "key": label, "operator": "In", "values": [role] })]))
    }

    /// Policies add up: one that allows something would let it through the cut.
    async fn ensure_no_other_policy(&self, victims: &[&Pod], direction: Direction) -> Result<()> {
        let api = self.api::<NetworkPolicy>();
        let policies = ask("the network policies", api.list(&ListParams::default())).await?;
        for policy in policies.items {
            let lets_through = allows(&policy, direction);
            let selects = |pod: &&&Pod| selects(&policy, pod);
            if let (true, Some(pod)) = (lets_through, victims.iter().find(selects)) {
                return Err(EnvironmentError::Conflict(format!(
                    "NetworkPolicy '{}' allows traffic of '{}', and policies add up: the cut would have no effect",
                    view::name(&policy.metadata),
                    view::name(&pod.metadata)
                )));
            }
        }
        Ok(())
    }
}

/// The pods that a selector matches, at least one.
fn matching<'a>(pods: &'a [Pod], selector: &Selector, whose: &str) -> Result<Vec<&'a Pod>> {
    let found: Vec<_> = pods
        .iter()
        .filter(|pod| selector.matches(&view::name(&pod.metadata), &view::labels(&pod.metadata)))
        .collect();
    match found.is_empty() {
        true => Err(EnvironmentError::NotFound(format!("the {whose} '{selector}' matches no instance"))),
        false => Ok(found),
    }
}

/// What the cluster's objects of one cut are called; ids may hold what names may not.
fn object_name(id: &str) -> String {
    let fits = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let id: String = id.chars().map(fits).collect();
    // The random end of an id is what makes it unique.
    let end = id.char_indices().rev().nth(49).map_or(0, |(index, _)| index);
    format!("assay-{}", id[end..].trim_matches('-'))
}

fn marking_label(name: &str) -> String {
    format!("assay/{name}")
}

/// `matchExpressions` of a label selector: all hold.
struct LabelRules(Vec<Value>);

impl LabelRules {
    /// Absent if the selector speaks of names.
    fn of(selector: &Selector) -> Option<Self> {
        let rules = selector.requirements().iter().map(|requirement| match requirement {
            Requirement::In { key, .. }
            | Requirement::NotIn { key, .. }
            | Requirement::Exists { key }
            | Requirement::Missing { key }
                if key == "name" =>
            {
                None
            }
            Requirement::In { key, values } => {
                Some(json!({ "key": key, "operator": "In", "values": values }))
            }
            Requirement::NotIn { key, values } => {
                Some(json!({ "key": key, "operator": "NotIn", "values": values }))
            }
            Requirement::Exists { key } => Some(json!({ "key": key, "operator": "Exists" })),
            Requirement::Missing { key } => Some(json!({ "key": key, "operator": "DoesNotExist" })),
        });
        rules.collect::<Option<_>>().map(Self)
    }

    /// Each alone selects some of those that these rules do not select; together they select all of them.
    fn others(&self) -> impl Iterator<Item = Value> {
        self.0.iter().map(|rule| {
            let mut rule = rule.clone();
            let operator = match rule["operator"].as_str() {
                Some("In") => "NotIn",
                Some("NotIn") => "In",
                Some("Exists") => "DoesNotExist",
                _ => "Exists",
            };
            rule["operator"] = operator.into();
            rule
        })
    }
}

/// The `from` or `to` of a rule that allows everybody but the peers: the namespace's other pods, the pods
/// of other namespaces, and all addresses but those that the peers have now. Some networks know pods by
/// their labels, some by their addresses; this is right for both.
fn everybody_but(peers: &LabelRules, pods: &[&Pod], namespace: &str) -> Vec<Value> {
    let here = |rule: Value| json!({ "podSelector": { "matchExpressions": [rule] } });
    let mut allowed: Vec<_> = peers.others().map(here).collect();
    let elsewhere =
        json!({ "key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": [namespace] });
    allowed.push(json!({ "namespaceSelector": { "matchExpressions": [elsewhere] } }));
    let addresses = |pod: &&Pod| -> Vec<IpAddr> {
        let all = pod.status.iter().flat_map(|status| status.pod_ips.iter().flatten());
        all.filter_map(|one| one.ip.parse().ok()).collect()
    };
    let addresses: Vec<_> = pods.iter().flat_map(addresses).collect();
    for (everything, length) in [("0.0.0.0/0", 32), ("::/0", 128)] {
        let of_family = addresses.iter().filter(|one| one.is_ipv4() == (length == 32));
        let except: Vec<_> = of_family.map(|one| format!("{one}/{length}")).collect();
        // A cluster without addresses of a family has no pods that it could leave out.
        if !except.is_empty() {
            allowed.push(json!({ "ipBlock": { "cidr": everything, "except": except } }));
        }
    }
    allowed
}

fn policy(name: &str, run: &str, victims: &LabelRules, spared: &[Value], direction: Direction) -> Value {
    let (ingress, egress) = match direction {
        Direction::Both => (true, true),
        Direction::Ingress => (true, false),
        Direction::Egress => (false, true),
    };
    // An empty list allows nothing; a rule without partners would allow everything.
    let rules = |partners: &str| match spared.is_empty() {
        true => json!([]),
        false => json!([{ partners: spared }]),
    };
    // A selector that fits everybody would cut off the run itself, where it happens inside the cluster.
    let (managed_by, assay) = MANAGED_BY;
    let spares_own = json!({ "key": managed_by, "operator": "NotIn", "values": [assay] });
    let victims: Vec<_> = victims.0.iter().cloned().chain([spares_own]).collect();
    let mut spec = json!({ "podSelector": { "matchExpressions": victims }, "policyTypes": [] });
    for (wanted, kind, key, partners) in
        [(ingress, "Ingress", "ingress", "from"), (egress, "Egress", "egress", "to")]
    {
        if wanted {
            spec[key] = rules(partners);
            if let Some(types) = spec["policyTypes"].as_array_mut() {
                types.push(kind.into());
            }
        }
    }
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": { "name": name, "labels": { RUN_LABEL: run } },
        "spec": spec,
    })
}

/// Does a policy allow anything in a direction that is to be cut?
fn allows(policy: &NetworkPolicy, direction: Direction) -> bool {
    let Some(spec) = &policy.spec else { return false };
    let ingress = spec.ingress.as_ref().is_some_and(|rules| !rules.is_empty());
    let egress = spec.egress.as_ref().is_some_and(|rules| !rules.is_empty());
    match direction {
        Direction::Both => ingress || egress,
        Direction::Ingress => ingress,
        Direction::Egress => egress,
    }
}

fn selects(policy: &NetworkPolicy, pod: &Pod) -> bool {
    let selector = policy.spec.as_ref().and_then(|spec| spec.pod_selector.as_ref());
    let labels = view::labels(&pod.metadata);
    selector.is_none_or(|selector: &LabelSelector| {
        let exact = selector.match_labels.iter().flatten().all(|(key, value)| labels.get(key) == Some(value));
        let expressions = selector.match_expressions.iter().flatten();
        exact
            && expressions.into_iter().all(|rule| {
                let value = labels.get(&rule.key);
                let listed = value.is_some_and(|value| rule.values.iter().flatten().any(|one| one == value));
                match rule.operator.as_str() {
                    "In" => listed,
                    "NotIn" => !listed,
                    "Exists" => value.is_some(),
                    _ => value.is_none(),
                }
            })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(selector: &str) -> Option<LabelRules> {
        LabelRules::of(&selector.parse().expect("a selector"))
    }

    fn pod(name: &str, app: &str, address: &str) -> Pod {
        serde_json::from_value(json!({
            "metadata": { "name": name, "labels": { "app": app } },
            "status": { "podIPs": [{ "ip": address }] },
        }))
        .expect("a pod")
    }

    #[test]
    fn cut_off_from_everything_nothing_is_allowed() {
        let victims = rules("app=db,tier in (a, b),!canary").expect("labels");
        insta::assert_json_snapshot!(policy("assay-cut", "run-1", &victims, &[], Direction::Both));
        let one_way = policy("assay-cut", "run-1", &victims, &[], Direction::Egress);
        assert_eq!(
            (&one_way["spec"]["policyTypes"], one_way["spec"].get("ingress")),
            (&json!(["Egress"]), None)
        );
    }

    #[test]
    fn cut_off_from_some_everybody_else_is_allowed() {
        let peer = pod("web-0", "web", "10.78.1.7");
        let peers = rules("app=web,canary").expect("labels");
        let spared = everybody_but(&peers, &[&peer], "here");
        insta::assert_json_snapshot!(policy(
            "assay-cut",
            "run-1",
            &rules("app=db").expect("labels"),
            &spared,
            Direction::Ingress
        ));
    }

    #[test]
    fn names_are_no_labels() {
        assert!(rules("name=db-0").is_none());
        assert!(rules("app=db").is_some());
        assert_eq!(object_name("(profile)-0a1b2c3d"), "assay-profile--0a1b2c3d");
        let long = object_name(&format!("{}-0a1b2c3d", "x".repeat(64)));
        assert!(long.len() <= 56 && long.ends_with("-0a1b2c3d"), "{long}");
    }

    #[test]
    fn a_policy_that_lets_traffic_through_is_seen() {
        let policy =
            |spec| -> NetworkPolicy { serde_json::from_value(json!({ "spec": spec })).expect("a policy") };
        let db = pod("db-0", "db", "10.78.1.8");
        let open = policy(json!({ "podSelector": { "matchLabels": { "app": "db" } }, "ingress": [{}] }));
        assert!(selects(&open, &db) && allows(&open, Direction::Both) && !allows(&open, Direction::Egress));
        let shut = policy(json!({ "podSelector": {}, "policyTypes": ["Ingress"] }));
        assert!(selects(&shut, &db) && !allows(&shut, Direction::Both));
        assert!(!selects(&open, &pod("web-0", "web", "10.78.1.9")));
    }
}
