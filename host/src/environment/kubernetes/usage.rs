//! What pods use, from the metrics API.

use std::{collections::BTreeMap, time::Duration};

use k8s_openapi::{
    api::core::v1::Pod,
    apimachinery::pkg::{api::resource::Quantity, apis::meta::v1::ObjectMeta},
};
use serde::Deserialize;
use tokio::time::Instant;

use super::{
    Kubernetes,
    error::ask,
    quantity::{Amounts, bytes, millicores},
    view,
};
use crate::{
    environment::{EnvironmentError, Result, Selector},
    observe::{Labels, UsageReading},
};

/// How long a sample serves: the metrics themselves are renewed every ten seconds or more.
const FRESH: Duration = Duration::from_secs(5);

/// The last sample of all pods.
#[derive(Debug, Default)]
pub(super) struct Sampled {
    at: Option<Instant>,
    readings: Vec<(Labels, UsageReading)>,
}

#[derive(Debug, Deserialize)]
struct PodMetricsList {
    items: Vec<PodMetrics>,
}

#[derive(Debug, Deserialize)]
struct PodMetrics {
    metadata: ObjectMeta,
    containers: Vec<ContainerMetrics>,
}

#[derive(Debug, Deserialize)]
struct ContainerMetrics {
    usage: BTreeMap<String, Quantity>,
}

impl Kubernetes {
    pub(super) async fn readings(&self, selector: &Selector) -> Result<Vec<UsageReading>> {
        let mut sampled = self.sampled.lock().await;
        if sampled.at.is_none_or(|at| at.elapsed() >= FRESH) {
            sampled.readings = self.sample().await?;
            sampled.at = Some(Instant::now());
        }
        let matching = sampled.readings.iter().filter(|(labels, one)| selector.matches(&one.subject, labels));
        Ok(matching.map(|(_, reading)| reading.clone()).collect())
    }

    async fn sample(&self) -> Result<Vec<(Labels, UsageReading)>> {
        let path = format!("/apis/metrics.k8s.io/v1beta1/namespaces/{}/pods", self.config.namespace);
        let request = http::Request::get(path).body(Vec::new());
        let request = request.map_err(|error| EnvironmentError::Other(format!("the metrics: {error}")))?;
        let metrics = ask("the metrics API", self.client.request::<PodMetricsList>(request));
        let (pods, instances) = (self.api::<Pod>(), Self::instance_pods());
        let pods = ask("the instances", pods.list(&instances));
        let (metrics, pods) = tokio::try_join!(metrics, pods)?;
        Ok(pods.items.iter().filter_map(|pod| reading(pod, &metrics.items)).collect())
    }
}

fn reading(pod: &Pod, metrics: &[PodMetrics]) -> Option<(Labels, UsageReading)> {
    let name = view::name(&pod.metadata);
    let used = metrics.iter().find(|one| one.metadata.name.as_deref() == Some(&name))?;
    let sum = |key: &str, read: fn(&Quantity) -> Option<u64>| -> u64 {
        used.containers.iter().filter_map(|one| one.usage.get(key).and_then(read)).sum()
    };
    let amounts = Amounts::of(view::containers(pod));
    let statuses =
        pod.status.as_ref().and_then(|status| status.container_statuses.as_deref()).unwrap_or_default();
    let killed = statuses.iter().filter(|one| {
        let ends =
            [&one.state, &one.last_state].into_iter().flatten().filter_map(|state| state.terminated.as_ref());
        ends.into_iter().any(|end| end.reason.as_deref() == Some("OOMKilled"))
    });
    let reading = UsageReading {
        cpu: sum("cpu", millicores),
        memory: sum("memory", bytes),
        cpu_limit: amounts.cpu_limit,
        memory_limit: amounts.memory_limit,
        // The metrics API does not say.
        throttled: None,
        // All that a pod says of the past is how its containers ended last.
        oom_kills: u32::try_from(killed.count()).unwrap_or(u32::MAX),
        subject: name,
    };
    Some((view::labels(&pod.metadata), reading))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_reading_adds_up_the_containers() {
        let metrics: PodMetricsList = serde_json::from_value(json!({ "items": [{
            "metadata": { "name": "web-0" },
            "containers": [
                { "name": "main", "usage": { "cpu": "156340297n", "memory": "2600Ki" } },
                { "name": "side", "usage": { "cpu": "1m", "memory": "1Mi" } },
            ],
        }] }))
        .expect("metrics");
        let pod = |name: &str| -> Pod {
            let resources = json!({ "limits": { "cpu": "1" } });
            let spec = json!({ "containers": [{ "name": "main", "resources": resources }] });
            serde_json::from_value(json!({ "metadata": { "name": name }, "spec": spec })).expect("a pod")
        };
        let (_, one) = reading(&pod("web-0"), &metrics.items).expect("a reading");
        assert_eq!((one.cpu, one.memory, one.cpu_limit), (158, (2600 << 10) + (1 << 20), Some(1000)));
        assert!(reading(&pod("web-1"), &metrics.items).is_none(), "it is too young to be measured");
    }
}
