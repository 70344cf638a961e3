//! Every file in `broken-configs/` must be refused, with a message that says where and what would
//! be right. A line `# set: PATH=VALUE` in a case is given as `--set`, `# env: NAME` as `--env`, `# time-scale:
//! N` as `--time-scale`. What is read is in `broken-configs/snapshots/`.

use std::path::{Path, PathBuf};

use assay::config::{LoadOptions, load};

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

fn arguments(case: &Path) -> LoadOptions {
    let text = std::fs::read(case).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let after = |prefix: &str| -> Vec<String> {
        text.lines().filter_map(|line| line.strip_prefix(prefix)).map(str::to_owned).collect()
    };
    LoadOptions {
        set: after("# set: "),
        environment: after("# env: ").pop(),
        time_scale: after("# time-scale: ").pop().map(|scale| scale.parse().expect("a number")),
    }
}

/// What is printed about a case.
fn refusal(case: &Path) -> String {
    match load(case, &arguments(case)) {
        Ok(_) => panic!("{} was accepted", case.display()),
        Err(errors) => errors.to_string(),
    }
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
        for case in cases {
            let name = case.file_stem().expect("a name").to_string_lossy().into_owned();
            insta::assert_snapshot!(name, refusal(&case));
        }
    });
}
