//! Labs as the machine sees them, without asking any of them.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Where labs keep their folders.
const FOLDERS: &str = "/var/lib/assay/labs";

/// Names of all labs that have a folder.
pub(crate) fn labs() -> BTreeSet<String> {
    let folders = fs::read_dir(FOLDERS).into_iter().flatten().flatten();
    folders.map(|folder| folder.file_name().to_string_lossy().into_owned()).collect()
}

/// A file that a lab has handed to an instance, once it has.
pub(crate) fn handed(lab: &str, instance: &str, file: &str) -> Option<String> {
    fs::read_to_string(
        Path::new(FOLDERS).join(lab).join("instances").join(instance).join("config").join(file),
    )
    .ok()
}

/// All files below a folder; none if it is not there, or goes meanwhile.
pub(crate) fn walk(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| !kind.is_symlink()));
    paths
        .flat_map(|entry| if entry.path().is_dir() { walk(&entry.path()) } else { vec![entry.path()] })
        .collect()
}

/// A lab's first process, whose network is that in which its instances can be reached.
pub(crate) fn first_process(lab: &str) -> Option<u32> {
    pids().find(|pid| {
        let arguments = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let mut arguments = arguments.split('\0').skip(1);
        let begins = arguments.next() == Some("lab-init") && arguments.next() == Some("--inner");
        begins && arguments.next().is_some_and(|folder| folder.ends_with(lab))
    })
}

/// A command in a lab's network, otherwise of this machine.
pub(crate) fn in_network_of(lab: &str) -> Command {
    let first = first_process(lab).unwrap_or_else(|| panic!("lab {lab} does not run"));
    let mut command = Command::new("nsenter");
    command.arg(format!("--net=/proc/{first}/ns/net"));
    command
}

/// Processes of a lab's instances, each as its number, its state and its command line.
pub(crate) fn processes(lab: &str) -> Vec<String> {
    let group = format!("assay-{lab}");
    let of_lab = pids().filter(|pid| {
        // A process may end while it is looked at.
        fs::read_to_string(format!("/proc/{pid}/cgroup")).is_ok_and(|groups| groups.contains(&group))
    });
    let described = of_lab.filter_map(|pid| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let state = stat.rsplit_once(')')?.1.trim_start().chars().next()?;
        let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?.replace('\0', " ");
        Some(format!("{pid} {state} {}", line.trim_end()))
    });
    described.collect()
}

/// What is left of a lab on the machine, by its name: processes in its control groups, control groups,
/// mounts, and its folder. Links and network namespaces live no longer than their processes.
pub(crate) fn remains(lab: &str) -> Vec<String> {
    let mut found: Vec<_> = processes(lab).into_iter().map(|line| format!("process: {line}")).collect();
    let mut note = |what: &str, text: String| {
        found.extend(text.lines().filter(|line| line.contains(lab)).map(|line| format!("{what}: {line}")));
    };
    note("mount", fs::read_to_string("/proc/self/mounts").expect("reads"));
    let groups = Command::new("find").args(["/sys/fs/cgroup", "-type", "d"]).output().expect("find runs");
    note("control group", String::from_utf8_lossy(&groups.stdout).into_owned());
    note("folder", labs().into_iter().collect::<Vec<_>>().join("\n"));
    found
}

fn pids() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").expect("reads").flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}
