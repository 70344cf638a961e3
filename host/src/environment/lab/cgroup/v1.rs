//! Version 1: one hierarchy for each controller, or for a few of them.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::{
    Cgroups, Figures, Group, LAB_SHARES, PERIOD, keyed, mount, number, numbers, quota_micros, shares,
};
use crate::environment::Quota;

/// One lab's tree in each hierarchy that is needed. Hierarchies may be the same.
#[derive(Debug)]
pub(super) struct V1 {
    cpu: PathBuf,
    cpuacct: PathBuf,
    memory: PathBuf,
}

impl V1 {
    pub(super) fn find(mounts: &str, tree: &str) -> Option<Self> {
        let mounts: Vec<_> = mounts.lines().filter_map(mount).filter(|mount| mount.version == 1).collect();
        let of = |controller: &str| {
            let found =
                mounts.iter().find(|mount| mount.options.iter().any(|option| option == controller))?;
            Some(found.path.join(tree))
        };
        Some(Self { cpu: of("cpu")?, cpuacct: of("cpuacct")?, memory: of("memory")? })
    }

    fn trees(&self) -> impl Iterator<Item = &Path> {
        let mut trees = vec![self.cpu.as_path(), self.cpuacct.as_path(), self.memory.as_path()];
        trees.sort();
        trees.dedup();
        trees.into_iter()
    }
}

impl Cgroups for V1 {
    fn create(&self, group: Group<'_>) -> io::Result<()> {
        for tree in self.trees() {
            fs_err::create_dir_all(tree.join(group))?;
        }
        if group.is_empty() {
            fs_err::write(self.cpu.join("cpu.shares"), LAB_SHARES.to_string())?;
        }
        Ok(())
    }

    fn set_request(&self, group: Group<'_>, cpu: u64) -> io::Result<()> {
        fs_err::write(self.cpu.join(group).join("cpu.shares"), shares(cpu).to_string())
    }

    fn set_limits(&self, group: Group<'_>, quota: Quota) -> io::Result<()> {
        let folder = self.cpu.join(group);
        fs_err::write(folder.join("cpu.cfs_period_us"), PERIOD.to_string())?;
        let micros = quota.cpu.map_or("-1".to_owned(), |cpu| quota_micros(cpu).to_string());
        fs_err::write(folder.join("cpu.cfs_quota_us"), micros)?;
        let bytes = quota.memory.map_or("-1".to_owned(), |bytes| bytes.to_string());
        fs_err::write(self.memory.join(group).join("memory.limit_in_bytes"), bytes)
    }

    fn entrances(&self, group: Group<'_>) -> Vec<PathBuf> {
        self.trees().map(|tree| tree.join(group).join("cgroup.procs")).collect()
    }

    fn processes(&self, group: Group<'_>) -> io::Result<Vec<i32>> {
        numbers(&self.memory.join(group).join("cgroup.procs"))
    }

    fn figures(&self, group: Group<'_>) -> io::Result<Figures> {
        let (cpu, memory) = (self.cpu.join(group), self.memory.join(group));
        let used = number(&memory.join("memory.usage_in_bytes"))?;
        let droppable = keyed(&memory.join("memory.stat"), "total_inactive_file")?;
        Ok(Figures {
            cpu: number(&self.cpuacct.join(group).join("cpuacct.usage"))?,
            memory: used.saturating_sub(droppable),
            periods: keyed(&cpu.join("cpu.stat"), "nr_periods")?,
            throttled: keyed(&cpu.join("cpu.stat"), "nr_throttled")?,
            oom_kills: oom_kills(&memory)?,
        })
    }
}

/// Kills are counted where the victim was, not in the groups above.
fn oom_kills(folder: &Path) -> io::Result<u64> {
    let mut kills = keyed(&folder.join("memory.oom_control"), "oom_kill")?;
    for entry in fs_err::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            kills += oom_kills(&entry.path())?;
        }
    }
    Ok(kills)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fake() -> (tempfile::TempDir, V1) {
        let folder = tempfile::tempdir().expect("a folder");
        let at = folder.path().display();
        let mounts = format!(
            "1 0 0:1 / {at}/cpu rw - cgroup cgroup rw,cpu,cpuacct\n2 0 0:2 / {at}/memory rw - cgroup cgroup rw,memory\n"
        );
        let found = V1::find(&mounts, "assay-x").expect("all controllers");
        (folder, found)
    }

    #[test]
    fn limits_are_written_where_the_kernel_reads_them() {
        let (folder, groups) = fake();
        groups.create("").expect("made");
        groups.create("groups/app/web-0").expect("made");
        groups.set_request("groups/app/web-0", 500).expect("set");
        groups.set_limits("groups/app/web-0", Quota { cpu: Some(1500), memory: Some(1 << 20) }).expect("set");
        let read = |path: &str| std::fs::read_to_string(folder.path().join(path)).expect("written");
        assert_eq!(read("cpu/assay-x/cpu.shares"), "102");
        assert_eq!(read("cpu/assay-x/groups/app/web-0/cpu.shares"), "512");
        assert_eq!(read("cpu/assay-x/groups/app/web-0/cpu.cfs_quota_us"), "150000");
        assert_eq!(read("memory/assay-x/groups/app/web-0/memory.limit_in_bytes"), "1048576");
        groups.set_limits("groups/app", Quota::default()).expect("lifted");
        assert_eq!(read("cpu/assay-x/groups/app/cpu.cfs_quota_us"), "-1");
    }

    #[test]
    fn figures_are_read_from_all_hierarchies() {
        let (folder, groups) = fake();
        groups.create("single/lb-0").expect("made");
        let write = |path: &str, text: &str| {
            std::fs::write(folder.path().join(path), text).expect("written");
        };
        write("cpu/assay-x/single/lb-0/cpuacct.usage", "12345\n");
        write("cpu/assay-x/single/lb-0/cpu.stat", "nr_periods 10\nnr_throttled 4\nthrottled_time 99\n");
        write("memory/assay-x/single/lb-0/memory.usage_in_bytes", "5000\n");
        write("memory/assay-x/single/lb-0/memory.stat", "inactive_file 1\ntotal_inactive_file 1000\n");
        write(
            "memory/assay-x/single/lb-0/memory.oom_control",
            "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
        );
        write("memory/assay-x/single/lb-0/cgroup.procs", "7\n8\n");
        let figures = groups.figures("single/lb-0").expect("readable");
        assert_eq!(figures, Figures { cpu: 12345, memory: 4000, periods: 10, throttled: 4, oom_kills: 2 });
        assert_eq!(groups.processes("single/lb-0").expect("readable"), [7, 8]);
        // Controllers that share a hierarchy are entered once.
        assert_eq!(groups.entrances("single/lb-0").len(), 2);
    }
}
