//! A well-behaved user through its whole life.

use std::sync::Arc;

use assay::{
    capability::Worlds,
    config::Grants,
    observe::Fact,
    plugin::{CallError, Engine, EngineOptions},
};
use serde_json::json;

use crate::stage::{Echo, Memory, Stage, limits, ports, source, started, user, worlds};

#[tokio::test]
async fn a_user_lives_and_its_samples_are_committed() {
    let plugin = worlds().behavior(&source("plain-behavior")).await.expect("the fixture loads");
    let stage = Stage::new(plugin.plugin(), limits(), Grants::default());
    let memory = Arc::new(Memory::default());
    let mut instance =
        plugin.instantiate(&stage.tenant, ports(7, Echo::new(memory.clone()))).await.expect("instantiates");
    let plan = instance.configure(&json!({ "start-path": "/welcome" }).to_string()).await.expect("accepted");
    let names: Vec<_> = plan.tasks.iter().map(|task| (task.name.as_str(), task.writes)).collect();
    assert_eq!(names, [("read", false), ("write", true)]);

    instance.start(user(7)).await.expect("starts");
    memory.take();
    instance.run(0).await.expect("reads");
    assert_eq!(
        memory.take(),
        ["send Method::Get /", "check answered as expected: true", "commit 1", "commit all"]
    );
    instance.run(1).await.expect("writes");
    assert_eq!(
        memory.take(),
        [
            "visitors attempts run-1-7-1",
            "send Method::Post /write",
            "visitors confirms run-1-7-1",
            "commit 2",
            "commit all"
        ]
    );
    let page = instance.audit(None).await.expect("audits");
    assert_eq!((page.keys.len(), page.next), (0, None));
    instance.stop().await.expect("leaves");

    let lines: Vec<_> = stage
        .told()
        .into_iter()
        .filter_map(|fact| match fact {
            Fact::PluginLog { message, .. } => Some(message),
            _ => None,
        })
        .collect();
    assert_eq!(lines, ["user 7 of run run-1 starts", "user 7 leaves"]);
}

#[tokio::test]
async fn a_config_that_is_refused_says_where() {
    let plugin = worlds().behavior(&source("plain-behavior")).await.expect("the fixture loads");
    let stage = Stage::new(plugin.plugin(), limits(), Grants::default());
    let mut instance = plugin.on_trial(&stage.tenant).await.expect("instantiates");
    let refused = instance.configure(&json!({ "path": "nowhere" }).to_string()).await.expect_err("refused");
    insta::assert_snapshot!(refused, @"/path: expected a path that begins with `/`");
}

/// A pool that is full says so, and nobody blames the plugin.
#[tokio::test]
async fn no_room_for_another_instance_is_not_the_plugins_fault() {
    let engine = Engine::new(&EngineOptions { users: 1, cache: None, ..EngineOptions::default() });
    let worlds = Worlds::new(engine.expect("an engine")).expect("linkers");
    let plugin = worlds.behavior(&source("plain-behavior")).await.expect("the fixture loads");
    let stage = Stage::new(plugin.plugin(), limits(), Grants::default());
    let mut living = Vec::new();
    let refused = loop {
        assert!(living.len() < 1_000, "the pool has no end");
        let memory = Arc::new(Memory::default());
        match plugin.instantiate(&stage.tenant, ports(0, Echo::new(memory))).await {
            Ok(instance) => living.push(instance),
            Err(refused) => break refused,
        }
    };
    assert!(matches!(&refused, CallError::NoRoom(because) if because.contains("limit")), "{refused}");
    assert_eq!(stage.failures(), []);
    // Once one has gone, another finds room.
    living.pop();
    let memory = Arc::new(Memory::default());
    plugin.instantiate(&stage.tenant, ports(0, Echo::new(memory))).await.expect("there is room again");
}

#[tokio::test]
async fn a_call_that_is_given_up_loses_the_instance() {
    let plugin = worlds().behavior(&source("plain-behavior")).await.expect("the fixture loads");
    let stage = Stage::new(plugin.plugin(), limits(), Grants::default());
    let memory = Arc::new(Memory::default());
    let config = json!({ "wait": "2s" });
    let mut instance = started(&plugin, &stage, config, Echo::new(memory)).await.expect("starts");
    let given_up = tokio::time::timeout(std::time::Duration::from_millis(50), instance.run(0)).await;
    assert!(given_up.is_err());
    assert!(!instance.is_whole());
    assert_eq!(instance.run(0).await, Err(CallError::Lost));
}
