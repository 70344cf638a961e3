//! Overlays: the same data centre in another size, or with other settings.
//!
//! A file with `base` is one. It is small on purpose: what a platform is made of, and what of it can be set,
//! stands in its stack file alone, so that all that is laid over it is the same platform.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::{
    autoscale::{AutoscaleFile, AutoscalerFile},
    model::StackFile,
    values::Values,
};

/// What is to be other than in the stack file; what is absent stays as it is there.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct OverlayFile {
    /// Its own, so that labs of both can be up at once.
    name: String,
    /// The stack file, in the same folder.
    base: String,
    capacity_scale: Option<f64>,
    #[serde(default)]
    values: Values,
    autoscaler: Option<AutoscalerFile>,
    #[serde(default)]
    workloads: BTreeMap<String, WorkloadOverlay>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct WorkloadOverlay {
    count: Option<u32>,
    nodes: Option<Vec<String>>,
    autoscale: Option<AutoscaleFile>,
}

impl OverlayFile {
    /// Where the base of the overlay at this path is.
    pub(super) fn base_of(&self, path: &Path) -> Result<PathBuf, String> {
        match Path::new(&self.base).file_name() {
            Some(name) if name == self.base.as_str() => Ok(path.with_file_name(name)),
            _ => Err(format!("base: '{}' is not the name of a file in the same folder", self.base)),
        }
    }

    /// The stack as it is with this over it.
    pub(super) fn over(self, mut stack: StackFile) -> Result<StackFile, String> {
        stack.name = self.name;
        stack.capacity_scale = self.capacity_scale.unwrap_or(stack.capacity_scale);
        stack.values.set(self.values).map_err(|because| format!("values.{because} in {}", self.base))?;
        stack.autoscaler = self.autoscaler.unwrap_or(stack.autoscaler);
        for (name, change) in self.workloads {
            let found = stack.workloads.iter_mut().find(|workload| workload.name == name);
            let workload =
                found.ok_or_else(|| format!("workloads.{name}: there is none in {}", self.base))?;
            workload.count = change.count.unwrap_or(workload.count);
            workload.nodes = change.nodes.unwrap_or(std::mem::take(&mut workload.nodes));
            workload.autoscale = change.autoscale.or(workload.autoscale.take());
        }
        Ok(stack)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::Stack;

    const STACK: &str = r#"
        name = "pair"
        target = { workload = "front", port = 80 }
        rootfs = { packages = [] }
        values = { durable = true, copies = 2 }
        [[nodes]]
        name = "a"
        [[nodes]]
        name = "b"
        [[workloads]]
        name = "front"
        requests.cpu = "100m"
        command = ["front"]
        [[workloads]]
        name = "store"
        nodes = ["a"]
        command = ["store"]
    "#;

    /// The stack with this over it.
    fn laid(overlay: &str) -> Result<Stack, String> {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("pair.toml"), STACK).expect("written");
        let path = folder.path().join("large.toml");
        fs::write(&path, overlay).expect("written");
        let place = format!("{}/", folder.path().display());
        Stack::load(&path).map_err(|error| error.to_string().replace(&place, ""))
    }

    #[test]
    fn an_overlay_changes_what_it_says_and_nothing_else() {
        let stack = laid(
            r#"
            name = "large"
            base = "pair.toml"
            capacity-scale = 0.5
            values = { durable = false }
            [workloads.store]
            count = 2
            nodes = ["a", "b"]
            [workloads.front]
            count = 3
            autoscale = { min = 3, max = 10, target-utilization = { cpu = 70 } }
            "#,
        );
        let file = stack.expect("a right overlay").file;
        assert_eq!((file.name.as_str(), file.capacity_scale), ("large", 0.5));
        assert_eq!(file.values, toml::from_str("durable = false\ncopies = 2").expect("values"));
        let [front, store] = file.workloads.as_slice() else { panic!("two workloads") };
        assert_eq!((front.count, front.bounds(), front.command.len()), (3, Some((0, 10)), 1));
        assert_eq!((store.count, store.nodes.len(), store.bounds()), (2, 2, None));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let head = "name = \"large\"\nbase = \"pair.toml\"\n";
        let messages = [
            laid("name = \"large\"\nbase = \"other.toml\""),
            laid("name = \"large\"\nbase = \"../pair.toml\""),
            laid(&format!("{head}[workloads.back]\ncount = 2")),
            laid(&format!("{head}[workloads.front]\nreplicas = 2")),
            laid(&format!("{head}[workloads.store]\nnodes = [\"c\"]")),
            laid(&format!("{head}[workloads.front]\nautoscale = {{ min = 1, max = \"ten\" }}")),
            laid(&format!("{head}[values]\ndurably = false")),
            laid(&format!("{head}[values]\ndurable = \"no\"")),
        ];
        let messages: Vec<_> = messages.into_iter().map(|laid| laid.expect_err("refused")).collect();
        insta::assert_snapshot!(messages.join("\n"));
    }
}
