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

use super::{Running, finish, host, kills::Platform, labs, text, wait_for};

/// How long `host recover` may take.
const RECOVERED: Duration = Duration::from_secs(60);

/// How long it may take until all instances are ready. What is brought back has to find its place again: a database
/// that was the primary follows the new one.
const WHOLE: Duration = Duration::from_secs(120);

/// `host lab up` in a process of its own, with a place of its own for what runs leave.
pub(crate) struct KeptLab {
    /// The lab ends before its folder goes.
    _up: Running,
    /// Where the lab listens, and where runs and their state lie.
    folder: tempfile::TempDir,
    stack: PathBuf,
    /// Its control groups and its folder are named after it.
    pub(crate) id: String,
}

impl KeptLab {
    /// The lab of a stack file, with everything in it ready.
    pub(crate) fn start(stack: &Path) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut command = Self::command_in(&folder);
        command.args(["lab", "up"]).arg(stack).stdout(Stdio::null()).stderr(Stdio::null());
        let up = Running(command.spawn().expect("it starts"));
        let mut lab = Self { _up: up, folder, stack: stack.to_owned(), id: String::new() };
        wait_for("the lab to listen", Duration::from_secs(30), || lab.socket().exists().then_some(()));
        lab.id = lab.ask(async |lab| lab.id().to_owned());
        lab.whole();
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
    pub(crate) fn status(&self, instance: &str) -> String {
        let output = finish(&mut self.host(&["lab", "status"]), Duration::from_secs(30));
        let status = String::from_utf8_lossy(&output.stdout).into_owned();
        status
            .lines()
            .find(|line| line.split_whitespace().next() == Some(instance))
            .map(str::to_owned)
            .unwrap_or_default()
    }
}

impl Platform for KeptLab {
    fn drill(&self, config: &str) -> Command {
        self.run(config, &self.folder.path().join("runs"))
    }

    /// Called from a folder that has nothing to do with the run.
    fn recover(&self) -> String {
        let output = finish(self.host(&["recover"]).current_dir("/"), RECOVERED);
        assert!(output.status.success(), "{}", text(&output));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn in_force(&self) -> Vec<String> {
        let files = labs::walk(&self.folder.path().join("state"));
        let mut found: Vec<_> =
            files.iter().map(|file| format!("a run that is not over: {}", file.display())).collect();
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

    fn whole(&self) {
        let waited = self.ask(async |lab| lab.wait_ready(WHOLE).await);
        waited.unwrap_or_else(|error| panic!("{error}"));
    }
}
