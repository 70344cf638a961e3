//! Every file in `broken-configs/` must be refused, with a message that says where and what would
//! be right. A line `# set: PATH=VALUE` in a case is given as `--set`, and likewise `# env: NAME`,
//! `# time-scale: N` and `# allow-context: NAME`. What is read is in `broken-configs/snapshots/`.

mod support;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use support::text;

fn cases() -> Vec<PathBuf> {
    let mut cases: Vec<_> = Path::new("tests/broken-configs")
        .read_dir()
        .expect("the folder of cases")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    cases.sort();
    cases
}

/// The command line options that a case asks for.
fn options(case: &Path) -> Vec<String> {
    let text = fs::read(case).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let asked = |option: &str| -> Vec<String> {
        let prefix = format!("# {option}: ");
        let values = text.lines().filter_map(|line| line.strip_prefix(&prefix));
        values.flat_map(|value| [format!("--{option}"), value.to_owned()]).collect()
    };
    ["set", "env", "time-scale", "allow-context"].into_iter().flat_map(asked).collect()
}

/// What is printed about a case. It must be refused as a mistake in the config, before anything is
/// started or written.
fn refusal(case: &Path) -> String {
    let runs = tempfile::tempdir().expect("a folder");
    let labs = labs();
    let mut command = Command::new(env!("CARGO_BIN_EXE_host"));
    let output = command
        .arg("run")
        .arg(case)
        .args(options(case))
        .arg("--runs")
        .arg(runs.path())
        .env_remove("NO_COLOR")
        .output()
        .expect("the binary starts");
    assert_eq!(output.status.code(), Some(2), "{}:\n{}", case.display(), text(&output));
    assert!(output.stdout.is_empty(), "{}:\n{}", case.display(), text(&output));
    assert_eq!(runs.path().read_dir().expect("it reads").count(), 0, "{} left a run", case.display());
    assert_eq!(labs, self::labs(), "{} started a lab", case.display());
    String::from_utf8(output.stderr).expect("UTF-8")
}

/// Every lab of this machine has a folder here from its start to its end.
fn labs() -> BTreeSet<PathBuf> {
    let labs = fs::read_dir("/var/lib/assay/labs").into_iter().flatten();
    labs.map(|lab| lab.expect("an entry").path()).collect()
}

#[test]
fn each_is_refused_with_a_reason() {
    let cases = cases();
    assert!(cases.len() >= 30, "only {} cases", cases.len());
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("broken-configs/snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        let mut placed = 0;
        for case in cases {
            let (name, refusal) = (case.file_stem().expect("a name").to_string_lossy(), refusal(&case));
            placed += usize::from(names_a_place(&refusal));
            insta::assert_snapshot!(name.as_ref(), refusal);
        }
        assert!(placed >= 60, "only {placed} say where");
    });
}

/// Does a message say file, line and column?
fn names_a_place(refusal: &str) -> bool {
    let place = regex::Regex::new(r"\.toml:\d+:\d+|\[--set:\d+:\d+").expect("a right expression");
    place.is_match(refusal)
}
