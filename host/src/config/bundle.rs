//! A run config as something to be carried elsewhere: all files that make it, so that the same config
//! is read there.

use std::{collections::BTreeMap, path::Path};

use bytesize::ByteSize;

use super::{
    diagnostic::{ConfigErrors, Diagnostic},
    model::{RunConfig, SecretSource},
    tree::escape,
};

/// The files that a run config was read from and those that it names, by their paths below its folder,
/// with `/` between folders. Refused if together they have more than `most` bytes, and if a
/// password is kept on this machine: it would not be found elsewhere, and is no file to be carried around.
pub fn bundle(config: &RunConfig, most: usize) -> Result<BTreeMap<String, Vec<u8>>, ConfigErrors> {
    check_passwords(config)?;
    let folder = config.path.parent().unwrap_or(Path::new(""));
    let mut files = BTreeMap::new();
    for file in &config.files {
        let path = folder.join(file);
        let name = file.to_str().ok_or_else(|| {
            Diagnostic::new(format!("the name of {} is not UTF-8", path.display()))
                .with_help("only what has a name in UTF-8 can be carried elsewhere")
        })?;
        let content = fs_err::read(&path).map_err(|error| Diagnostic::new(error.to_string()))?;
        files.insert(name.to_owned(), content);
    }
    check_size(&files, most)?;
    Ok(files)
}

fn check_passwords(config: &RunConfig) -> Result<(), ConfigErrors> {
    let mut errors = Vec::new();
    for (name, credential) in &config.credentials {
        let kept = match &credential.password {
            SecretSource::Environment { cluster: Some(_), .. } => continue,
            SecretSource::Environment { cluster: None, .. } => "only a lab has it".to_owned(),
            SecretSource::Env(variable) => format!("it is this machine's environment variable {variable}"),
            SecretSource::File(path) => format!("it is this machine's file {}", path.display()),
        };
        let message = format!("the password of credential `{name}` is not known inside the cluster: {kept}");
        let diagnostic =
            config.sources.at(&format!("/credentials/{}/password", escape(name)), false, message);
        errors.push(diagnostic.with_help("a cluster keeps secrets: kube-secret = \"NAME/KEY\""));
    }
    if errors.is_empty() { Ok(()) } else { Err(ConfigErrors::new(errors)) }
}

/// Names the files that are too much: the largest ones, without which the rest would fit.
fn check_size(files: &BTreeMap<String, Vec<u8>>, most: usize) -> Result<(), Diagnostic> {
    let mut by_size: Vec<_> = files.iter().map(|(name, content)| (content.len(), name)).collect();
    by_size.sort();
    let all: usize = by_size.iter().map(|(size, _)| size).sum();
    let (mut left, mut too_much) = (all, Vec::new());
    while left > most
        && let Some((size, name)) = by_size.pop()
    {
        left -= size;
        too_much.push(format!("{name} ({})", shown(size)));
    }
    if too_much.is_empty() {
        return Ok(());
    }
    let message = format!(
        "the run config's files are {} together, more than the {} that fit; too large: {}",
        shown(all),
        shown(most),
        too_much.join(", ")
    );
    Err(Diagnostic::new(message).with_help("take fewer rows, or strip the plugin of its debug information"))
}

fn shown(bytes: usize) -> ByteSize {
    ByteSize::b(bytes as u64)
}

#[cfg(test)]
mod tests {
    use super::super::{
        LoadOptions,
        testing::{RIGHT, load_in, messages},
    };
    use super::*;

    const FILES: [(&str, &str); 5] = [
        (
            "run.toml",
            r#"
            name = "carried"
            include = ["shared/places.toml"]
            environments.here = { kind = "url", url = "http://127.0.0.1:9" }
            behaviors = [{ plugin = "browser" }]
            phases = [{ name = "one", users = 1, duration = "1m" }]
            feeds.people.path = "data/people.csv"
            plugins.browser.path = "browser.wasm"
            "#,
        ),
        (
            "shared/places.toml",
            "environment = \"here\"\nenvironments.lab = { kind = \"lab\", stack = \"none.toml\" }",
        ),
        ("data/people.csv", "name\nada\n"),
        ("browser.wasm", "\0asm"),
        ("not-named.txt", "nobody needs it"),
    ];

    #[test]
    fn what_is_carried_is_the_same_config() {
        let (here, there) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let config = load_in(here.path(), &FILES, &LoadOptions::default());
        let files = bundle(&config.unwrap_or_else(|errors| panic!("{errors}")), 1 << 20).expect("it fits");
        let names: Vec<_> = files.keys().map(String::as_str).collect();
        assert_eq!(names, ["browser.wasm", "data/people.csv", "run.toml", "shared/places.toml"]);
        let files: Vec<_> = files.iter().map(|(name, content)| (name.as_str(), content)).collect();
        for (name, content) in files {
            let path = there.path().join(name);
            fs_err::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs_err::write(path, content).expect("written");
        }
        let again = super::super::load(&there.path().join("run.toml"), &LoadOptions::default());
        let again = again.unwrap_or_else(|errors| panic!("{errors}"));
        assert_eq!((again.name.as_str(), again.feeds.len(), again.files.len()), ("carried", 1, 4));
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let rows = format!("name\n{}", "ada\n".repeat(1000));
        let mut files = FILES;
        files[2].1 = &rows;
        let config = load_in(folder.path(), &files, &LoadOptions::default());
        let config = config.unwrap_or_else(|errors| panic!("{errors}"));
        assert!(bundle(&config, 8000).is_ok());
        let refused = bundle(&config, 2000).expect_err("too much");
        let refused = refused.errors()[0].message.clone();
        assert!(refused.ends_with("too large: data/people.csv (3.9 KiB)"), "{refused}");
    }

    #[test]
    fn passwords_of_this_machine_stay_here() {
        let folder = tempfile::tempdir().expect("a folder");
        let config = load_in(folder.path(), &[("run.toml", RIGHT)], &LoadOptions::default());
        let config = config.unwrap_or_else(|errors| panic!("{errors}"));
        let refused = messages(bundle(&config, 1 << 20).map(|_| config));
        assert!(
            refused.starts_with("run.toml:17:12: the password of credential `db` is not known"),
            "{refused}"
        );
    }
}
