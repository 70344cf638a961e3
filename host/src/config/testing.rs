//! What the tests of this room share.

use std::{path::Path, sync::Arc};

use super::{ConfigErrors, FeedConfig, FeedOrder, LoadOptions, Rows, RunConfig, load};

/// A config that is right, to be changed by tests.
pub(super) const RIGHT: &str = r#"
name = "right"
environment = "here"
seed = 7

[environments.here]
kind = "url"
url = "http://127.0.0.1:9/"
faults.crash = { plugin = "other-kill", config = { selector = "app=other" } }

[environments.there]
kind = "url"
url = "https://example.org"

[credentials.db]
user = "me"
password = { env = "ASSAY_TEST_PASSWORD_THAT_IS_NOT_SET" }

[plugins.browser]
grants = { http = ["*.Example.org"], sql = ["app=db,tier in (a, b)"] }
limits = { memory = "32Mi", call-timeout = "5s" }

[profile]
plugin = "small-machine"
config = { cpu = 1.5, since = 2026-01-01, parts = [{ name = "a" }, { name = "b" }] }

[[behaviors]]
plugin = "browser"
share = 90
mix = { look = 3, buy = 1.5 }

[[behaviors]]
name = "owner"
plugin = "browser"
share = 10
think-time = "2s"
config = { role = "owner" }

[[phases]]
name = "warm"
users = 10
ramp = "10s"
duration = "1m"

[[phases]]
name = "peak"
users = 50
ramp = "2/s"
duration = "2m"

[guard]
error-rate = "50%"

[[faults]]
name = "crash"
plugin = "kill"
at = "peak+30s"
requirement = "29"
config = { selector = "app=web" }

[[assertions]]
plugin = "sla"
config = { p95 = "2s" }

[[assertions]]
plugin = "sla"
requirement = "3"
"#;

/// Loads a text as if it were a file of its own.
pub(super) fn load_text(text: &str, options: &LoadOptions) -> Result<RunConfig, ConfigErrors> {
    let folder = tempfile::tempdir().expect("a folder");
    load_in(folder.path(), &[("run.toml", text)], options)
}

/// Loads the first of several files.
pub(super) fn load_in(
    folder: &Path,
    files: &[(&str, &str)],
    options: &LoadOptions,
) -> Result<RunConfig, ConfigErrors> {
    for (name, text) in files {
        let path = folder.join(name);
        fs_err::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs_err::write(path, text).expect("written");
    }
    load(&folder.join(files.first().expect("a file").0), options)
}

pub(super) fn set(arguments: &[&str]) -> LoadOptions {
    LoadOptions { set: arguments.iter().map(|one| (*one).to_owned()).collect(), ..LoadOptions::default() }
}

/// The messages of a refusal, one a line.
pub(super) fn messages(result: Result<RunConfig, ConfigErrors>) -> String {
    let errors = result.expect_err("refused");
    let lines: Vec<_> = errors
        .errors()
        .iter()
        .map(|error| match error.location() {
            Some((name, line, column)) => {
                let name = Path::new(&name).file_name().expect("a name").to_string_lossy().into_owned();
                format!("{name}:{line}:{column}: {}", error.message)
            }
            None => error.message.clone(),
        })
        .collect();
    lines.join("\n")
}

/// A feed with these rows, as CSV.
pub(crate) fn feed_for_tests(rows: &str, order: FeedOrder) -> FeedConfig {
    FeedConfig { rows: Arc::new(Rows::from_csv(rows).expect("rows")), order }
}
