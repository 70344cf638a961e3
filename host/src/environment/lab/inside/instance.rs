//! The first process of an instance's pid namespace: makes the place, starts the program, and
//! buries what is left without a parent.
//!
//! It ends when the program ends, with its exit code, and the kernel then ends everything else in
//! the instance. One signal to it is therefore the end of the whole instance, at once.

use std::{
    io::{self, Read},
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, ExitCode, Stdio},
};

use rustix::{
    fs::{FileType, Mode, makedev, mknodat},
    mount::{
        MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind, mount_change, mount_remount,
        unmount,
    },
    process::{WaitOptions, chdir, pivot_root, wait},
    thread::UnshareFlags,
};
use serde::{Deserialize, Serialize};

use super::{PATH, While, join_groups, make, not_started, unshare};
use crate::environment::lab::plan::User;

/// What the re-execution is called.
pub(in super::super) const NAME: &str = "lab-instance";

/// Everything that a place needs, read from standard input.
#[derive(Debug, Serialize, Deserialize)]
pub(in super::super) struct InstanceSpec {
    pub(in super::super) name: String,
    pub(in super::super) rootfs: PathBuf,
    /// Of this start alone: what is written outside of volumes goes here.
    pub(in super::super) layer: PathBuf,
    /// Bound to `/config`.
    pub(in super::super) config: PathBuf,
    /// Where it is, and where the program sees it.
    pub(in super::super) volumes: Vec<(PathBuf, String)>,
    /// Where the program sees it, and for how many bytes it has room.
    pub(in super::super) scratch: Vec<(String, u64)>,
    /// Name in `/programs`, and where it is.
    pub(in super::super) programs: Vec<(String, PathBuf)>,
    pub(in super::super) hosts: String,
    pub(in super::super) entrances: Vec<PathBuf>,
    pub(in super::super) user: User,
    pub(in super::super) command: Vec<String>,
    pub(in super::super) env: Vec<(String, String)>,
}

/// `lab-instance`: reads its spec, becomes the instance, and stays until it ends.
pub(in super::super) fn instance() -> ExitCode {
    let spec: InstanceSpec = match read_spec() {
        Ok(spec) => spec,
        Err(error) => {
            eprintln!("{NAME} is for the lab's own use: {error}");
            return ExitCode::from(2);
        }
    };
    if let Err(error) = settle(&spec) {
        eprintln!("cannot make the instance: {error}");
        return ExitCode::from(125);
    }
    match start(&spec) {
        Ok(child) => ExitCode::from(bury_until(&child)),
        Err(error) => {
            eprintln!("{}: {error}", spec.command.first().map_or("command", String::as_str));
            ExitCode::from(not_started(&error))
        }
    }
}

fn read_spec() -> io::Result<InstanceSpec> {
    let mut text = String::new();
    io::stdin().read_to_string(&mut text)?;
    Ok(serde_json::from_str(&text)?)
}

/// Control groups first, so that even this process' own pages are the instance's.
fn settle(spec: &InstanceSpec) -> io::Result<()> {
    join_groups(&spec.entrances)?;
    unshare(UnshareFlags::NEWNS | UnshareFlags::NEWIPC | UnshareFlags::NEWUTS)
        .during(|| "namespaces".to_owned())?;
    mount_change("/", MountPropagationFlags::REC | MountPropagationFlags::PRIVATE)?;
    rustix::system::sethostname(spec.name.as_bytes())?;
    let root = overlay(spec)?;
    devices(&root)?;
    file_system("proc", &root.join("proc"), "")?;
    file_system("tmpfs", &root.join("run"), "mode=0755")?;
    own(&root.join("run"), &spec.user)?;
    make(&root.join("tmp"))?;
    fs_err::set_permissions(root.join("tmp"), std::fs::Permissions::from_mode(0o1777))?;
    bind(&spec.config, &root.join("config"), true)?;
    for (source, target) in &spec.volumes {
        bind(source, &root.join(target.trim_start_matches('/')), false)?;
    }
    for (target, bytes) in &spec.scratch {
        let options = format!("mode=1777,size={bytes}");
        file_system("tmpfs", &root.join(target.trim_start_matches('/')), &options)?;
    }
    make(&root.join("programs"))?;
    for (name, source) in &spec.programs {
        let target = root.join("programs").join(name);
        fs_err::write(&target, "")?;
        mount_bind(source, &target).during(|| source.display().to_string())?;
    }
    fs_err::write(root.join("etc/hosts"), &spec.hosts)?;
    fs_err::write(root.join("etc/hostname"), format!("{}\n", spec.name))?;
    // Nothing of the machine is left to be seen: its file systems go with the old root.
    chdir(&root)?;
    pivot_root(".", ".").during(|| "new root".to_owned())?;
    unmount(".", UnmountFlags::DETACH)?;
    chdir("/")?;
    Ok(())
}

