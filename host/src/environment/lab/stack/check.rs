//! What must hold in a stack file beyond its syntax.

use std::collections::BTreeSet;

use super::{
    autoscale::AutoscaleFile,
    model::{ReadyFile, StackFile, WorkloadFile},
};
use crate::environment::lab::autoscale::Resource;

/// The most instances of one workload, and the most workloads: each has one byte of an address.
const MOST: usize = 200;

/// Says the first thing that is wrong.
pub(super) fn check(file: &StackFile) -> Result<(), String> {
    name("name", &file.name)?;
    let scale = file.capacity_scale;
    if !(scale > 0.0 && scale <= 1.0) {
        return Err(format!("capacity-scale: {scale} is not above 0 and at most 1"));
    }
    if file.nodes.is_empty() {
        return Err("nodes: there is none".to_owned());
    }
    if file.workloads.is_empty() || file.workloads.len() > MOST {
        return Err(format!("workloads: there are {}, allowed are 1 to {MOST}", file.workloads.len()));
    }
    file.values.check().map_err(|because| format!("values.{because}"))?;
    file.autoscaler.settings().map_err(|because| format!("autoscaler: {because}"))?;
    unique("node", file.nodes.iter().map(|node| &node.name))?;
    unique("workload", file.workloads.iter().map(|workload| &workload.name))?;
    unique("binary", file.binaries.iter())?;
    unique("secret", file.secrets.iter())?;
    for package in &file.rootfs.packages {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-.".contains(c);
        if package.is_empty() || package.starts_with('-') || !package.chars().all(fits) {
            return Err(format!("rootfs.packages: '{package}' is not a package's name"));
        }
    }
    for path in file.rootfs.files.keys() {
        inside(path).map_err(|because| format!("rootfs.files: {because}"))?;
    }
    for workload in &file.workloads {
        of_workload(file, workload).map_err(|because| format!("workload '{}': {because}", workload.name))?;
    }
    match file.workloads.iter().find(|workload| workload.name == file.target.workload) {
        Some(workload) if !workload.declared => no_cycle(file),
        Some(workload) => Err(format!("target: workload '{}' is only declared", workload.name)),
        None => Err(format!("target: there is no workload '{}'", file.target.workload)),
    }
}

fn of_workload(file: &StackFile, workload: &WorkloadFile) -> Result<(), String> {
    if workload.count as usize > MOST {
        return Err(format!("count: {} is more than {MOST}", workload.count));
    }
    if let Some(scalable) = workload.scalable {
        let (min, max) = (scalable.min, scalable.max);
        if !(min <= workload.count && workload.count <= max && max as usize <= MOST) {
            let count = workload.count;
            return Err(format!(
                "scalable: {min} to {max} does not hold the count {count}, or is above {MOST}"
            ));
        }
    }
    if let Some(autoscale) = &workload.autoscale {
        of_autoscale(workload, autoscale).map_err(|because| format!("autoscale: {because}"))?;
    }
    for (bound, request, limit) in [
        ("cpu", workload.requests.cpu.map(|cpu| cpu.0), workload.limits.cpu.map(|cpu| cpu.0)),
        ("memory", workload.requests.memory.map(|size| size.0), workload.limits.memory.map(|size| size.0)),
    ] {
        if let (Some(request), Some(limit)) = (request, limit)
            && request > limit
        {
            return Err(format!("requests.{bound} is larger than limits.{bound}"));
        }
    }
    for node in &workload.nodes {
        if !file.nodes.iter().any(|known| &known.name == node) {
            return Err(format!("nodes: there is no node '{node}'"));
        }
    }
    if let Some(group) = &workload.group {
        name("group", group)?;
    }
    if workload.declared {
        return Ok(());
    }
    if workload.command.is_empty() {
        return Err("command: it is empty".to_owned());
    }
    for name in workload.files.keys() {
        let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if name.is_empty() || name.starts_with('.') || !name.chars().all(fits) {
            return Err(format!("files: '{name}' is not a plain file name"));
        }
    }
    for path in &workload.volumes {
        inside(path).map_err(|because| format!("volumes: {because}"))?;
    }
    for path in workload.scratch.keys() {
        inside(path).map_err(|because| format!("scratch: {because}"))?;
        if workload.volumes.contains(path) {
            return Err(format!("scratch: '{path}' is among the volumes"));
        }
    }
    for before in &workload.after {
        match file.workloads.iter().find(|known| &known.name == before) {
            Some(known) if known.declared => {
                return Err(format!("after: workload '{before}' is only declared, it never gets ready"));
            }
            Some(_) => {}
            None => return Err(format!("after: there is no workload '{before}'")),
        }
    }
    workload
        .ready
        .as_ref()
        .map_or(Ok(()), |ready| of_ready(ready).map_err(|because| format!("ready: {because}")))
}

