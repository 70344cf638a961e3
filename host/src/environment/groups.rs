//! Groups of workloads: what a quota can bound.

use super::{EnvironmentError, Result, Selector, Workload};

/// The group that these workloads make up, all of it and nothing else.
pub(super) fn one_group(selector: &Selector, workloads: &[Workload]) -> Result<String> {
    let selected: Vec<_> = workloads.iter().filter(|one| selector.matches(&one.name, &one.labels)).collect();
    let names = |list: &[&Workload]| list.iter().map(|one| one.name.as_str()).collect::<Vec<_>>().join(", ");
    let refused = |because: String| {
        EnvironmentError::Conflict(format!("'{selector}' is not exactly one group: {because}"))
    };
    let Some(first) = selected.first() else {
        return Err(EnvironmentError::NotFound(format!("'{selector}' matches no workload")));
    };
    let Some(group) = &first.group else {
        return Err(refused(format!("workload '{}' is in no group", first.name)));
    };
    let foreign: Vec<_> = selected.iter().copied().filter(|one| one.group.as_ref() != Some(group)).collect();
    if !foreign.is_empty() {
        return Err(refused(format!("besides group '{group}' it matches {}", names(&foreign))));
    }
    let missing: Vec<_> = workloads
        .iter()
        .filter(|one| one.group.as_ref() == Some(group) && !selector.matches(&one.name, &one.labels))
        .collect();
    match missing.is_empty() {
        true => Ok(group.clone()),
        false => Err(refused(format!("group '{group}' also has {}", names(&missing)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workload(name: &str, tier: Option<&str>, group: Option<&str>) -> Workload {
        Workload {
            name: name.to_owned(),
            labels: tier.map(|tier| ("tier".to_owned(), tier.to_owned())).into_iter().collect(),
            desired: 1,
            running: 1,
            ready: 1,
            declared_only: false,
            cpu_request: None,
            cpu_limit: None,
            memory_request: None,
            memory_limit: None,
            group: group.map(str::to_owned),
        }
    }

    #[test]
    fn a_quota_needs_exactly_one_group() {
        let workloads = [
            workload("web", Some("app"), Some("app")),
            workload("db", Some("app"), Some("app")),
            workload("lb", None, None),
            workload("odd", Some("side"), Some("side")),
        ];
        let group = |selector: &str| {
            let selector = selector.parse().expect("a selector");
            one_group(&selector, &workloads).map_err(|error| error.to_string())
        };
        assert_eq!(group("tier=app"), Ok("app".to_owned()));
        let errors = ["", "name=web", "name=lb", "tier in (app, side)", "tier=none"]
            .map(|selector| group(selector).expect_err(selector));
        insta::assert_snapshot!(errors.join("\n"));
    }
}
