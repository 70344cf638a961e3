//! The lab: a small data centre of real processes on one Linux machine.
//!
//! A [`Stack`] says what it is made of. [`Lab::start`] makes one that belongs to this process and is
//! gone when this process is, however it ends; [`Lab::attach`] uses one that another process keeps
//! up. Both are an [`Environment`](super::Environment).
//!
//! # Shape
//!
//! * `host` talks to `lab-init` ([`init`]) over a socket pair, by the [`protocol`].
//! * `lab-init` owns namespaces, control groups ([`cgroup`]), links, and a supervised process for
//!   each instance; what those processes are is in [`inside`].
//! * The [`plan`] that it is given is complete: templates, addresses and users are the host's work
//!   ([`stack`]), done before anything is started.
//! * How many instances an autoscaled workload should have is decided in [`autoscale`], of which `lab-init`
//!   asks every few seconds.
//! * What a lab keeps on disk is its [`state`]; leftovers of killed labs are swept by the next start.
//!
//! Nothing here knows what any program of a stack is.

mod attach;
mod autoscale;
mod cgroup;
mod connection;
mod environment;
mod init;
mod inside;
mod machine;
mod plan;
mod protocol;
pub mod rootfs;
mod serve;
mod stack;
mod start;
mod state;
mod usage;

use std::{ffi::OsString, fs::File, process::ExitCode, sync::Arc};

pub use attach::{running, socket_path};
pub use environment::InstanceStatus;
pub use serve::Listening;
pub use stack::{Stack, StackError};
pub use start::LabOptions;

use crate::observe::Stream;
use connection::Connection;
use machine::capacity;
use protocol::Hello;

/// Name of the re-execution that an instance's first process is.
const INSTANCE: &str = inside::INSTANCE_NAME;

/// A running lab.
#[derive(Debug)]
pub struct Lab {
    connection: Arc<Connection>,
    hello: Hello,
    /// The network in which instances can be reached.
    network: Arc<File>,
    stream: Stream,
    usage: tokio::sync::Mutex<usage::Meter>,
    /// What this process made; absent when attached, and after it was closed.
    owned: tokio::sync::Mutex<Option<start::Owned>>,
    secrets: stack::Secrets,
}

impl Lab {
    /// Unique on this machine; its control groups and its folder are named after it.
    pub fn id(&self) -> &str {
        &self.hello.id
    }

    /// The lab's first process, as this machine numbers its processes.
    pub fn init(&self) -> i32 {
        self.hello.init
    }

    /// Where changes in the lab are told.
    pub fn stream(&self) -> &Stream {
        &self.stream
    }
}

/// Runs this process as one of the lab's own helpers, if that is what it was started as. To be
/// called first of all in `main`: helpers enter namespaces, which takes a process with one thread.
pub fn helper() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    let name: OsString = arguments.next()?;
    let name = name.to_str()?;
    if [init::NAME, inside::INSTANCE_NAME, inside::ENTER_NAME, inside::TOOL_NAME].contains(&name) {
        // What `ps` and `top` show; nothing depends on it.
        let _named = std::ffi::CString::new(name).map(|name| rustix::thread::set_name(&name));
    }
    match name {
        init::NAME => Some(init::init(arguments)),
        inside::INSTANCE_NAME => Some(inside::instance()),
        inside::ENTER_NAME => Some(inside::enter()),
        inside::TOOL_NAME => Some(inside::tool(arguments)),
        _ => None,
    }
}
