//! The URL of the Service that takes the load.

use std::net::IpAddr;

use k8s_openapi::api::{
    core::v1::{Pod, Service, ServicePort},
    networking::v1::Ingress,
};
use kube::{Api, Client, api::ListParams};

use super::{ClusterConfig, Via, error::ask, view};
use crate::environment::{EnvironmentError, InstanceState, Result};

/// Scheme, host and port, without a trailing slash.
///
/// A NodePort is the way in for whoever stands outside. Inside the cluster the Service's own name is that
/// way, and it holds when the node that a NodePort's address belongs to is the one that fails. An Ingress is
/// part of what is tested, and so is taken by its host from either side.
pub(super) async fn base_url(client: &Client, config: &ClusterConfig, inside: bool) -> Result<String> {
    let name = &config.target.service;
    let services: Api<Service> = Api::namespaced(client.clone(), &config.namespace);
    let what = format!("the target, service '{name}' in namespace '{}'", config.namespace);
    let service = ask(&what, services.get(name)).await?;
    let port = port(&service, config.target.port.as_deref())?;
    match config.target.via {
        Via::Name => Ok(by_name(name, &config.namespace, port)),
        Via::NodePort if inside => Ok(by_name(name, &config.namespace, port)),
        Via::NodePort => {
            let address = node_address(client, config, &service).await?;
            by_node(name, address, port)
        }
        Via::Ingress => {
            let ingresses: Api<Ingress> = Api::namespaced(client.clone(), &config.namespace);
            let all = ask("the ingresses", ingresses.list(&ListParams::default())).await?;
            all.items.iter().find_map(|ingress| by_ingress(ingress, name)).ok_or_else(|| {
                EnvironmentError::NotFound(format!(
                    "no Ingress leads to service '{name}' by a host that is known"
                ))
            })
        }
    }
}

/// The port that is meant.
fn port<'a>(service: &'a Service, wanted: Option<&str>) -> Result<&'a ServicePort> {
    let ports = service.spec.as_ref().and_then(|spec| spec.ports.as_deref()).unwrap_or_default();
    let name = service.metadata.name.as_deref().unwrap_or_default();
    let known = || ports.iter().filter_map(|port| port.name.as_deref()).collect::<Vec<_>>().join(", ");
    match (wanted, ports) {
        (None, [only]) => Ok(only),
        (None, _) => Err(EnvironmentError::Invalid(format!(
            "service '{name}' has {} ports: say which by target.port, it has: {}",
            ports.len(),
            known()
        ))),
        (Some(wanted), _) => {
            let found = ports.iter().find(|port| port.name.as_deref() == Some(wanted));
            found.ok_or_else(|| {
                EnvironmentError::NotFound(format!(
                    "service '{name}' has no port '{wanted}', it has: {}",
                    known()
                ))
            })
        }
    }
}

fn scheme(port: &ServicePort) -> &'static str {
    let names = [port.app_protocol.as_deref(), port.name.as_deref()];
    match port.port == 443 || names.contains(&Some("https")) {
        true => "https",
        false => "http",
    }
}

fn by_name(service: &str, namespace: &str, port: &ServicePort) -> String {
    let scheme = scheme(port);
    match (scheme, port.port) {
        ("http", 80) | ("https", 443) => format!("{scheme}://{service}.{namespace}.svc"),
        (_, port) => format!("{scheme}://{service}.{namespace}.svc:{port}"),
    }
}

fn by_node(service: &str, address: IpAddr, port: &ServicePort) -> Result<String> {
    let number = port.node_port.ok_or_else(|| {
        EnvironmentError::Invalid(format!(
            "service '{service}' has no NodePort: its type is neither NodePort nor LoadBalancer"
        ))
    })?;
    let host = match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    };
    Ok(format!("{}://{host}:{number}", scheme(port)))
}

/// Of a node that carries one of the Service's pods, if possible a ready one. Any node would pass the
/// load on; of these no right to look at nodes is needed to know the address.
async fn node_address(client: &Client, config: &ClusterConfig, service: &Service) -> Result<IpAddr> {
    let name = &config.target.service;
    let selector = service.spec.as_ref().and_then(|spec| spec.selector.as_ref());
    let selector = selector.ok_or_else(|| {
        EnvironmentError::Invalid(format!("service '{name}' selects no pods, so none tells a node's address"))
    })?;
    let labels: Vec<_> = selector.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let pods: Api<Pod> = Api::namespaced(client.clone(), &config.namespace);
    let pods = ask("the target's pods", pods.list(&ListParams::default().labels(&labels.join(",")))).await?;
    let mut hosts: Vec<_> = pods
        .items
        .iter()
        .filter_map(|pod| {
            let host = pod.status.as_ref()?.host_ip.as_ref()?.parse::<IpAddr>().ok()?;
            Some((view::state(pod) != InstanceState::Ready, host))
        })
        .collect();
    // Ready ones first, and of these always the same.
    hosts.sort();
    hosts.first().map(|(_, host)| *host).ok_or_else(|| {
        EnvironmentError::NotFound(format!(
            "service '{name}' has no pod that runs on a node, so its NodePort has no address"
        ))
    })
}

