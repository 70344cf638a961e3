//! Programs out of a root file system that is left as it is.

use std::path::Path;
use std::process::Command;

/// Enters the root file system in a mount namespace of its own, where the test's home has the same
/// path as outside and belongs to an unprivileged user, and becomes the program. Nothing forks, so
/// that signals to the child reach the program.
const ENTER: &str = r#"
set -e
root=$1 home=$2 program=$3
shift 3
mount -t tmpfs tmpfs "$root/tmp"
mkdir -p "$root$home"
mount --bind "$home" "$root$home"
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
chroot "$root" chown postgres: "$home"
path=/usr/lib/postgresql/15/bin:/usr/sbin:/usr/bin:/bin
program=$(PATH=$path chroot "$root" sh -c 'command -v "$0"' "$program")
exec chroot --userspec=postgres:postgres "$root" "$program" "$@"
"#;

/// A program of the root file system, by its name; arguments may be added. `home` must lie below
/// `/tmp`, and is what it can write to.
pub(crate) fn command(home: &Path, program: &str) -> Command {
    let root = std::env::var_os("SHOP_TEST_ROOT")
        .expect("SHOP_TEST_ROOT names a root file system with PostgreSQL and Redis; `make test` sets it");
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-c", ENTER, "enter"]);
    command.arg(root).arg(home).arg(program);
    command
}
