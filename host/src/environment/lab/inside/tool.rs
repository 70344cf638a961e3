//! Runs a program of the root file system for the lab itself: `ip`, `nft`.

use std::{
    ffi::OsString,
    io::{self, Write},
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, ExitCode, Stdio},
};

use super::{PATH, not_started};

/// What the re-execution is called.
pub(in super::super) const NAME: &str = "lab-tool";

/// `lab-tool ROOTFS PROGRAM ARGUMENT…`: replaces itself by a program of the root file system.
pub(in super::super) fn tool(mut arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let (Some(rootfs), Some(program)) = (arguments.next(), arguments.next()) else {
        eprintln!("{NAME} is for the lab's own use");
        return ExitCode::from(2);
    };
    let entered = rustix::process::chroot(&rootfs).and_then(|()| rustix::process::chdir("/"));
    let error = match entered {
        Ok(()) => Command::new(&program).args(arguments).env_clear().env("PATH", PATH).exec(),
        Err(error) => error.into(),
    };
    eprintln!("{}: {error}", program.to_string_lossy());
    ExitCode::from(not_started(&error))
}

/// Runs a program of the root file system with this input, in this process' namespaces.
pub(in super::super) fn in_rootfs(rootfs: &Path, command: &[&str], input: &str) -> io::Result<()> {
    let mut child = Command::new("/proc/self/exe")
        .arg(NAME)
        .arg(rootfs)
        .args(command)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that ends without reading says why on its error output.
        let _written = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output()?;
    match output.status.success() {
        true => Ok(()),
        false => Err(io::Error::other(format!(
            "{}: {}",
            command.join(" "),
            String::from_utf8_lossy(&output.stderr).trim()
        ))),
    }
}
