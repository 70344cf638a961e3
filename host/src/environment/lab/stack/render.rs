//! From a stack file to a plan: addresses, users, templates.
//!
//! Commands and environment values are templates as files are, but see no secrets: what stands in
//! an argument list can be read by everyone on the machine.

use std::{
    collections::BTreeMap,
    net::Ipv4Addr,
    path::{Path, PathBuf},
};

use minijinja::{Environment, UndefinedBehavior, context, syntax::SyntaxConfig, value::Value};

use super::{
    Stack, StackError,
    autoscale::AutoscaleFile,
    model::{ReadyFile, WorkloadFile},
};
use crate::environment::lab::{
    plan::{Check, InstancePlan, NodePlan, Plan, Readiness, Resources, User, WorkloadPlan},
    rootfs,
};

/// Values that a lab made up for itself, by name.
pub(in super::super) type Secrets = BTreeMap<String, String>;

/// Every lab is a network of its own, so all of them can have the same addresses.
const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
const PREFIX: u8 = 16;

impl Stack {
    /// Makes up a value for each secret that the stack names.
    pub(in super::super) fn make_secrets(&self) -> Secrets {
        // 192 bits in letters and digits, which no configuration syntax needs to quote.
        let value = || {
            use rand::distr::{Alphanumeric, SampleString};
            Alphanumeric.sample_string(&mut rand::rng(), 32)
        };
        self.file.secrets.iter().map(|name| (name.clone(), value())).collect()
    }

    /// The whole lab, resolved. `programs` is the folder in which one's own programs are.
    pub(in super::super) fn plan(
        &self,
        id: String,
        state: PathBuf,
        rootfs: PathBuf,
        programs: &Path,
        secrets: &Secrets,
    ) -> Result<Plan, StackError> {
        let file = &self.file;
        let nodes: Vec<NodePlan> = file
            .nodes
            .iter()
            .map(|node| NodePlan { name: node.name.clone(), labels: node.labels.clone() })
            .collect();
        let node_index = |name: &String| file.nodes.iter().position(|node| &node.name == name);
        let workload_index =
            |name: &String| file.workloads.iter().position(|workload| &workload.name == name);

        let autoscale = |autoscale: &AutoscaleFile| autoscale.size().map_err(|wrong| self.wrong(wrong));
        let mut workloads = Vec::new();
        for workload in &file.workloads {
            // A workload that is only declared may name a user that no package has made.
            let user = match workload.declared {
                true => User { name: workload.user.clone(), uid: 0, gid: 0, home: "/".to_owned() },
                false => rootfs::user(&rootfs, &workload.user)
                    .map_err(|because| self.wrong(format!("workload '{}': {because}", workload.name)))?,
            };
            let all = 0..nodes.len();
            workloads.push(WorkloadPlan {
                name: workload.name.clone(),
                labels: workload.labels.clone(),
                group: workload.group.clone(),
                count: workload.count,
                scalable: workload.bounds(),
                autoscale: workload.autoscale.as_ref().map(autoscale).transpose()?,
                declared: workload.declared,
                requests: resources(workload.requests),
                limits: resources(workload.limits),
                cpu_request: workload.requests.cpu.map(|cpu| scale(cpu.0, file.capacity_scale)),
                cpu_limit: workload.limits.cpu.map(|cpu| match workload.scaled {
                    true => scale(cpu.0, file.capacity_scale),
                    false => cpu.0,
                }),
                user,
                ready: workload.ready.as_ref().and_then(readiness),
                after: workload.after.iter().filter_map(workload_index).collect(),
                grace: workload.grace.0,
                movable: workload.movable,
                nodes: match workload.nodes.is_empty() {
                    true => all.collect(),
                    false => workload.nodes.iter().filter_map(node_index).collect(),
                },
                volumes: workload.volumes.clone(),
                scratch: workload.scratch.iter().map(|(path, size)| (path.clone(), size.0)).collect(),
            });
        }

        let templates = self.templates()?;
        let addresses = self.addresses();
        let mut instances = Vec::new();
        for (index, workload) in file.workloads.iter().enumerate().filter(|(_, one)| !one.declared) {
            for ordinal in 0..slots(workload) {
                let name = format!("{}-{ordinal}", workload.name);
                let facts = context! {
                    name => &name,
                    ordinal => ordinal,
                    workload => &workload.name,
                    address => address(index, ordinal).to_string(),
                    gateway => GATEWAY.to_string(),
                    stack => &file.name,
                    count => workload.count,
                    workloads => addresses.clone(),
                    values => file.values.seen(),
                    limits => context! {
                        cpu => workload.limits.cpu.map(|cpu| cpu.0),
                        memory => workload.limits.memory.map(|size| size.0),
                    },
                };
                let render = |what: &str, text: &str| {
                    templates.render_str(text, &facts).map_err(|error| {
                        self.wrong(format!("workload '{}': {what}: {}", workload.name, reason(&error)))
                    })
                };
                let command =
                    workload.command.iter().map(|text| render("command", text)).collect::<Result<_, _>>()?;
                let env = workload
                    .env
                    .iter()
                    .map(|(key, text)| Ok((key.clone(), render(key, text)?)))
                    .collect::<Result<_, _>>()?;
                let with_secrets = context! { secrets => secrets, ..facts.clone() };
                let files = workload
                    .files
                    .iter()
                    .map(|(target, template)| {
                        let text = templates
                            .get_template(template)
                            .and_then(|template| template.render(&with_secrets))
                            .map_err(|error| {
                                self.wrong(format!(
                                    "workload '{}': {template}: {}",
                                    workload.name,
                                    reason(&error)
                                ))
                            })?;
                        Ok((target.clone(), text))
                    })
                    .collect::<Result<_, _>>()?;
                let node = placed(&workloads[index], index, ordinal);
                instances.push(InstancePlan {
                    name,
                    workload: index,
                    ordinal,
                    address: address(index, ordinal),
                    node,
                    command,
                    env,
                    files,
                });
            }
        }

        let target = workload_index(&file.target.workload)
            .map(|index| (address(index, 0), file.target.port))
            .ok_or_else(|| self.wrong("target: there is no such workload"))?;
        let hosts = instances.iter().fold("127.0.0.1 localhost\n".to_owned(), |text, one| {
            format!("{text}{} {}\n", one.address, one.name)
        });
        Ok(Plan {
            id,
            stack: file.name.clone(),
            state,
            rootfs,
            programs: file.binaries.iter().map(|name| (name.clone(), programs.join(name))).collect(),
            gateway: GATEWAY,
            prefix: PREFIX,
            target,
            nodes,
            workloads,
            instances,
            reschedule_after: file.reschedule_after.0,
            autoscaler: file.autoscaler.settings().map_err(|wrong| self.wrong(wrong))?,
            hosts,
            hidden: secrets.values().cloned().collect(),
        })
    }

