//! Rows of data, as guests get them.

use std::sync::Arc;

use assay::{
    capability::BehaviorPorts,
    config::{Grants, LoadOptions, load},
    load::RunFeeds,
    plugin::CallError,
};
use assay_bindings::imports::types::Failure;
use serde_json::json;

use crate::stage::{Echo, Memory, Stage, limits, ports, source, user, worlds};

/// A hundred words, and who gets which.
fn words(order: &str) -> Arc<RunFeeds> {
    let folder = tempfile::tempdir().expect("a folder");
    let rows: String = (0..100).map(|number| format!("{number},ring\n")).collect();
    std::fs::write(folder.path().join("words.csv"), format!("word,kind\n{rows}")).expect("writes");
    let config = format!(
        "name = \"words\"\nenvironment = \"here\"\n[environments.here]\nkind = \"url\"\nurl = \"http://127.0.0.1:9\"\n\
         [feeds.words]\npath = \"words.csv\"\norder = \"{order}\"\n\
         [[phases]]\nname = \"all\"\nusers = 1\nduration = \"1s\"\n[[behaviors]]\nplugin = \"any\"\n"
    );
    let path = folder.path().join("run.toml");
    std::fs::write(&path, config).expect("writes");
    let config = load(&path, &LoadOptions::default()).unwrap_or_else(|errors| panic!("{errors}"));
    Arc::new(RunFeeds::new(&config.feeds))
}

fn granted() -> Grants {
    Grants { feed: vec!["words".to_owned(), "forgotten".to_owned()], ..Grants::default() }
}

/// What one user's instance reads, from the requests that it sends; the first failure ends it.
async fn read(
    grants: Grants,
    feeds: &Arc<RunFeeds>,
    instance: u64,
    feed: &str,
    times: usize,
) -> Result<Vec<String>, CallError> {
    let plugin = worlds().behavior(&source("plain-behavior")).await.expect("the fixture loads");
    let stage = Stage::new(plugin.plugin(), limits(), grants);
    let memory = Arc::new(Memory::default());
    let ports = BehaviorPorts { feeds: feeds.clone(), ..ports(instance, Echo::new(memory.clone())) };
    let mut instance = plugin.instantiate(&stage.tenant, ports).await.expect("instantiates");
    instance.configure(&json!({ "feed": feed }).to_string()).await.expect("accepted");
    instance.start(user(0)).await.expect("starts");
    for _ in 0..times {
        instance.run(0).await?;
    }
    let sent = memory.take();
    Ok(sent.iter().filter_map(|note| note.split_once("word=")).map(|(_, word)| word.to_owned()).collect())
}

#[tokio::test]
async fn in_sequence_rows_go_round_among_all_users() {
    let feeds = words("sequential");
    assert_eq!(read(granted(), &feeds, 0, "words", 2).await.expect("reads"), ["0", "1"]);
    let second = read(granted(), &feeds, 1, "words", 99).await.expect("reads");
    assert_eq!(second.last().map(String::as_str), Some("0"));
}

#[tokio::test]
async fn at_random_the_same_seed_gives_the_same_user_the_same_rows() {
    let (one, other) = (words("random"), words("random"));
    let first = read(granted(), &one, 7, "words", 20).await.expect("reads");
    // Whatever others draw in between.
    let neighbour = read(granted(), &other, 8, "words", 20).await.expect("reads");
    let again = read(granted(), &other, 7, "words", 20).await.expect("reads");
    assert_eq!(first, again);
    assert_ne!(first, neighbour);
}

#[tokio::test]
async fn uniquely_a_user_keeps_its_row_and_the_last_one_is_the_end() {
    let feeds = words("unique");
    assert_eq!(read(granted(), &feeds, 99, "words", 3).await.expect("reads"), ["99"; 3]);
    let refused = read(granted(), &feeds, 100, "words", 1).await.expect_err("there are a hundred");
    assert!(matches!(&refused, CallError::Failed(Failure::NotFound(_))), "{refused}");
}

#[tokio::test]
async fn what_is_not_granted_or_not_there_is_named() {
    let feeds = words("sequential");
    let refused = read(Grants::default(), &feeds, 0, "words", 1).await.expect_err("not granted");
    insta::assert_snapshot!(
        refused,
        @r#"denied: plugin 'plain-behavior' may not read the feed 'words'; add to [plugins.plain-behavior]: grants = { feed = ["words"] }"#
    );
    let refused = read(granted(), &feeds, 0, "forgotten", 1).await.expect_err("not there");
    insta::assert_snapshot!(refused, @"not found: this run has no feed 'forgotten'");
}
