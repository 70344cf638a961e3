//! From a file to a plugin, and what can be wrong with it.

use std::path::Path;

use assay::{
    capability::{Loaded, Worlds},
    plugin::{Engine, EngineOptions, PluginKind, Source, built_ins},
};

use crate::stage::{Stage, fixture, limits, source, worlds};

fn replace(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = bytes.to_vec();
    let mut at = 0;
    while let Some(found) = bytes[at..].windows(from.len()).position(|window| window == from) {
        bytes[at + found..at + found + to.len()].copy_from_slice(to);
        at += found + to.len();
    }
    bytes
}

#[tokio::test]
async fn a_plugin_says_what_it_is() {
    let loaded = worlds().load(&source("plain-fault")).await.expect("loads");
    let Loaded::Fault(plugin) = loaded else { panic!("{loaded:?}") };
    let plugin = plugin.plugin();
    assert_eq!(
        (plugin.name.as_str(), plugin.kind, plugin.built_in),
        ("plain-fault", PluginKind::Fault, false)
    );
    assert_eq!(plugin.digest.len(), 64);
    assert_eq!(plugin.about.wishes[0].capability, "cluster");
    assert!(plugin.about.config_schema.contains("selector"));
}

#[tokio::test]
async fn every_built_in_plugin_loads_under_its_own_name() {
    for built_in in built_ins() {
        let loaded = worlds().load(&Source::built_in(built_in.name)).await;
        let loaded = loaded.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(loaded.plugin().about.name, built_in.name);
        assert!(loaded.plugin().built_in);
    }
}

#[tokio::test]
async fn the_wrong_kind_is_named_with_the_right_one() {
    let error = worlds().fault(&source("hostile")).await.expect_err("refused");
    insta::assert_snapshot!(error, @"plugin 'hostile' is of the kind behavior, and one of the kind fault is needed here");
}

#[tokio::test]
async fn another_contract_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let bytes = std::fs::read(fixture("plain-assertion")).expect("reads");
    let path = folder.path().join("future.wasm");
    std::fs::write(&path, replace(&bytes, b"@0.1.0", b"@0.2.0")).expect("writes");
    let error =
        worlds().load(&Source { name: "future".to_owned(), path: Some(path) }).await.expect_err("refused");
    insta::assert_snapshot!(
        error,
        @"plugin 'future' is built against assay:plugin 0.2.0; this host speaks 0.1: build it against the host's own SDK"
    );
}

#[tokio::test]
async fn a_missing_file_is_named() {
    let source = Source { name: "mine".to_owned(), path: Some("/no/such/mine.wasm".into()) };
    let error = worlds().load(&source).await.expect_err("refused").to_string();
    assert!(error.starts_with("failed to read plugin 'mine': "), "{error}");
}

async fn load_with_cache(folder: &Path) {
    let cache = Some(folder.to_owned());
    let engine = Engine::new(&EngineOptions { cache, ..EngineOptions::default() }).expect("an engine");
    let worlds = Worlds::new(engine).expect("linkers");
    let plugin = worlds.assertion(&source("plain-assertion")).await.expect("loads");
    let stage = Stage::new(plugin.plugin(), limits(), assay::config::Grants::default());
    let mut instance = plugin.on_trial(&stage.tenant).await.expect("instantiates");
    instance.configure("{}").await.expect("accepts");
}

fn kept(folder: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let entries = std::fs::read_dir(folder).expect("the cache is there");
    entries
        .map(|entry| entry.expect("reads").path())
        .map(|path| (path.clone(), std::fs::read(path).expect("reads")))
        .collect()
}

#[tokio::test]
async fn compiled_components_are_kept_and_damaged_ones_replaced() {
    let folder = tempfile::tempdir().expect("a folder");
    let cache = folder.path().join("assay/components");
    load_with_cache(&cache).await;
    let first = kept(&cache);
    assert_eq!(first.len(), 1);
    load_with_cache(&cache).await;
    assert_eq!(kept(&cache), first);
    std::fs::write(&first[0].0, b"not what was compiled").expect("writes");
    load_with_cache(&cache).await;
    assert_eq!(kept(&cache)[0].1.len(), first[0].1.len());
}

/// The same contract from another language, with WASI.
#[tokio::test]
async fn a_plugin_in_python_lives_in_the_same_pool() {
    use std::sync::Arc;

    use crate::stage::{Echo, Memory, started};

    let output = crate::support::project().join("target/guests/python.wasm");
    assert!(output.exists(), "{} is missing: run `make guests`", output.display());
    let source = Source { name: "python".to_owned(), path: Some(output) };
    let plugin = worlds().behavior(&source).await.expect("loads");
    let limits = assay::config::Limits { memory: 128 << 20, ..limits() };
    let stage = Stage::new(plugin.plugin(), limits, assay::config::Grants::default());
    let memory = Arc::new(Memory::default());
    let config = serde_json::json!({ "path": "/", "write-path": "/write", "fail": "never" });
    let mut user = started(&plugin, &stage, config, Echo::new(memory.clone())).await.expect("starts");
    user.run(0).await.expect("reads");
    user.run(1).await.expect("writes");
    assert!(memory.take().iter().any(|note| note.starts_with("visitors confirms ")));

    let config = serde_json::json!({ "path": "/", "write-path": "/write", "fail": "exception" });
    let mut user = started(&plugin, &stage, config, Echo::new(memory)).await.expect("starts");
    let error = user.run(0).await.expect_err("fails");
    assert!(!error.is_fatal(), "{error}");
}