    /// Every workload's instances, as templates see them.
    fn addresses(&self) -> Value {
        let all = self.file.workloads.iter().enumerate().filter(|(_, one)| !one.declared).map(
            |(index, workload)| {
                let instances: Vec<Value> = (0..slots(workload))
                    .map(|ordinal| {
                        context! {
                            name => format!("{}-{ordinal}", workload.name),
                            ordinal => ordinal,
                            address => address(index, ordinal).to_string(),
                        }
                    })
                    .collect();
                (workload.name.as_str(), Value::from(instances))
            },
        );
        Value::from(all.collect::<BTreeMap<_, _>>())
    }

    fn templates(&self) -> Result<Environment<'static>, StackError> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let mut templates = Environment::new();
        // A configuration file ends as it was written, with its last line whole.
        let syntax = SyntaxConfig::builder().keep_trailing_newline(true).trim_blocks(true).build();
        templates.set_syntax(syntax.map_err(|error| self.wrong(reason(&error)))?);
        templates.set_undefined_behavior(UndefinedBehavior::Strict);
        // Nothing here is HTML or JSON for a browser, whatever the files are called.
        templates.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        for name in self.file.workloads.iter().flat_map(|workload| workload.files.values()) {
            let text =
                fs_err::read_to_string(folder.join(name)).map_err(|error| self.wrong(error.to_string()))?;
            templates
                .add_template_owned(name.clone(), text)
                .map_err(|error| self.wrong(format!("{name}: {}", reason(&error))))?;
        }
        Ok(templates)
    }
}

fn slots(workload: &WorkloadFile) -> u32 {
    workload.bounds().map_or(workload.count, |(_, max)| max.max(workload.count))
}

/// `10.77.W.I`: readable in logs, and the same in every lab of a stack.
fn address(workload: usize, ordinal: u32) -> Ipv4Addr {
    let byte = |number: u64| u8::try_from(number).unwrap_or(u8::MAX);
    Ipv4Addr::new(10, 77, byte(workload as u64 + 1), byte(u64::from(ordinal) + 1))
}

/// One after the other; workloads that may run everywhere begin on different nodes.
fn placed(workload: &WorkloadPlan, index: usize, ordinal: u32) -> usize {
    let offset = match workload.movable {
        true => index,
        false => 0,
    };
    workload.nodes[(offset + ordinal as usize) % workload.nodes.len()]
}

fn resources(file: super::model::ResourcesFile) -> Resources {
    Resources { cpu: file.cpu.map(|cpu| cpu.0), memory: file.memory.map(|size| size.0) }
}

fn scale(thousandths: u64, by: f64) -> u64 {
    ((thousandths as f64 * by).round() as u64).max(1)
}

