//! A real server for tests, out of the root file system at `$ASSAY_TEST_ROOT`.

use std::{
    net::{SocketAddr, TcpListener},
    os::unix::fs::PermissionsExt,
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

/// Runs until it is dropped, and trusts everybody.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    process: Child,
    /// Where its data is.
    _home: TempDir,
}

impl Server {
    /// Starts it; that it answers is for the caller to see.
    pub(super) fn start() -> Self {
        let home = TempDir::new().expect("a folder");
        let open = std::fs::Permissions::from_mode(0o711);
        std::fs::set_permissions(home.path(), open).expect("it is ours");
        let data = home.path().join("data");
        let program = |name: &str| {
            let mut command = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/in-root"));
            command.arg(home.path()).arg(name).stdout(Stdio::null()).stderr(Stdio::null());
            command
        };
        let made = program("initdb")
            .args(["--auth=trust", "--username=postgres", "--no-sync", "--locale=C.UTF-8", "--pgdata"])
            .arg(&data)
            .status();
        assert!(made.expect("in-root starts").success(), "no database; `make test` sets ASSAY_TEST_ROOT");
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let address = free.expect("a free port");
        let process = program("postgres")
            .arg("-D")
            .arg(&data)
            .arg("-k")
            .arg(&data)
            .args(["-p", &address.port().to_string(), "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"])
            .spawn()
            .expect("in-root starts");
        Self { address, process, _home: home }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // SIGQUIT ends its children, too, which SIGKILL would leave to find out.
        let pid = rustix::process::Pid::from_child(&self.process);
        let _gone = rustix::process::kill_process(pid, rustix::process::Signal::QUIT);
        let _buried = self.process.wait();
    }
}