fn overlay(spec: &InstanceSpec) -> io::Result<PathBuf> {
    let [root, upper, work] = ["root", "upper", "work"].map(|name| spec.layer.join(name));
    for folder in [&root, &upper, &work] {
        make(folder)?;
    }
    let options =
        format!("lowerdir={},upperdir={},workdir={}", spec.rootfs.display(), upper.display(), work.display());
    let options = std::ffi::CString::new(options)?;
    mount("overlay", &root, "overlay", MountFlags::NOSUID, options.as_c_str())
        .during(|| format!("overlay over {}", spec.rootfs.display()))?;
    Ok(root)
}

fn file_system(kind: &str, target: &Path, options: &str) -> io::Result<()> {
    make(target)?;
    let options = std::ffi::CString::new(options)?;
    mount(kind, target, kind, MountFlags::NOSUID | MountFlags::NODEV, options.as_c_str())
        .during(|| format!("{kind} on {}", target.display()))
}

fn devices(root: &Path) -> io::Result<()> {
    let dev = root.join("dev");
    make(&dev)?;
    mount("tmpfs", &dev, "tmpfs", MountFlags::NOSUID, c"mode=0755").during(|| "tmpfs on /dev".to_owned())?;
    let folder = fs_err::File::open(&dev)?;
    for (name, minor) in [("null", 3), ("zero", 5), ("full", 7), ("random", 8), ("urandom", 9)] {
        mknodat(
            folder.file(),
            name,
            FileType::CharacterDevice,
            Mode::from_raw_mode(0o666),
            makedev(1, minor),
        )?;
        // What the umask took away.
        fs_err::set_permissions(dev.join(name), std::fs::Permissions::from_mode(0o666))?;
    }
    for (name, target) in [("fd", "fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")] {
        std::os::unix::fs::symlink(Path::new("/proc/self").join(target), dev.join(name))?;
    }
    file_system("tmpfs", &dev.join("shm"), "mode=1777")
}

fn bind(source: &Path, target: &Path, read_only: bool) -> io::Result<()> {
    make(target)?;
    mount_bind(source, target).during(|| format!("{} on {}", source.display(), target.display()))?;
    if read_only {
        mount_remount(target, MountFlags::BIND | MountFlags::RDONLY | MountFlags::NOSUID, "")?;
    }
    Ok(())
}

fn own(path: &Path, user: &User) -> io::Result<()> {
    std::os::unix::fs::chown(path, Some(user.uid), Some(user.gid))
}

fn start(spec: &InstanceSpec) -> io::Result<Child> {
    let Some((program, arguments)) = spec.command.split_first() else {
        return Err(io::Error::other("it is empty"));
    };
    // For the instance's own output: programs open `/dev/stderr` anew, as their own user.
    for output in ["/proc/self/fd/1", "/proc/self/fd/2"] {
        own(Path::new(output), &spec.user)?;
    }
    let child = Command::new(program)
        .args(arguments)
        .env_clear()
        .env("PATH", PATH)
        .env("HOME", &spec.user.home)
        .env("USER", &spec.user.name)
        .envs(spec.env.iter().map(|(key, value)| (key, value)))
        .stdin(Stdio::null())
        .current_dir("/")
        .uid(spec.user.uid)
        .gid(spec.user.gid)
        .spawn()?;
    // A limit on memory should end the program, not this process, which has to tell of it. Where that
    // may not be said, the program is still the larger one.
    let _spared = fs_err::write("/proc/self/oom_score_adj", "-1000");
    Ok(child)
}

/// Waits for every process that has no other parent, until the program itself has ended.
fn bury_until(child: &Child) -> u8 {
    let program = i32::try_from(child.id()).unwrap_or(-1);
    loop {
        match wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) if pid.as_raw_nonzero().get() == program => {
                let code = status.exit_status().or(status.terminating_signal().map(|signal| 128 + signal));
                return code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
            }
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return 1,
        }
    }
}
