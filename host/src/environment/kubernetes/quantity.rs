//! Quantities as Kubernetes writes them.

use std::collections::BTreeMap;

use k8s_openapi::{api::core::v1::Container, apimachinery::pkg::api::resource::Quantity};

/// What one pod asks for and may have, over all its containers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Amounts {
    /// Thousandths of a processor; absent if no container says so.
    pub(super) cpu_request: Option<u64>,
    /// Absent unless every container has one: without, there is no bound.
    pub(super) cpu_limit: Option<u64>,
    /// Bytes.
    pub(super) memory_request: Option<u64>,
    pub(super) memory_limit: Option<u64>,
}

impl Amounts {
    pub(super) fn of(containers: &[Container]) -> Self {
        type Listed = Option<BTreeMap<String, Quantity>>;
        let listed = |limits: bool| -> Vec<&Listed> {
            let resources = containers.iter().map(|one| one.resources.as_ref());
            static NONE: Listed = None;
            resources
                .map(|one| one.map_or(&NONE, |one| if limits { &one.limits } else { &one.requests }))
                .collect()
        };
        let amounts = |limits, read: fn(&Quantity) -> Option<u64>, key: &str| -> Vec<Option<u64>> {
            listed(limits).into_iter().map(|list| list.as_ref()?.get(key).and_then(read)).collect()
        };
        let some =
            |all: Vec<Option<u64>>| all.iter().any(Option::is_some).then(|| all.into_iter().flatten().sum());
        let every =
            |all: Vec<Option<u64>>| (!all.is_empty()).then(|| all.into_iter().sum::<Option<u64>>())?;
        Self {
            cpu_request: some(amounts(false, millicores, "cpu")),
            cpu_limit: every(amounts(true, millicores, "cpu")),
            memory_request: some(amounts(false, bytes, "memory")),
            memory_limit: every(amounts(true, bytes, "memory")),
        }
    }
}

/// Thousandths of a processor, rounded up.
pub(super) fn millicores(quantity: &Quantity) -> Option<u64> {
    whole(number(&quantity.0)? * 1000.0)
}

/// Bytes, rounded up.
pub(super) fn bytes(quantity: &Quantity) -> Option<u64> {
    whole(number(&quantity.0)?)
}

fn whole(number: f64) -> Option<u64> {
    // What is written is far below where doubles lose whole numbers; their noise is cut off.
    (0.0..1e15).contains(&number).then(|| (number - 1e-6).ceil().max(0.0) as u64)
}

/// `250m`, `1.5`, `6Gi`, `12e3`, `4711n`.
fn number(text: &str) -> Option<f64> {
    const UNITS: [(&str, f64); 13] = [
        ("Ki", 1024.0),
        ("Mi", 1_048_576.0),
        ("Gi", 1_073_741_824.0),
        ("Ti", 1_099_511_627_776.0),
        ("Pi", 1_125_899_906_842_624.0),
        ("n", 1e-9),
        ("u", 1e-6),
        ("m", 1e-3),
        ("k", 1e3),
        ("M", 1e6),
        ("G", 1e9),
        ("T", 1e12),
        ("P", 1e15),
    ];
    let (digits, factor) = UNITS
        .iter()
        .find_map(|(unit, factor)| text.strip_suffix(unit).map(|digits| (digits, *factor)))
        .unwrap_or((text, 1.0));
    digits.parse::<f64>().ok().filter(|number| number.is_finite()).map(|number| number * factor)
}

/// As a limit is written.
pub(super) fn write_millicores(cpu: u64) -> Quantity {
    Quantity(format!("{cpu}m"))
}

/// As a limit is written.
pub(super) fn write_bytes(memory: u64) -> Quantity {
    Quantity(memory.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_way_of_writing_is_read() {
        let cpu = |text: &str| millicores(&Quantity(text.to_owned()));
        assert_eq!(
            ["250m", "1", "1.5", "0.1", "156340297n", "9u"].map(cpu),
            [250, 1000, 1500, 100, 157, 1].map(Some)
        );
        let memory = |text: &str| bytes(&Quantity(text.to_owned()));
        assert_eq!(
            ["128Mi", "1G", "12e3", "1.5Gi", "7", "2600Ki"].map(memory),
            [134_217_728, 1_000_000_000, 12_000, 1_610_612_736, 7, 2_662_400].map(Some)
        );
        assert_eq!(["", "x", "1Xi", "-1", "inf"].map(memory), [None; 5]);
    }

    #[test]
    fn a_pod_has_a_limit_only_if_all_its_containers_have() {
        let containers = |second: serde_json::Value| -> Vec<Container> {
            let first = json!({ "name": "a", "resources": { "requests": { "cpu": "100m" }, "limits": { "cpu": "1", "memory": "1Mi" } } });
            serde_json::from_value(json!([first, second])).expect("containers")
        };
        let without = Amounts::of(&containers(json!({ "name": "b" })));
        assert_eq!((without.cpu_request, without.cpu_limit, without.memory_limit), (Some(100), None, None));
        let with = json!({ "name": "b", "resources": { "limits": { "cpu": "500m", "memory": "1Mi" } } });
        let with = Amounts::of(&containers(with));
        assert_eq!(
            (with.cpu_limit, with.memory_limit, with.memory_request),
            (Some(1500), Some(2 << 20), None)
        );
        assert_eq!(Amounts::of(&[]), Amounts::default());
    }
}
