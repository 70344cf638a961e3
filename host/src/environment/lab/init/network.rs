//! The lab's network: a bridge without a way out, and a link for every instance.
//!
//! An instance's network namespace outlives its processes, as a pod's does: its address answers
//! "refused" when the program is gone, and nothing at all when its link is down.

use std::{
    fmt::Write as _,
    fs::File,
    io,
    os::fd::{AsRawFd, OwnedFd},
    path::{Path, PathBuf},
};

use rustix::thread::{LinkNameSpaceType, UnshareFlags};

use super::super::{
    inside::{in_rootfs, set_namespace, unshare},
    plan::Plan,
};

/// Name of the bridge.
pub(super) const BRIDGE: &str = "lab";

/// The networks that this process has made.
#[derive(Debug)]
pub(super) struct Network {
    rootfs: PathBuf,
    /// The lab's own, with the bridge.
    home: File,
    /// Of each instance, by the plan's order.
    instances: Vec<File>,
}

/// The lab's end of an instance's link.
pub(super) fn link(instance: usize) -> String {
    format!("i{instance}")
}

impl Network {
    /// Makes all of it, in this process' network namespace.
    pub(super) fn make(plan: &Plan) -> io::Result<Self> {
        let home = File::open("/proc/self/ns/net")?;
        let mut network = Self { rootfs: plan.rootfs.clone(), home, instances: Vec::new() };
        for _ in &plan.instances {
            unshare(UnshareFlags::NEWNET)?;
            let own = File::open("/proc/self/ns/net");
            set_namespace(&network.home, LinkNameSpaceType::Network)?;
            network.instances.push(own?);
        }
        let mut script = format!(
            "link set lo up\n\
             link add {BRIDGE} type bridge\n\
             addr add {}/{} dev {BRIDGE}\n\
             link set {BRIDGE} up\n",
            plan.gateway, plan.prefix
        );
        let init = std::process::id();
        for (index, own) in network.instances.iter().enumerate() {
            let (link, descriptor) = (link(index), own.as_raw_fd());
            // Writing to a string cannot fail.
            let _written = write!(
                script,
                "link add {link} type veth peer name eth0 netns /proc/{init}/fd/{descriptor}\n\
                 link set {link} master {BRIDGE} up\n"
            );
        }
        network.ip(&script)?;
        for (index, instance) in plan.instances.iter().enumerate() {
            let script = format!(
                "link set lo up\naddr add {}/{} dev eth0\nlink set eth0 up\n",
                instance.address, plan.prefix
            );
            network.within(index, |rootfs| ip(rootfs, &script))??;
        }
        Ok(network)
    }

    /// Does something in an instance's network namespace.
    pub(super) fn within<T>(&self, instance: usize, act: impl FnOnce(&Path) -> T) -> io::Result<T> {
        set_namespace(&self.instances[instance], LinkNameSpaceType::Network)?;
        let done = act(&self.rootfs);
        // If this fails, the next act would happen in the wrong place: the error ends the lab.
        set_namespace(&self.home, LinkNameSpaceType::Network)?;
        Ok(done)
    }

    /// Plugs links in, or pulls them.
    pub(super) fn set_links(&self, instances: &[usize], up: bool) -> io::Result<()> {
        let state = if up { "up" } else { "down" };
        let script: String =
            instances.iter().map(|instance| format!("link set {} {state}\n", link(*instance))).collect();
        match script.is_empty() {
            true => Ok(()),
            false => self.ip(&script),
        }
    }

    /// Replaces the packet filter by these rules.
    pub(super) fn set_filter(&self, rules: &str) -> io::Result<()> {
        in_rootfs(&self.rootfs, &["nft", "-f", "-"], rules)
    }

    fn ip(&self, script: &str) -> io::Result<()> {
        ip(&self.rootfs, script)
    }
}

fn ip(rootfs: &Path, script: &str) -> io::Result<()> {
    in_rootfs(rootfs, &["ip", "-batch", "-"], script)
}

/// A pid namespace for the next child, given back afterwards.
pub(super) fn in_new_pid_namespace<T>(own: &OwnedFd, act: impl FnOnce() -> T) -> io::Result<T> {
    unshare(UnshareFlags::NEWPID)?;
    let done = act();
    set_namespace(own, LinkNameSpaceType::ProcessID)?;
    Ok(done)
}
