//! From a path to a run config: read, include, override, check, resolve.

use std::{path::Path, sync::Arc};

use serde_json::Value;

use super::{
    Sources,
    diagnostic::{ConfigErrors, Diagnostic},
    file::ConfigFile,
    folder::Folder,
    json_schema,
    model::RunConfig,
    overrides,
    read::Reader,
    resolve, schema,
    sources::Texts,
    tree::{Content, Node, Place, segments},
};

/// Most that a run can be shortened.
const MOST_SCALE: f64 = 10_000.0;

/// What the command line adds to a config.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// `--env`: in place of the config's `environment`.
    pub environment: Option<String>,
    /// `--set`: `PATH=VALUE`, in order.
    pub set: Vec<String>,
    /// `--time-scale`: how many times shorter.
    pub time_scale: Option<f64>,
    /// `--allow-context`: the protected context that may be used.
    pub allow_context: Option<String>,
}

/// Reads a run config, or says everything that is wrong with it.
pub fn load(path: &Path, options: &LoadOptions) -> Result<RunConfig, ConfigErrors> {
    let folder = Folder::of(path).map_err(|error| {
        Diagnostic::new(format!("the folder of {} cannot be reached: {error}", path.display()))
    })?;
    let sources = Arc::new(read(path, &folder, options)?);
    let (file, mut errors) = parse(&sources)?;
    let scale = options.time_scale.unwrap_or(1.0);
    if !(1.0..=MOST_SCALE).contains(&scale) {
        let message = format!("--time-scale {scale}: a run can be shortened, by 1 to {MOST_SCALE} times");
        errors.push(Diagnostic::new(message));
    }
    match resolve::resolve(file, path, &folder, &sources, options) {
        Ok(config) if errors.is_empty() => Ok(config.scaled(scale)),
        Ok(_) => Err(ConfigErrors::new(errors)),
        Err(more) => {
            errors.extend(more);
            Err(ConfigErrors::new(errors))
        }
    }
}

/// All texts, merged.
fn read(path: &Path, folder: &Folder, options: &LoadOptions) -> Result<Sources, ConfigErrors> {
    let (mut texts, mut errors) = (Texts::default(), Vec::new());
    let root = Reader::new(folder, &mut texts, &mut errors).config(path);
    let (Some(mut root), true) = (root, errors.is_empty()) else {
        return Err(ConfigErrors::new(errors));
    };
    for argument in &options.set {
        if let Err(error) = overrides::apply(&mut root, &mut texts, argument) {
            errors.push(error);
        }
    }
    mask_secrets(&mut root, &mut texts);
    if errors.is_empty() { Ok(Sources { texts, root }) } else { Err(ConfigErrors::new(errors)) }
}

/// A password that stands in the config itself is an error, and must not be printed by it.
fn mask_secrets(root: &mut Node, texts: &mut Texts) {
    let Some(Content::Table(credentials)) = root.child_mut("credentials").map(|node| &mut node.content)
    else {
        return;
    };
    for credential in credentials.values_mut() {
        let Some(password) = credential.value.child_mut("password") else { continue };
        match &mut password.content {
            Content::Table(sources) => {
                let hidden = sources
                    .iter_mut()
                    .filter(|(key, _)| !matches!(key.as_str(), "env" | "file" | "lab" | "kube-secret"));
                hidden.for_each(|(_, entry)| mask(&mut entry.value, texts));
            }
            _ => mask(password, texts),
        }
    }
}

fn mask(secret: &mut Node, texts: &mut Texts) {
    texts.mask(&secret.place);
    secret.content = Content::Scalar(Value::from("[redacted]"));
}

/// Checks the tree against the schema. Unknown keys alone do not keep the rest from being checked.
fn parse(sources: &Sources) -> Result<(ConfigFile, Vec<Diagnostic>), ConfigErrors> {
    let mut value = sources.root.to_json();
    let complaints = schema::complaints(&json_schema(), &value)
        .map_err(|problem| Diagnostic::new(format!("the run config's own schema is broken: {problem}")))?;
    let diagnostics: Vec<_> = complaints
        .iter()
        .map(|complaint| {
            let diagnostic = sources.at(&complaint.pointer, complaint.at_key, &complaint.message);
            Diagnostic { help: complaint.help.clone(), ..diagnostic }
        })
        .collect();
    for complaint in complaints.iter().filter(|complaint| complaint.at_key) {
        remove(&mut value, &complaint.pointer);
    }
    match serde_json::from_value(value) {
        Ok(file) if complaints.iter().all(|complaint| complaint.at_key) => Ok((file, diagnostics)),
        Err(error) if diagnostics.is_empty() => {
            Err(sources.texts.diagnostic(&Place::default(), error.to_string()).into())
        }
        _ => Err(ConfigErrors::new(diagnostics)),
    }
}

