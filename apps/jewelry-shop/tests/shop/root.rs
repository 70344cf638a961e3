//! Programs out of a root file system that is left as it is.

use std::path::Path;
use std::process::Command;

/// A program of the root file system, by its name; arguments may be added. `home` must lie below
/// `/tmp`, and is what it can write to.
pub(crate) fn command(home: &Path, program: &str) -> Command {
    assert!(std::env::var_os("ASSAY_TEST_ROOT").is_some(), "ASSAY_TEST_ROOT is not set; `make test` sets it");
    let mut command = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/in-root"));
    command.arg(home).arg(program);
    command
}