/// By the host of its rule, or by the address that the controller has given it.
fn by_ingress(ingress: &Ingress, service: &str) -> Option<String> {
    let spec = ingress.spec.as_ref()?;
    let leads = |backend: &k8s_openapi::api::networking::v1::IngressBackend| {
        backend.service.as_ref().is_some_and(|one| one.name == service)
    };
    let rules = spec.rules.iter().flatten();
    let rule = rules
        .filter(|rule| {
            rule.http.as_ref().is_some_and(|http| http.paths.iter().any(|path| leads(&path.backend)))
        })
        .map(|rule| rule.host.clone())
        .next();
    let host = match rule {
        Some(host) => host,
        None if spec.default_backend.as_ref().is_some_and(leads) => None,
        None => return None,
    };
    let secure = spec.tls.iter().flatten().any(|tls| match (&host, &tls.hosts) {
        (Some(host), Some(hosts)) => hosts.contains(host),
        _ => true,
    });
    let given = || {
        let balancer = ingress.status.as_ref()?.load_balancer.as_ref()?;
        let first = balancer.ingress.as_ref()?.first()?;
        first.hostname.clone().or_else(|| first.ip.clone())
    };
    let host = host.filter(|host| !host.starts_with('*')).or_else(given)?;
    Some(format!("{}://{host}", if secure { "https" } else { "http" }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn service(ports: serde_json::Value) -> Service {
        let service = json!({ "metadata": { "name": "front" }, "spec": { "ports": ports, "selector": { "app": "front" } } });
        serde_json::from_value(service).expect("a service")
    }

    #[test]
    fn a_port_is_the_only_one_or_named() {
        let one = service(json!([{ "port": 80, "nodePort": 30080 }]));
        let two = service(json!([{ "name": "web", "port": 80 }, { "name": "https", "port": 8443 }]));
        assert_eq!(port(&one, None).expect("the only one").port, 80);
        assert_eq!(by_name("front", "here", port(&one, None).expect("it")), "http://front.here.svc");
        let secure = port(&two, Some("https")).expect("it is named");
        assert_eq!(by_name("front", "here", secure), "https://front.here.svc:8443");
        let errors =
            [port(&two, None), port(&two, Some("metrics"))].map(|it| it.expect_err("no port").to_string());
        insta::assert_snapshot!(errors.join("\n"), @r"
        service 'front' has 2 ports: say which by target.port, it has: web, https
        not found: service 'front' has no port 'metrics', it has: web, https
        ");
    }

    #[test]
    fn a_node_port_needs_one() {
        let address = IpAddr::from([10, 0, 0, 7]);
        let with = service(json!([{ "port": 80, "nodePort": 30080 }]));
        let without = service(json!([{ "port": 80 }]));
        let url = |service: &Service| by_node("front", address, port(service, None).expect("a port"));
        assert_eq!(url(&with).expect("a URL"), "http://10.0.0.7:30080");
        assert!(url(&without).expect_err("none").to_string().contains("has no NodePort"));
    }

    #[test]
    fn an_ingress_leads_by_host_or_by_its_address() {
        let path = json!([{ "pathType": "Prefix", "path": "/", "backend": { "service": { "name": "front", "port": { "number": 80 } } } }]);
        let ingress = |spec, status| -> Ingress {
            serde_json::from_value(json!({ "spec": spec, "status": status })).expect("an ingress")
        };
        let rules = |host: serde_json::Value| json!([{ "host": host, "http": { "paths": path } }]);
        let none = json!({});
        let address = json!({ "loadBalancer": { "ingress": [{ "ip": "10.0.0.9" }] } });
        let named = ingress(
            json!({ "rules": rules(json!("web.example")), "tls": [{ "hosts": ["web.example"] }] }),
            none.clone(),
        );
        assert_eq!(by_ingress(&named, "front").as_deref(), Some("https://web.example"));
        assert_eq!(by_ingress(&named, "other"), None);
        let nameless = ingress(json!({ "rules": rules(json!(null)) }), address);
        assert_eq!(by_ingress(&nameless, "front").as_deref(), Some("http://10.0.0.9"));
        let pending = ingress(json!({ "rules": rules(json!(null)) }), none);
        assert_eq!(by_ingress(&pending, "front"), None);
    }
}
