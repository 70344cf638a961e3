//! Figures of the long tests, kept as they come: `scripts/soak` says where, and for how many rounds.

use std::{env, fs::File, io::Write};

/// How many rounds a test has: as many as the variable says, or only so many.
pub(crate) fn rounds(variable: &str, otherwise: u32) -> u32 {
    match env::var(variable) {
        Ok(rounds) => rounds.parse().unwrap_or_else(|error| panic!("{variable}: {rounds:?}: {error}")),
        Err(_) => otherwise,
    }
}

/// Adds a row to the table at the end of the file that `ASSAY_SOAK_FIGURES` names, if it names one.
pub(crate) fn row<const N: usize>(cells: [String; N]) {
    line(&format!("| {} |", cells.join(" | ")));
}

/// Adds a line there.
pub(crate) fn line(line: &str) {
    let Some(path) = env::var_os("ASSAY_SOAK_FIGURES") else { return };
    let mut file = File::options().append(true).open(path).expect("the file of figures is there");
    writeln!(file, "{line}").expect("it is written");
}
