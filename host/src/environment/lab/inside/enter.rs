//! Runs a command inside a living instance: its namespaces, its control groups, its user.

use std::{
    io,
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Command, ExitCode},
};

use rustix::thread::LinkNameSpaceType as Kind;
use serde::{Deserialize, Serialize};

use super::{PATH, While, exit_code, join_groups, not_started, set_namespace};
use crate::environment::lab::protocol::Door;

/// What the re-execution is called.
pub(in super::super) const NAME: &str = "lab-enter";

/// The environment variable that holds the entry. It has no secrets; a variable is neater to pass
/// than a second input, for the first one is the command's.
const VARIABLE: &str = "ASSAY_LAB_ENTRY";

/// Which instance, and what to run there.
#[derive(Debug, Serialize, Deserialize)]
pub(in super::super) struct Entry {
    /// A `/proc` in which `door.pid` is right.
    pub(in super::super) proc: PathBuf,
    pub(in super::super) door: Door,
    pub(in super::super) command: Vec<String>,
}

impl Entry {
    /// The process that will run it.
    pub(in super::super) fn command(&self) -> io::Result<Command> {
        let mut command = Command::new("/proc/self/exe");
        command.arg(NAME).env(VARIABLE, serde_json::to_string(self)?);
        Ok(command)
    }
}

/// `lab-enter`: what [`Entry::command`] starts. Its exit code is the command's.
pub(in super::super) fn enter() -> ExitCode {
    let entry =
        std::env::var(VARIABLE).map_err(io::Error::other).and_then(|text| Ok(serde_json::from_str(&text)?));
    match entry.and_then(|entry: Entry| run(&entry)) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("cannot enter the instance: {error}");
            ExitCode::from(125)
        }
    }
}

fn run(entry: &Entry) -> io::Result<u8> {
    let namespaces = entry.proc.join(entry.door.pid.to_string()).join("ns");
    // The mount namespace last: behind it, the paths of the others mean something else.
    let kinds = [
        ("net", Kind::Network),
        ("ipc", Kind::InterProcessCommunication),
        ("uts", Kind::HostNameAndNISDomainName),
        ("pid", Kind::ProcessID),
        ("mnt", Kind::Mount),
    ];
    let mut files = Vec::new();
    for (name, kind) in kinds {
        files.push((fs_err::File::open(namespaces.join(name))?, kind));
    }
    join_groups(&entry.door.entrances)?;
    for (file, kind) in &files {
        set_namespace(file.file(), *kind).during(|| file.path().display().to_string())?;
    }
    let Some((program, arguments)) = entry.command.split_first() else {
        return Err(io::Error::other("the command is empty"));
    };
    let user = &entry.door.user;
    let started = Command::new(program)
        .args(arguments)
        .env_clear()
        .env("PATH", PATH)
        .env("HOME", &user.home)
        .env("USER", &user.name)
        .envs(std::env::var_os("TERM").map(|term| ("TERM", term)))
        .envs(entry.door.env.iter().map(|(key, value)| (key, value)))
        .current_dir("/")
        .uid(user.uid)
        .gid(user.gid)
        .spawn();
    match started {
        Ok(mut child) => child.wait().map(exit_code),
        Err(error) => {
            eprintln!("{program}: {error}");
            Ok(not_started(&error))
        }
    }
}
