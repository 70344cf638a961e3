//! The configs and the schema that are handed out with Assay.

use std::{
    fs,
    path::{Path, PathBuf},
};

use assay::config::{LoadOptions, json_schema, load};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every run config in `config/` is right. (Those that others include lie beside or below them.)
#[test]
fn run_configs_load() {
    let mut loaded = 0;
    for entry in fs::read_dir(repository().join("config")).expect("config/") {
        let path = entry.expect("an entry").path();
        let is_toml = path.extension().is_some_and(|extension| extension == "toml");
        if !is_toml || path.ends_with("environments.toml") {
            continue;
        }
        // The lab's stack has tests of its own.
        let options = LoadOptions { environment: Some("local".to_owned()), ..LoadOptions::default() };
        let config = load(&path, &options).unwrap_or_else(|errors| panic!("{errors}"));
        assert_eq!(Some(config.name.as_str()), path.file_stem().and_then(|stem| stem.to_str()));
        loaded += 1;
    }
    assert!(loaded >= 4, "only {loaded} run configs");
}

/// `docs/run-config.schema.json` is what the loader checks against. `UPDATE_SCHEMA=1` writes it.
#[test]
fn the_published_schema_is_up_to_date() {
    let path = repository().join("docs/run-config.schema.json");
    let current = json_schema();
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        fs::write(&path, serde_json::to_string_pretty(&current).expect("JSON") + "\n").expect("written");
    }
    let published = fs::read_to_string(&path).unwrap_or_default();
    // Compared as values: the order of keys depends on what else is built.
    let published: serde_json::Value = serde_json::from_str(&published).unwrap_or_default();
    assert!(published == current, "out of date: run the tests with UPDATE_SCHEMA=1 and commit the file");
}