fn readiness(ready: &ReadyFile) -> Option<Readiness> {
    let check = if let Some(port) = ready.tcp {
        Check::Tcp { port }
    } else if let Some(http) = &ready.http {
        Check::Http {
            port: http.port,
            path: http.path.clone(),
            status: http.status,
            contains: http.contains.clone(),
        }
    } else {
        Check::Exec { command: ready.exec.clone()? }
    };
    Some(Readiness { check, interval: ready.interval.0, timeout: ready.timeout.0, failures: ready.failures })
}

/// A template's error with its line, without the dump of variables that its debug form has.
fn reason(error: &minijinja::Error) -> String {
    match error.line() {
        Some(line) => format!("{error} (line {line})"),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack(toml: &str, files: &[(&str, &str)]) -> (tempfile::TempDir, Stack) {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).expect("written");
        }
        let path = folder.path().join("stack.toml");
        std::fs::write(&path, toml).expect("written");
        let stack = Stack::load(&path).expect("a right stack");
        (folder, stack)
    }

    const STACK: &str = r#"
        name = "pair"
        target = { workload = "front", port = 8080 }
        rootfs = { packages = [] }
        secrets = ["key"]
        capacity-scale = 0.5
        values = { sync = true, mode = "fast" }
        [[nodes]]
        name = "a"
        [[nodes]]
        name = "b"
        [[workloads]]
        name = "store"
        count = 2
        requests = { cpu = "500m", memory = "1Gi" }
        limits = { cpu = "1", memory = "2Gi" }
        command = ["store", "--name", "{{ name }}", "--peers", "{% for p in workloads.store %}{{ p.address }},{% endfor %}"]
        files = { "store.conf" = "store.conf.j2" }
        [[workloads]]
        name = "front"
        limits = { cpu = "1" }
        scaled = true
        movable = true
        after = ["store"]
        scalable = { min = 1, max = 3 }
        command = ["front", "{{ workloads.store[1].address }}", "{{ values.mode }}"]
        [[workloads]]
        name = "later"
        declared = true
        user = "nobody-has-this-user"
    "#;

    fn plan(stack: &Stack, root: &Path) -> Result<Plan, StackError> {
        std::fs::create_dir_all(root.join("etc")).expect("made");
        std::fs::write(root.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n").expect("written");
        let secrets = BTreeMap::from([("key".to_owned(), "s3cret".to_owned())]);
        stack.plan("pair-1".to_owned(), "/state".into(), root.to_owned(), Path::new("/bin"), &secrets)
    }

    #[test]
    fn templates_see_addresses_and_files_see_secrets() {
        let (folder, stack) = stack(
            STACK,
            &[("store.conf.j2", "key={{ secrets.key }} mem={{ limits.memory }} {{ values.sync }}\n")],
        );
        let plan = plan(&stack, folder.path()).expect("a plan");
        let store = &plan.instances[1];
        assert_eq!(store.name, "store-1");
        assert_eq!(store.command, ["store", "--name", "store-1", "--peers", "10.77.1.1,10.77.1.2,"]);
        assert_eq!(store.files, [("store.conf".to_owned(), "key=s3cret mem=2147483648 True\n".to_owned())]);
        // Slots beyond the count exist, so that their addresses are known to everyone from the start.
        let fronts: Vec<_> = plan.instances.iter().filter(|one| one.workload == 1).collect();
        assert_eq!(fronts.len(), 3);
        assert_eq!(fronts[0].command, ["front", "10.77.1.2", "fast"]);
        assert_eq!(plan.target, (Ipv4Addr::new(10, 77, 2, 1), 8080));
        assert!(!plan.instances.iter().any(|one| one.workload == 2), "declared ones do not run");
    }

    #[test]
    fn only_requests_and_scaled_limits_are_scaled() {
        let (folder, stack) = stack(STACK, &[("store.conf.j2", "")]);
        let plan = plan(&stack, folder.path()).expect("a plan");
        let (store, front) = (&plan.workloads[0], &plan.workloads[1]);
        assert_eq!((store.requests.cpu, store.cpu_request), (Some(500), Some(250)));
        assert_eq!((store.limits.cpu, store.cpu_limit), (Some(1000), Some(1000)));
        assert_eq!((front.limits.cpu, front.cpu_limit), (Some(1000), Some(500)));
    }

    #[test]
    fn commands_cannot_hold_secrets() {
        let leaking = STACK.replace("\"store\", \"--name\"", "\"store\", \"{{ secrets.key }}\", \"--name\"");
        let (folder, stack) = stack(&leaking, &[("store.conf.j2", "")]);
        let error = plan(&stack, folder.path()).expect_err("refused").to_string();
        assert!(error.contains("workload 'store': command: undefined value"), "{error}");
    }

    #[test]
    fn instances_are_spread_over_their_nodes() {
        let (folder, stack) = stack(STACK, &[("store.conf.j2", "")]);
        let plan = plan(&stack, folder.path()).expect("a plan");
        let nodes: Vec<_> = plan.instances.iter().map(|one| one.node).collect();
        assert_eq!(nodes, [0, 1, 1, 0, 1]);
    }
}
