//! Version 2: one hierarchy for all controllers, processes in its leaves alone.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::{Cgroups, Figures, Group, PERIOD, keyed, mount, number, numbers, quota_micros, shares};
use crate::environment::Quota;

/// Weight of a whole lab against others, which have 100 unless told otherwise.
const LAB_WEIGHT: u64 = 10;

/// One lab's tree.
#[derive(Debug)]
pub(super) struct V2 {
    root: PathBuf,
    tree: PathBuf,
}

impl V2 {
    pub(super) fn find(mounts: &str, tree: &str) -> Option<Self> {
        let root = mounts.lines().filter_map(mount).find(|mount| mount.version == 2)?.path;
        let controllers = fs_err::read_to_string(root.join("cgroup.controllers")).ok()?;
        let has = |wanted: &str| controllers.split_whitespace().any(|controller| controller == wanted);
        (has("cpu") && has("memory")).then(|| Self { tree: root.join(tree), root })
    }
}

/// Lets the groups below have limits of their own.
fn delegate(folder: &Path) -> io::Result<()> {
    fs_err::write(folder.join("cgroup.subtree_control"), "+cpu +memory")
}

/// Shares of version 1 as weights, as container runtimes convert them.
fn weight(shares: u64) -> u64 {
    1 + shares.saturating_sub(2) * 9999 / 262_142
}

impl Cgroups for V2 {
    fn create(&self, group: Group<'_>) -> io::Result<()> {
        // Controllers are handed down level by level; the last level keeps them for its processes.
        delegate(&self.root)?;
        let mut folder = self.tree.clone();
        fs_err::create_dir_all(&folder)?;
        fs_err::write(folder.join("cpu.weight"), LAB_WEIGHT.to_string())?;
        for part in group.split('/').filter(|part| !part.is_empty()) {
            delegate(&folder)?;
            folder.push(part);
            fs_err::create_dir_all(&folder)?;
        }
        Ok(())
    }

    fn set_request(&self, group: Group<'_>, cpu: u64) -> io::Result<()> {
        fs_err::write(self.tree.join(group).join("cpu.weight"), weight(shares(cpu)).to_string())
    }

    fn set_limits(&self, group: Group<'_>, quota: Quota) -> io::Result<()> {
        let folder = self.tree.join(group);
        let micros = quota.cpu.map_or("max".to_owned(), |cpu| quota_micros(cpu).to_string());
        fs_err::write(folder.join("cpu.max"), format!("{micros} {PERIOD}"))?;
        let bytes = quota.memory.map_or("max".to_owned(), |bytes| bytes.to_string());
        fs_err::write(folder.join("memory.max"), bytes)
    }

    fn entrances(&self, group: Group<'_>) -> Vec<PathBuf> {
        vec![self.tree.join(group).join("cgroup.procs")]
    }

    fn processes(&self, group: Group<'_>) -> io::Result<Vec<i32>> {
        numbers(&self.tree.join(group).join("cgroup.procs"))
    }

    fn figures(&self, group: Group<'_>) -> io::Result<Figures> {
        let folder = self.tree.join(group);
        let used = number(&folder.join("memory.current"))?;
        let droppable = keyed(&folder.join("memory.stat"), "inactive_file")?;
        Ok(Figures {
            cpu: keyed(&folder.join("cpu.stat"), "usage_usec")?.saturating_mul(1000),
            memory: used.saturating_sub(droppable),
            periods: keyed(&folder.join("cpu.stat"), "nr_periods")?,
            throttled: keyed(&folder.join("cpu.stat"), "nr_throttled")?,
            oom_kills: keyed(&folder.join("memory.events"), "oom_kill")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fake() -> (tempfile::TempDir, V2) {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("cgroup.controllers"), "cpuset cpu io memory pids\n")
            .expect("written");
        let mounts = format!("1 0 0:1 / {} rw - cgroup2 cgroup2 rw\n", folder.path().display());
        let found = V2::find(&mounts, "assay-x").expect("all controllers");
        (folder, found)
    }

    #[test]
    fn a_hierarchy_without_the_controllers_is_not_taken() {
        let (folder, _) = fake();
        std::fs::write(folder.path().join("cgroup.controllers"), "pids\n").expect("written");
        let mounts = format!("1 0 0:1 / {} rw - cgroup2 cgroup2 rw\n", folder.path().display());
        assert!(V2::find(&mounts, "assay-x").is_none());
    }

    #[test]
    fn controllers_are_handed_down_to_the_leaf_and_limits_are_written() {
        let (folder, groups) = fake();
        groups.create("groups/app/web-0").expect("made");
        groups.set_request("groups/app/web-0", 1000).expect("set");
        groups.set_limits("groups/app/web-0", Quota { cpu: Some(500), memory: None }).expect("set");
        let read = |path: &str| std::fs::read_to_string(folder.path().join(path)).expect("written");
        for level in ["", "assay-x/", "assay-x/groups/", "assay-x/groups/app/"] {
            assert_eq!(read(&format!("{level}cgroup.subtree_control")), "+cpu +memory", "{level}");
        }
        assert!(!folder.path().join("assay-x/groups/app/web-0/cgroup.subtree_control").exists());
        assert_eq!(read("assay-x/cpu.weight"), "10");
        assert_eq!(read("assay-x/groups/app/web-0/cpu.weight"), "39");
        assert_eq!(read("assay-x/groups/app/web-0/cpu.max"), "50000 100000");
        assert_eq!(read("assay-x/groups/app/web-0/memory.max"), "max");
    }

    #[test]
    fn figures_are_read_in_nanoseconds() {
        let (folder, groups) = fake();
        groups.create("single/lb-0").expect("made");
        let write = |name: &str, text: &str| {
            std::fs::write(folder.path().join("assay-x/single/lb-0").join(name), text).expect("written");
        };
        write("cpu.stat", "usage_usec 7\nnr_periods 3\nnr_throttled 1\n");
        write("memory.current", "100\n");
        write("memory.stat", "inactive_file 40\n");
        write("memory.events", "low 0\noom 1\noom_kill 1\n");
        let figures = groups.figures("single/lb-0").expect("readable");
        assert_eq!(figures, Figures { cpu: 7000, memory: 60, periods: 3, throttled: 1, oom_kills: 1 });
    }
}