fn of_autoscale(workload: &WorkloadFile, autoscale: &AutoscaleFile) -> Result<(), String> {
    let size = autoscale.size()?;
    if workload.declared {
        return Err("the workload is only declared".to_owned());
    }
    if workload.scalable.is_some() {
        return Err("it says how far the workload can grow; `scalable` must not be there, too".to_owned());
    }
    let (min, max, count) = (size.min, size.max, workload.count);
    if !(min..=max).contains(&count) || max as usize > MOST {
        return Err(format!("{min} to {max} does not hold the count {count}, or is above {MOST}"));
    }
    for target in size.targets {
        let (name, there) = match target.resource {
            Resource::Cpu => ("cpu", workload.requests.cpu.is_some()),
            Resource::Memory => ("memory", workload.requests.memory.is_some()),
        };
        if !there {
            return Err(format!("target-utilization.{name} is a share of requests.{name}, which is missing"));
        }
    }
    Ok(())
}

fn of_ready(ready: &ReadyFile) -> Result<(), String> {
    let means = [ready.tcp.is_some(), ready.http.is_some(), ready.exec.is_some()];
    if means.into_iter().filter(|means| *means).count() != 1 {
        return Err("it needs exactly one of tcp, http and exec".to_owned());
    }
    if ready.exec.as_ref().is_some_and(Vec::is_empty) {
        return Err("exec is empty".to_owned());
    }
    if ready
        .http
        .as_ref()
        .is_some_and(|http| !http.path.starts_with('/') || http.path.contains([' ', '\r', '\n']))
    {
        return Err("http.path must begin with / and have no spaces".to_owned());
    }
    if ready.interval.0.is_zero() || ready.timeout.0.is_zero() || ready.failures == 0 {
        return Err("interval, timeout and failures must be more than 0".to_owned());
    }
    Ok(())
}

/// Names become parts of paths, host names and interface labels.
fn name(what: &str, text: &str) -> Result<(), String> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    match !text.is_empty() && text.len() <= 40 && text.chars().all(fits) && !text.starts_with('-') {
        true => Ok(()),
        false => Err(format!("{what}: '{text}' is not a name; allowed are up to 40 of a-z, 0-9 and -")),
    }
}

fn unique<'a>(what: &str, names: impl Iterator<Item = &'a String>) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for one in names {
        name(what, one)?;
        if !seen.insert(one) {
            return Err(format!("{what} '{one}' is there twice"));
        }
    }
    Ok(())
}

fn inside(path: &str) -> Result<(), String> {
    let plain = path.len() > 1 && path.split('/').skip(1).all(|part| !matches!(part, "" | "." | ".."));
    match path.starts_with('/') && plain {
        true => Ok(()),
        false => Err(format!("'{path}' is not an absolute path without . and ..")),
    }
}

