//! What the lab's tests share.

use std::{
    collections::BTreeSet,
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    sync::Arc,
    time::Duration,
};

use assay::{
    environment::{
        Environment, EnvironmentError, ExecOutput, Instance, Selector,
        lab::{Lab, LabOptions, Stack},
    },
    observe::{Clock, Stream},
};
use tokio::{
    process::{Child, Command},
    sync::{Mutex, MutexGuard},
};

use crate::conformance;

pub(crate) const TINY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/stacks/tiny.toml");
const HOST: &str = env!("CARGO_BIN_EXE_host");

/// One lab at a time: timings are part of what is tested.
static TURN: Mutex<()> = Mutex::const_new(());
pub(crate) type Turn = MutexGuard<'static, ()>;

/// A lab of the tiny stack, ready.
pub(crate) async fn start() -> (Lab, Turn) {
    start_in_turn(TURN.lock().await).await
}

pub(crate) async fn start_in_turn(turn: Turn) -> (Lab, Turn) {
    let lab = make(Path::new(TINY)).await.expect("a lab starts");
    lab.wait_ready(Duration::from_secs(20)).await.expect("it gets ready");
    (lab, turn)
}

/// A lab of a stack file with this text, as it is right after its start.
pub(crate) async fn start_text(text: &str) -> Result<(Lab, Turn), EnvironmentError> {
    let turn = TURN.lock().await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("stack.toml");
    fs::write(&path, text).expect("written");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/stacks/store.sh.j2");
    fs::copy(script, folder.path().join("store.sh.j2")).expect("copied");
    Ok((make(&path).await?, turn))
}

async fn make(path: &Path) -> Result<Lab, EnvironmentError> {
    let stack = Stack::load(path).expect("a right stack");
    let options = LabOptions { program: Some(HOST.into()) };
    Lab::start(&stack, Stream::new(Clock::start()), options).await
}

pub(crate) fn selector(text: &str) -> Selector {
    text.parse().expect("a selector")
}

pub(crate) fn all() -> Selector {
    selector("")
}

pub(crate) async fn instance(lab: &Lab, name: &str) -> Instance {
    let found = lab.instances(&selector(&format!("name={name}"))).await.expect("instances");
    found.into_iter().next().unwrap_or_else(|| panic!("there is no {name}"))
}

pub(crate) async fn uid(lab: &Lab, name: &str) -> String {
    instance(lab, name).await.uid
}

/// Waits for something, within a bound that a busy machine keeps.
pub(crate) async fn until(what: &str, holds: impl AsyncFnMut() -> bool) {
    conformance::until(what, Duration::from_secs(15), holds).await;
}

/// The last line of an answer to a request that is sent from within the lab's network.
pub(crate) fn get(lab: &Lab, base: &str, path: &str) -> Result<String, String> {
    let enter = lab.enter_network();
    let (address, path) = (base.trim_start_matches("http://").to_owned(), path.to_owned());
    let request = move || {
        enter().map_err(|error| error.to_string())?;
        let timeout = Duration::from_millis(800);
        let ask = || {
            let address = address.parse().map_err(std::io::Error::other)?;
            let mut stream = TcpStream::connect_timeout(&address, timeout)?;
            stream.set_read_timeout(Some(timeout))?;
            stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes())?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer.lines().last().unwrap_or_default().to_owned())
        };
        ask().map_err(|error: std::io::Error| error.to_string())
    };
    // A thread of its own: it never comes back from the lab's network.
    std::thread::spawn(request).join().expect("no panic")
}

/// Runs a command in an instance.
pub(crate) async fn run(lab: &Lab, instance: &str, command: &[&str]) -> Result<ExecOutput, EnvironmentError> {
    let command: Vec<_> = command.iter().map(|part| (*part).to_owned()).collect();
    lab.exec(instance, &command, Duration::from_secs(10)).await
}

/// What one instance gets from another.
pub(crate) async fn fetch(lab: &Lab, from: &str, to: &str) -> Option<String> {
    let script = format!(
        "exec 3<>/dev/tcp/{to}/8080 && printf 'GET /hostname HTTP/1.0\\r\\n\\r\\n' >&3 && tail -n 1 <&3"
    );
    let output =
        run(lab, from, &["timeout", "--signal=KILL", "2", "bash", "-c", &script]).await.expect("it runs");
    (output.exit_code == 0).then(|| output.stdout.trim().to_owned())
}

/// Are control groups of version 1 in use?
pub(crate) fn version_1() -> bool {
    let mounts = fs::read_to_string("/proc/self/mountinfo").expect("readable");
    mounts.lines().any(|line| line.contains(" - cgroup ") && line.contains("memory"))
}

pub(crate) fn signal(signal: &str, pid: i32) {
    let sent = std::process::Command::new("kill").arg(format!("-{signal}")).arg(pid.to_string()).status();
    assert!(sent.expect("kill runs").success(), "signal {signal} to {pid}");
}

/// `host lab up`, in a process of its own.
pub(crate) struct Up {
    pub(crate) host: Child,
    folder: tempfile::TempDir,
    turn: Option<Turn>,
}

