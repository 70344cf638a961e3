//! The `host` command. All it does is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    // The lab's helpers are this program too, and they need a process that has only one thread.
    if let Some(code) = assay::environment::lab::helper() {
        return code;
    }
    assay::cli::main()
}
