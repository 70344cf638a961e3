//! What the commands say: results on standard output, everything else on standard error. Nothing is left
//! to do about a terminal that is gone, so nobody is told.

use std::io::{IsTerminal as _, Write as _};

use super::Exit;
use crate::config::ConfigErrors;

/// Prints a text as it is.
pub(super) fn print(text: &str) {
    let _ = write!(std::io::stdout(), "{text}");
}

/// Prints one line.
pub(super) fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Prints one line beside the results.
pub(super) fn notice(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Prints one error.
pub(super) fn complain(exit: Exit, message: &str) -> Exit {
    notice(&format!("error: {message}"));
    exit
}

/// Prints what is wrong with a config, each with its line.
pub(super) fn complain_at_lines(errors: &ConfigErrors) -> Exit {
    let mut stderr = std::io::stderr();
    let colours = stderr.is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let _ = write!(stderr, "{}", errors.render(colours));
    Exit::Usage
}
