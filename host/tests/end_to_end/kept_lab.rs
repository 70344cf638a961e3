//! A lab that somebody keeps up outlives the runs in it, and what they changed with it.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use assay::{
    environment::{Environment, Quota, lab::Lab},
    observe::{Clock, Stream},
};

use crate::support::{Running, alone, finish, guests, host, kill, labs, text, wait_for};

/// How long `host recover` may take.
const RECOVERED: Duration = Duration::from_secs(60);

/// `host lab up` in a process of its own, with a place of its own for what runs leave.
pub(crate) struct KeptLab {
    /// Where the lab listens, and where runs and their state lie.
    folder: tempfile::TempDir,
    stack: PathBuf,
    /// Its control groups and its folder are named after it.
    pub(crate) id: String,
    _up: Running,
}

impl KeptLab {
    /// The lab of a stack file, with everything in it ready.
    pub(crate) fn start(stack: &Path) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut command = Self::command_in(&folder);
        command.args(["lab", "up"]).arg(stack).stdout(Stdio::null()).stderr(Stdio::null());
        let up = Running(command.spawn().expect("it starts"));
        let mut lab = Self { folder, stack: stack.to_owned(), id: String::new(), _up: up };
        wait_for("the lab to listen", Duration::from_secs(30), || lab.socket().exists().then_some(()));
        lab.id = lab.ask(async |lab| lab.id().to_owned());
        lab.ready(Duration::from_secs(90));
        lab
    }

    fn command_in(folder: &tempfile::TempDir) -> Command {
        let mut command = host();
        command
            .env("ASSAY_RUN_DIR", folder.path().join("run"))
            .env("XDG_STATE_HOME", folder.path().join("state"));
        command
    }

    /// `host …`, for which this lab is the only one.
    pub(crate) fn host(&self, arguments: &[&str]) -> Command {
        let mut command = Self::command_in(&self.folder);
        command.args(arguments);
        command
    }

    /// `host run`, whose directory lies in a folder of its own.
    pub(crate) fn run(&self, config: &str, runs: &Path) -> Command {
        let mut command = self.host(&["run", config, "--quiet", "--runs"]);
        command.arg(runs);
        command
    }

    fn socket(&self) -> PathBuf {
        let name = self.stack.file_stem().expect("a stack is a file");
        self.folder.path().join("run").join(name).with_extension("sock")
    }

    /// Asks the lab as somebody who is attached.
    fn ask<T>(&self, question: impl AsyncFnOnce(&Lab) -> T) -> T {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(async {
            let socket = self.socket();
            let attached = Lab::attach(&socket, Stream::new(Clock::start()));
            let attached = tokio::time::timeout(Duration::from_secs(30), attached).await.expect("it answers");
            question(&attached.expect("it is a lab").expect("it is up")).await
        })
    }

    /// Waits until all of its instances are there and ready.
    pub(crate) fn ready(&self, at_most: Duration) {
        let waited = self.ask(async |lab| lab.wait_ready(at_most).await);
        waited.unwrap_or_else(|error| panic!("{error}"));
    }

    /// What `host recover` says, called from a folder that has nothing to do with the run.
    pub(crate) fn recover(&self) -> String {
        let output = finish(self.host(&["recover"]).current_dir("/"), RECOVERED);
        assert!(output.status.success(), "{}", text(&output));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Everything in the shop's lab that a fault has left in force, or a run has left to do.
    pub(crate) fn in_force(&self) -> Vec<String> {
        let mut found = Vec::new();
        let again = self.recover();
        if again != "nothing to do\n" {
            found.push(format!("`host recover` found once more: {again}"));
        }
        let files = labs::walk(&self.folder.path().join("state"));
        found.extend(files.iter().map(|file| format!("a run that is not over: {}", file.display())));
        // Frozen ones, and what a fault has started in an instance, which bears its mark for a name.
        let odd = |line: &String| {
            let mut words = line.split(' ').skip(1);
            words.next() == Some("T") || words.next().is_some_and(|name| name.starts_with("exhaustion-"))
        };
        found.extend(labs::processes(&self.id).into_iter().filter(odd).map(|line| format!("process {line}")));
        found.extend(self.packet_filters().lines().map(|line| format!("packet filter: {line}")));
        self.ask(async |lab| {
            let nodes = lab.nodes().await.expect("nodes");
            let away = nodes.iter().filter(|node| !node.ready || !node.schedulable);
            found.extend(away.map(|node| format!("node {node:?}")));
            let groups = lab.quotas(&"tier=app".parse().expect("a selector")).await.expect("one group");
            let bound = groups.iter().filter(|group| group.quota != Quota::default());
            found.extend(bound.map(|group| format!("{group:?}")));
        });
        found
    }

    /// The rules of the lab's network, as the kernel has them.
    fn packet_filters(&self) -> String {
        let mut described = self.host(&["lab", "rootfs"]);
        let described = finish(described.arg(&self.stack), Duration::from_secs(30));
        let facts = String::from_utf8_lossy(&described.stdout);
        let root =
            facts.lines().find_map(|fact| fact.strip_prefix("path ")).expect("it has a root file system");
        let mut list = labs::in_network_of(&self.id);
        let listed = finish(list.args(["chroot", root, "nft", "list", "ruleset"]), Duration::from_secs(30));
        assert!(listed.status.success(), "{}", text(&listed));
        String::from_utf8_lossy(&listed.stdout).into_owned()
    }

    /// One instance's line in `host lab status`.
    fn status(&self, instance: &str) -> String {
        let output = finish(&mut self.host(&["lab", "status"]), Duration::from_secs(30));
        let status = String::from_utf8_lossy(&output.stdout).into_owned();
        status
            .lines()
            .find(|line| line.split_whitespace().next() == Some(instance))
            .map(str::to_owned)
            .unwrap_or_default()
    }
}

#[test]
fn what_a_killed_run_left_in_a_kept_up_lab_is_undone_from_any_folder() {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a folder");
    let stacks = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stacks");
    for name in ["tiny.toml", "store.sh.j2"] {
        std::fs::copy(stacks.join(name), folder.path().join(name)).expect("copied");
    }
    guests::install("plain-fault", folder.path());
    let config = r#"
        name = "kept"
        environments.here = { kind = "lab", stack = "tiny.toml" }
        plugins.plain-fault = { path = "plain-fault.wasm", grants = { cluster = ["app=front"] } }
        behaviors = [{ plugin = "http-get", config = { path = "/hostname" } }]
        phases = [{ name = "load", users = 2, duration = "5m" }]
        [[faults]]
        name = "cut"
        plugin = "plain-fault"
        at = "load+11s"
        recover-within = "4m"
        config = { selector = "name=front-1", action = "crash-and-hold" }
    "#;
    std::fs::write(folder.path().join("kept.toml"), config).expect("written");
    let lab = KeptLab::start(&folder.path().join("tiny.toml"));
    let soon = Duration::from_secs(40);
    // All that is said of a run's place is relative to where it was called.
    let mut run = lab.host(&["run", "kept.toml", "--quiet"]);
    run.current_dir(folder.path()).stdout(Stdio::null()).stderr(Stdio::null());
    let run = Running(run.spawn().expect("it starts"));
    wait_for("the strike", soon, || lab.status("front-1").contains("held").then_some(()));
    kill(run.0.id(), "KILL");
    drop(run);
    let said = lab.recover();
    assert!(said.contains("'front-1' released") && said.contains("2 undone"), "{said}");
    wait_for("it to come back", soon, || lab.status("front-1").contains(" ready ").then_some(()));
    assert_eq!(lab.recover(), "nothing to do\n");
}