fn remove(value: &mut Value, pointer: &str) {
    let segments: Vec<_> = segments(pointer).collect();
    let Some((last, parents)) = segments.split_last() else { return };
    let holder = parents.iter().try_fold(value, |value, segment| match value {
        Value::Object(entries) => entries.get_mut(segment),
        Value::Array(items) => segment.parse::<usize>().ok().and_then(|index| items.get_mut(index)),
        _ => None,
    });
    if let Some(Value::Object(entries)) = holder {
        entries.remove(last);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{
        Complaint, EnvironmentKind, FeedOrder, Limits, Pace, Ramp, SecretSource, ThinkTime,
        plugin_config_error, resolve_credentials,
        testing::{RIGHT, load_in, load_text, messages, set},
    };
    use super::*;

    fn right() -> RunConfig {
        load_text(RIGHT, &LoadOptions::default()).unwrap_or_else(|errors| panic!("{errors}"))
    }

    #[test]
    fn everything_arrives_with_its_unit() {
        let config = right();
        assert_eq!((config.name.as_str(), config.seed, config.time_scale), ("right", Some(7), 1.0));
        assert!(
            matches!(&config.environment.kind, EnvironmentKind::Url { url } if url == "http://127.0.0.1:9")
        );
        assert_eq!(config.phases[0].ramp, Ramp::Over(Duration::from_secs(10)));
        assert_eq!(config.phases[1].ramp, Ramp::Rate(2.0));
        assert_eq!(config.behaviors[0].name, "browser");
        assert_eq!(config.behaviors[0].mix.as_ref().expect("a mix")["buy"], 1.5);
        assert_eq!(config.behaviors[1].name, "owner");
        let two = Duration::from_secs(2);
        assert_eq!(config.behaviors[1].pace, Pace::Think(ThinkTime::Even { min: two, max: two }));
        let plugin = &config.plugins["browser"];
        assert_eq!(plugin.grants.http, ["*.example.org"]);
        assert_eq!(plugin.limits.memory, 32 << 20);
        assert_eq!(plugin.limits.busy_timeout, Limits::default().busy_timeout);
        let profile = &config.profile.as_ref().expect("a profile").uses;
        assert_eq!(profile.config["since"], "2026-01-01");
        assert_eq!(config.assertions[0].name, "sla");
        assert_eq!(config.assertions[1].name, "sla-2");
        let password = &config.credentials["db"].password;
        assert!(matches!(password, SecretSource::Env(_)));
    }

    #[test]
    fn what_is_not_said_has_a_default() {
        let config = right();
        let think = ThinkTime::Even { min: Duration::from_secs(1), max: Duration::from_secs(5) };
        assert_eq!(config.behaviors[0].pace, Pace::Think(think));
        assert_eq!((config.steady.success_rate, config.steady.hold), (0.99, Duration::from_secs(10)));
        assert_eq!(config.guard.expect("a guard").hold, Duration::from_mins(1));
        assert_eq!(config.settle.at_most, Duration::from_mins(1));
        assert_eq!(config.faults[0].recover_within, Duration::from_mins(1));
        assert_eq!(config.stop_timeout, Duration::from_secs(5));
    }

    #[test]
    fn an_environment_swaps_a_plugin_and_its_config() {
        let here = right();
        assert_eq!(here.faults[0].uses.plugin, "other-kill");
        assert_eq!(here.faults[0].uses.config["selector"], "app=other");
        assert_eq!(here.faults[0].uses.origin.path, "environments/here/faults/crash/config");
        let error = here.sources.at_plugin(&here.faults[0].uses, "no");
        let (_, line, _) = error.location().expect("a place");
        assert!(RIGHT.lines().nth(line - 1).expect("a line").starts_with("faults.crash"));
        let there = LoadOptions { environment: Some("there".to_owned()), ..LoadOptions::default() };
        let there = load_text(RIGHT, &there).expect("right");
        assert_eq!(there.faults[0].uses.plugin, "kill");
    }

    #[test]
    fn a_plugin_that_refuses_its_config_leads_to_the_line() {
        let config = right();
        let uses = &config.profile.as_ref().expect("a profile").uses;
        let at = |pointer: &str| {
            let error = plugin_config_error(&config.sources, uses, pointer, "no");
            let (_, line, column) = error.location().expect("a place");
            let line = RIGHT.lines().nth(line - 1).expect("a line");
            line.chars().skip(column - 1).take(12).collect::<String>()
        };
        assert_eq!(at("/parts/1/name"), "\"b\" }] }");
        assert_eq!(at("/since"), "2026-01-01, ");
        // What is not there is missing from what is.
        assert_eq!(at("/parts/7/name"), "[{ name = \"a");
        assert_eq!(at(""), "{ cpu = 1.5,");
        let error = plugin_config_error(&config.sources, uses, "/cpu", "too many processors");
        assert_eq!(error.message, "plugin `small-machine` refuses its config: too many processors");
        // An assertion without a config: its table is the nearest.
        let bare = &config.assertions[1].uses;
        let error = config.sources.diagnose(&bare.origin, &Complaint::at_key("/x", "unknown key `x`"));
        let (_, line, _) = error.location().expect("a place");
        assert_eq!(RIGHT.lines().nth(line - 1), Some("[[assertions]]"));
    }

    #[test]
    fn overrides_reach_everything() {
        let options = set(&[
            "phases.peak.users=60",
            "phases.0.duration=90s",
            "behaviors.owner.think-time=\"1s..2s\"",
            "guard.for=5s",
            "settle.at-most=3m",
            "profile.config.parts.b.size=2",
            "faults.crash.config={ selector = \"app=cache\" }",
            "environment=there",
        ]);
        let config = load_text(RIGHT, &options).unwrap_or_else(|errors| panic!("{errors}"));
        assert_eq!(config.phases[1].users, 60);
        assert_eq!(config.phases[0].duration, Duration::from_secs(90));
        let think = ThinkTime::Even { min: Duration::from_secs(1), max: Duration::from_secs(2) };
        assert_eq!(config.behaviors[1].pace, Pace::Think(think));
        assert_eq!(config.guard.as_ref().expect("a guard").hold, Duration::from_secs(5));
        assert_eq!(config.settle.at_most, Duration::from_mins(3));
        let profile = &config.profile.as_ref().expect("a profile").uses;
        assert_eq!(profile.config["parts"][1]["size"], 2);
        assert_eq!(config.faults[0].uses.config["selector"], "app=cache");
        let error = plugin_config_error(&config.sources, &config.faults[0].uses, "/selector", "no");
        assert_eq!(error.location(), Some(("--set".to_owned(), 1, 34)));
    }

    #[test]
    fn overrides_that_fit_nothing_say_what_exists() {
        insta::assert_snapshot!(
            messages(load_text(RIGHT, &set(&["phases.peek.users=1", "behaviors.browser.share=5", "=1", "a..b=1"]))),
            @r"
        --set:1:1: the path has an empty part
        --set:1:1: the path has an empty part
        --set:1:8: no entry of the list is called `peek`
        --set:1:11: several entries have the plugin `browser`: use the number, one of 0, 1
        "
        );
    }

    #[test]
    fn includes_are_merged_and_give_way() {
        let folder = tempfile::tempdir().expect("a folder");
        let files = [
            (
                "run.toml",
                r#"
                name = "right"
                include = ["shared/a.toml", "shared/b.toml"]
                environments.here.url = "http://127.0.0.1:3"
                "#,
            ),
            (
                "shared/a.toml",
                r#"
                name = "a"
                include = ["c.toml"]
                environments.here = { kind = "url", url = "http://127.0.0.1:1" }
                phases = [{ name = "one", users = 1, duration = "1m" }, { name = "two", users = 1, duration = "1m" }]
                "#,
            ),
            (
                "shared/b.toml",
                r#"
                include = ["../shared/c.toml"]
                environments.here.url = "http://127.0.0.1:2"
                environments.here.faults.that-other-runs-have = { plugin = "kill" }
                phases = [{ name = "three", users = 3, duration = "1m" }]
                "#,
            ),
            (
                "shared/c.toml",
                "[[behaviors]]\nplugin = \"browser\"\n[plugins.browser]\npath = \"browser.wasm\"",
            ),
            ("shared/browser.wasm", ""),
        ];
        let config = load_in(folder.path(), &files, &LoadOptions::default());
        let config = config.unwrap_or_else(|errors| panic!("{errors}"));
        assert_eq!(config.name, "right");
        assert!(
            matches!(&config.environment.kind, EnvironmentKind::Url { url } if url == "http://127.0.0.1:3")
        );
        assert_eq!(config.phases.iter().map(|phase| phase.users).collect::<Vec<_>>(), [3]);
        let path = config.plugins["browser"].path.as_ref().expect("a path");
        assert_eq!(*path, folder.path().join("shared/browser.wasm"));
    }

    #[test]
    fn files_that_are_no_text_are_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let refused = |name: &str| {
            let errors = load(&folder.path().join(name), &LoadOptions::default()).expect_err(name);
            errors.errors()[0].message.replace(&folder.path().display().to_string(), "folder")
        };
        fs_err::write(folder.path().join("huge.toml"), vec![b'#'; (1 << 20) + 1]).expect("written");
        rustix::fs::mkfifoat(rustix::fs::CWD, folder.path().join("pipe.toml"), 0o600.into()).expect("made");
        assert_eq!(refused("huge.toml"), "folder/huge.toml is larger than 1 MiB: no config is that long");
        assert_eq!(refused("none.toml"), "there is no file folder/none.toml");
        assert_eq!(refused("pipe.toml"), "folder/pipe.toml is not a regular file");
        assert_eq!(refused(""), "folder/ is a directory, not a file");
        assert!(
            refused("none/none.toml").starts_with("the folder of folder/none/none.toml cannot be reached")
        );
    }

    #[test]
    fn feeds_are_read_with_the_config() {
        let folder = tempfile::tempdir().expect("a folder");
        let config = |feeds: &str| format!("{RIGHT}\n{feeds}");
        let files = |config: &str| {
            let files =
                [("run.toml", config), ("data/a.csv", "\u{feff}name\nada\n"), ("b.jsonl", "{}\n{\"a\": 1}")];
            load_in(folder.path(), &files, &LoadOptions::default())
        };
        let feeds = files(&config(
            "[feeds]\na = { path = \"data/a.csv\" }\nb = { path = \"b.jsonl\", order = \"unique\" }\n\
             c = { path = \"./b.jsonl\", order = \"random\" }",
        ))
        .unwrap_or_else(|errors| panic!("{errors}"))
        .feeds;
        assert_eq!(feeds["a"].rows.get(0), Some("{\"name\":\"ada\"}"));
        let orders: Vec<_> = feeds.values().map(|feed| (feed.order, feed.rows.len())).collect();
        assert_eq!(orders, [(FeedOrder::Sequential, 1), (FeedOrder::Unique, 2), (FeedOrder::Random, 2)]);
        assert!(Arc::ptr_eq(&feeds["b"].rows, &feeds["c"].rows), "one file is held once");

        fs_err::write(folder.path().join("huge.csv"), vec![b'a'; (64 << 20) + 1]).expect("written");
        let refused = messages(files(&config("[feeds.huge]\npath = \"huge.csv\"")));
        assert!(refused.ends_with("huge.csv is larger than 64 MiB: no feed is that long"), "{refused}");
    }

    #[test]
    fn secrets_are_read_when_asked_for() {
        let config = right();
        let errors = resolve_credentials(&config, &std::collections::BTreeMap::new()).expect_err("not set");
        let error = &errors.errors()[0];
        let variable = "ASSAY_TEST_PASSWORD_THAT_IS_NOT_SET";
        assert_eq!(
            error.message,
            format!(
                "the password of credential `db` cannot be read: the environment variable {variable} is not set"
            )
        );
        let (_, line, _) = error.location().expect("a place");
        assert!(RIGHT.lines().nth(line - 1).expect("a line").starts_with("password"));

        let folder = tempfile::tempdir().expect("a folder");
        fs_err::write(folder.path().join("password"), "hunter2\n").expect("written");
        let options = set(&["credentials.db.password={ file = \"password\" }"]);
        let config = load_in(folder.path(), &[("run.toml", RIGHT)], &options).expect("right");
        let credentials = resolve_credentials(&config, &std::collections::BTreeMap::new()).expect("read");
        assert_eq!(credentials["db"].password.0, "hunter2");
        assert!(!format!("{credentials:?}").contains("hunter2"));
    }
}