/// Workloads that wait for each other would never start.
fn no_cycle(file: &StackFile) -> Result<(), String> {
    let mut started: BTreeSet<&String> = BTreeSet::new();
    loop {
        let next = file.workloads.iter().find(|workload| {
            !started.contains(&workload.name) && workload.after.iter().all(|before| started.contains(before))
        });
        match next {
            Some(workload) => started.insert(&workload.name),
            None => break,
        };
    }
    let stuck: Vec<_> = file
        .workloads
        .iter()
        .map(|one| one.name.as_str())
        .filter(|one| !started.iter().any(|s| s == one))
        .collect();
    match stuck.is_empty() {
        true => Ok(()),
        false => Err(format!("after: these workloads wait for each other: {}", stuck.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = r#"
        name = "small"
        target = { workload = "web", port = 80 }
        rootfs = { packages = ["busybox"] }
        [[nodes]]
        name = "one"
        [[workloads]]
        name = "web"
        command = ["httpd"]
    "#;

    fn autoscaled(autoscale: &str) -> String {
        format!("requests.cpu = \"100m\"\nautoscale = {{ {autoscale} }}")
    }

    fn message(extra: &str) -> String {
        let file = toml::from_str(&format!("{SMALL}{extra}")).expect("syntax is right");
        check(&file).expect_err(extra)
    }

    #[test]
    fn a_small_stack_is_right() {
        check(&toml::from_str(SMALL).expect("syntax is right")).expect("a small stack");
    }

    #[test]
    fn what_is_wrong_is_named() {
        let messages = [
            message("requests.cpu = \"2\"\nlimits.cpu = \"1\""),
            message("nodes = [\"two\"]"),
            message("volumes = [\"data\"]"),
            message("volumes = [\"/data/../etc\"]"),
            message("scratch = { \"tmp\" = \"1Mi\" }"),
            message("volumes = [\"/data\"]\nscratch = { \"/data\" = \"1Mi\" }"),
            message("files = { \"../x\" = \"x\" }"),
            message("after = [\"web\"]"),
            message("after = [\"db\"]"),
            message("ready = { tcp = 1, exec = [\"true\"] }"),
            message("scalable = { min = 2, max = 4 }"),
            message("autoscale = { min = 1, max = 3, target-utilization = { cpu = 70 } }"),
            message(&autoscaled("min = 2, max = 3, target-utilization = { cpu = 70 }")),
            message(&autoscaled("min = 3, max = 1, target-utilization = { cpu = 70 }")),
            message(&autoscaled("min = 1, max = 3, target-utilization = {}")),
            message(&autoscaled("min = 1, max = 3, target-utilization = { cpu = 0 }")),
            message(&autoscaled(
                "min = 1, max = 3, target-utilization = { cpu = 70 }, scale-down = { stabilization-window = \"61m\" }",
            )),
            message(&autoscaled(
                "min = 1, max = 3, target-utilization = { cpu = 70 }, scale-up = { policies = [] }",
            )),
            message(&autoscaled(
                "min = 1, max = 3, target-utilization = { cpu = 70 }, scale-up = { policies = [{ type = \"pods\", value = 0, period = \"15s\" }] }",
            )),
            message(&autoscaled(
                "min = 1, max = 3, target-utilization = { cpu = 70 }, scale-up = { policies = [{ type = \"pods\", value = 1, period = \"31m\" }] }",
            )),
            message(
                &(autoscaled("min = 1, max = 3, target-utilization = { cpu = 70 }")
                    + "\nscalable = { min = 1, max = 3 }"),
            ),
            message("[autoscaler]\nsync-period = \"10ms\""),
            message("[values]\nhalf-open = true"),
            message("[values]\nmembers = [1]"),
            message("[autoscaler]\ntolerance = 1.5"),
            message("[[workloads]]\nname = \"web\"\ncommand = [\"x\"]"),
            message("[[workloads]]\nname = \"We b\"\ncommand = [\"x\"]"),
            message("[[workloads]]\nname = \"idle\""),
        ];
        insta::assert_snapshot!(messages.join("\n"));
    }

    #[test]
    fn unknown_keys_are_errors_with_their_line() {
        let error =
            toml::from_str::<StackFile>(&format!("{SMALL}replicas = 2")).expect_err("unknown").to_string();
        assert!(error.contains("unknown field `replicas`") && error.contains("line 10"), "{error}");
    }
}