impl Up {
    pub(crate) async fn start() -> Self {
        let turn = Some(TURN.lock().await);
        let folder = tempfile::tempdir().expect("a folder");
        let host = Command::new(HOST)
            .args(["lab", "up", TINY])
            .env("ASSAY_RUN_DIR", folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()
            .expect("host starts");
        let up = Self { host, folder, turn };
        until("the lab listens", async || up.socket().exists()).await;
        let lab = up.attach().await;
        lab.wait_ready(Duration::from_secs(20)).await.expect("it gets ready");
        up
    }

    pub(crate) fn turn(&mut self) -> Turn {
        self.turn.take().expect("it was not taken")
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("tiny.sock")
    }

    /// Attached through its socket. Until the lab is made, nobody answers there.
    pub(crate) async fn attach(&self) -> Lab {
        let socket = self.socket();
        let attached = Lab::attach(&socket, Stream::new(Clock::start()));
        let attached = tokio::time::timeout(Duration::from_secs(20), attached).await.expect("it answers");
        attached.expect("it is a lab").expect("it is up")
    }

    pub(crate) async fn command(&self, arguments: &[&str]) -> Output {
        let command = Command::new(HOST).args(arguments).env("ASSAY_RUN_DIR", self.folder.path()).output();
        command.await.expect("host runs")
    }

    pub(crate) async fn facts(&self) -> Facts {
        Facts::of(self.attach().await)
    }
}

/// What a lab has made on this machine.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) id: String,
    pub(crate) init: i32,
    pub(crate) warden: i32,
    /// Each with its start time, because numbers are used again.
    pub(crate) processes: BTreeSet<(i32, String)>,
    /// Namespaces of network and mounts that are not this process' own.
    namespaces: BTreeSet<PathBuf>,
    interfaces: BTreeSet<String>,
}

impl Facts {
    fn of(lab: Lab) -> Self {
        let (id, init) = (lab.id().to_owned(), lab.init());
        // An attached lab holds the network's namespace.
        drop(lab);
        let status = fs::read_to_string(format!("/proc/{init}/status")).expect("lab-init runs");
        let parent = status.lines().find_map(|line| line.strip_prefix("PPid:")).expect("it has a parent");
        let warden: i32 = parent.trim().parse().expect("a number");
        let mut processes = BTreeSet::new();
        let mut namespaces = BTreeSet::new();
        for pid in pids() {
            let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
            if groups.contains(&format!("assay-{id}")) || pid == init || pid == warden {
                processes.extend(start_time(pid).map(|time| (pid, time)));
                if pid != warden {
                    namespaces.extend(namespaces_of(pid));
                }
            }
        }
        assert!(namespaces.len() >= 8, "{namespaces:?}");
        Self { id, init, warden, processes, namespaces, interfaces: interfaces() }
    }

    pub(crate) fn processes_left(&self) -> Vec<String> {
        let left = self.processes.iter().filter(|(pid, time)| start_time(*pid).as_ref() == Some(time));
        let left = left.filter(|(pid, _)| *pid != self.warden);
        left.map(|(pid, _)| format!("process {pid}")).collect()
    }

    /// To be asked before the next lab starts: the kernel gives its namespaces the numbers that became free.
    pub(crate) fn namespaces_left(&self) -> Vec<String> {
        let alive: BTreeSet<_> = pids().into_iter().flat_map(namespaces_of).collect();
        self.namespaces.intersection(&alive).map(|one| format!("namespace {}", one.display())).collect()
    }

    /// Everything of it that is still there.
    pub(crate) fn left(&self) -> Vec<String> {
        let mut left = self.processes_left();
        left.extend(left_of(&self.id));
        left.extend(self.namespaces_left());
        let added = interfaces();
        left.extend(added.difference(&self.interfaces).map(|name| format!("interface {name}")));
        left
    }
}

/// Control groups, mounts and data of a lab that are still there.
pub(crate) fn left_of(id: &str) -> Vec<String> {
    let mut left = Vec::new();
    let mounts = fs::read_to_string("/proc/self/mountinfo").expect("readable");
    for line in mounts.lines() {
        let mount = line.split(' ').nth(4).expect("a mount point");
        if mount.contains(id) {
            left.push(format!("mount {mount}"));
        }
        if line.contains(" - cgroup") && Path::new(mount).join(format!("assay-{id}")).exists() {
            left.push(format!("control group in {mount}"));
        }
    }
    for name in [id.to_owned(), format!("{id}.lock")] {
        let path = Path::new("/var/lib/assay/labs").join(name);
        if path.exists() {
            left.push(format!("data {}", path.display()));
        }
    }
    left
}

fn pids() -> Vec<i32> {
    let entries = fs::read_dir("/proc").expect("readable");
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
}

fn namespaces_of(pid: i32) -> impl Iterator<Item = PathBuf> {
    ["net", "mnt"].into_iter().filter_map(move |kind| {
        let name = fs::read_link(format!("/proc/{pid}/ns/{kind}")).ok()?;
        let own = fs::read_link(format!("/proc/self/ns/{kind}")).ok()?;
        (name != own).then_some(name)
    })
}

/// None for a process that has ended, buried or not.
fn start_time(pid: i32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    (fields.next()? != "Z").then_some(())?;
    fields.nth(18).map(str::to_owned)
}

/// What a process has used of the processors so far.
pub(crate) fn processor_time(pid: i32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/schedstat")).expect("it runs");
    let nanos = stat.split_whitespace().next().and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(nanos.expect("a number"))
}

fn interfaces() -> BTreeSet<String> {
    let entries = fs::read_dir("/sys/class/net").expect("readable");
    entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect()
}

/// Labs can be shared between tasks.
const _: fn(Arc<Lab>) -> Arc<dyn Environment> = |lab| lab;
