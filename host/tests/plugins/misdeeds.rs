//! A plugin that traps, hangs or grows without bound costs its own call, never the run, and the
//! report names the cause.

use std::{sync::Arc, time::Instant};

use assay::{
    capability::BehaviorPlugin,
    config::{Grants, Limits},
    observe::{Fact, PluginFailureKind},
    plugin::CallError,
};
use assay_bindings::imports::types::Failure;
use serde_json::{Value, json};

use crate::stage::{Echo, Memory, Stage, limits, source, started, worlds};

async fn hostile() -> BehaviorPlugin {
    worlds().behavior(&source("hostile")).await.expect("the fixture loads")
}

/// Does the misdeed, and shows that the next user is none the worse.
async fn done(plugin: &BehaviorPlugin, limits: Limits, config: Value) -> (Stage, Result<(), CallError>) {
    let stage = Stage::new(plugin.plugin(), limits, Grants::default());
    let memory = Arc::new(Memory::default());
    let mut user = started(plugin, &stage, config, Echo::new(memory.clone())).await.expect("starts");
    let outcome = user.run(0).await;
    let lost = matches!(outcome, Err(CallError::Broken { .. }));
    assert_eq!(user.is_whole(), !lost);
    if lost {
        assert_eq!(user.run(0).await, Err(CallError::Lost));
    }
    let mut next = started(plugin, &stage, json!({}), Echo::new(memory)).await.expect("the next one starts");
    next.run(0).await.expect("the next one works");
    (stage, outcome)
}

#[tokio::test]
async fn every_breakdown_is_named() {
    let plugin = hostile().await;
    for (misdeed, kind, message) in [
        ("trap", PluginFailureKind::Trapped, "wasm `unreachable` instruction executed"),
        ("panic", PluginFailureKind::Panicked, "lib.rs:"),
        ("recurse", PluginFailureKind::StackExhausted, "it recursed past its 256 KiB"),
        ("loop", PluginFailureKind::Looped, "it computed for 300ms without calling the host"),
        ("grow", PluginFailureKind::OutOfMemory, "and may have 16.0 MiB"),
    ] {
        let (stage, outcome) = done(&plugin, limits(), json!({ "misdeed": misdeed })).await;
        let Err(CallError::Broken { kind: found, message: text }) = outcome else {
            panic!("{misdeed}: {outcome:?}")
        };
        assert_eq!(found, kind, "{misdeed}: {text}");
        assert!(text.contains(message), "{misdeed}: {text}");
        assert_eq!(stage.failures(), [("run".to_owned(), kind, text)], "{misdeed}");
    }
}

#[tokio::test]
async fn a_panic_says_where_and_why() {
    let (_, outcome) = done(&hostile().await, limits(), json!({ "misdeed": "panic" })).await;
    let text = outcome.expect_err("panics").to_string();
    assert!(text.starts_with("panicked: ") && text.ends_with(": as told"), "{text}");
}

#[tokio::test]
async fn a_breakdown_at_the_start_is_named_too() {
    let plugin = hostile().await;
    let stage = Stage::new(plugin.plugin(), limits(), Grants::default());
    let config = json!({ "misdeed": "trap", "at-start": true });
    let started = started(&plugin, &stage, config, Echo::new(Arc::default())).await;
    assert!(matches!(started, Err(CallError::Broken { kind: PluginFailureKind::Trapped, .. })));
    assert_eq!(stage.failures()[0].0, "start");
}

#[tokio::test]
async fn who_sleeps_for_ever_hears_of_the_deadline() {
    let began = Instant::now();
    let limits = Limits { call_timeout: std::time::Duration::from_secs(1), ..limits() };
    let (stage, outcome) = done(&hostile().await, limits, json!({ "misdeed": "loop-sleeping" })).await;
    // The host's own calls end a little before the deadline, so that a guest that listens survives.
    let Err(CallError::Failed(Failure::TimedOut(text))) = outcome else { panic!("{outcome:?}") };
    assert!(text.starts_with("the call's deadline came"), "{text}");
    assert_eq!(stage.failures()[0].1, PluginFailureKind::Failed);
    assert!(began.elapsed().as_secs() < 10);
}

#[tokio::test]
async fn who_keeps_calling_the_host_misses_the_deadline() {
    let limits = Limits { call_timeout: std::time::Duration::from_secs(1), ..limits() };
    let config = json!({ "misdeed": "flood-log", "count": u32::MAX });
    let (_, outcome) = done(&hostile().await, limits, config).await;
    insta::assert_snapshot!(outcome.expect_err("too long"), @"missed its deadline: it may take 1s");
}

#[tokio::test]
async fn a_megabyte_of_error_text_is_cut() {
    let config = json!({ "misdeed": "huge-error", "count": 1 << 20 });
    let (stage, outcome) = done(&hostile().await, limits(), config).await;
    let Err(CallError::Failed(Failure::Other(text))) = outcome else { panic!("{outcome:?}") };
    assert!(text.len() <= 4096, "{}", text.len());
    let [(call, PluginFailureKind::Failed, told)] = &stage.failures()[..] else { panic!("not told once") };
    assert!(call == "run" && told.len() <= 4096);
}

#[tokio::test]
async fn more_data_than_allowed_is_named() {
    let limits = Limits { host_call_data: 1 << 20, ..limits() };
    let config = json!({ "misdeed": "huge-error", "count": 2 << 20 });
    let (_, outcome) = done(&hostile().await, limits, config).await;
    insta::assert_snapshot!(
        outcome.expect_err("too much"),
        @"handed over too much data: one call may hand over 1.0 MiB"
    );
}

#[tokio::test]
async fn a_flood_of_log_lines_is_counted() {
    let (stage, outcome) =
        done(&hostile().await, limits(), json!({ "misdeed": "flood-log", "count": 20_000 })).await;
    outcome.expect("a flood is no failure");
    let lines = stage.told().iter().filter(|fact| matches!(fact, Fact::PluginLog { .. })).count();
    assert!((100..2_000).contains(&lines), "{lines}");
}

#[tokio::test]
async fn who_hoards_answers_is_refused() {
    let config = json!({ "misdeed": "hoard-responses", "count": 1000 });
    let (_, outcome) = done(&hostile().await, limits(), config).await;
    insta::assert_snapshot!(
        outcome.expect_err("refused"),
        @"invalid: request invalid: 128 answers with 1.9 KiB are held; drop some first"
    );
}

#[tokio::test]
async fn who_sends_elsewhere_is_denied() {
    let config = json!({ "misdeed": "send-elsewhere", "url": "http://evil.example/x" });
    let (_, outcome) = done(&hostile().await, limits(), config).await;
    insta::assert_snapshot!(
        outcome.expect_err("denied"),
        @r#"denied: request denied: plugin 'hostile' may not send requests to 'evil.example'; add to [plugins.hostile]: grants = { http = ["evil.example"] }"#
    );
}

/// A handshake with oneself: certificates, key exchange, signatures, all on this very stack.
fn shake_hands() {
    use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};
    let signed = rcgen::generate_simple_self_signed(["target.test".to_owned()]).expect("a certificate");
    let certificate = signed.cert.der().clone();
    let key = rustls::pki_types::PrivateKeyDer::try_from(signed.signing_key.serialize_der()).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .expect("a server");
    let mut roots = RootCertStore::empty();
    roots.add(certificate).expect("a root");
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = "target.test".try_into().expect("a name");
    let mut client = ClientConnection::new(Arc::new(client), name).expect("a client");
    let mut server = ServerConnection::new(Arc::new(server)).expect("a server");
    while client.is_handshaking() || server.is_handshaking() {
        let mut wire = Vec::new();
        client.write_tls(&mut wire).expect("writes");
        server.read_tls(&mut wire.as_slice()).expect("reads");
        server.process_new_packets().expect("understands");
        wire.clear();
        server.write_tls(&mut wire).expect("writes");
        client.read_tls(&mut wire.as_slice()).expect("reads");
        client.process_new_packets().expect("understands");
    }
}

/// Whatever depth a guest has reached, a host call has stack enough for a TLS handshake; the guest's
/// own end is a trap that is named, and never the end of the process.
#[tokio::test]
async fn host_calls_have_stack_enough_at_any_depth() {
    let plugin = hostile().await;
    let stage = Stage::new(plugin.plugin(), limits(), Grants::default());
    let (mut deepest, mut exhausted) = (0, 0);
    for depth in (0..4_000).step_by(100) {
        let config = json!({ "misdeed": "recurse-then-send", "depth": depth });
        let mut browser = Echo::new(Arc::default());
        browser.before = shake_hands;
        let mut user = started(&plugin, &stage, config, browser).await.expect("starts");
        match user.run(0).await {
            Ok(()) => deepest = depth,
            Err(CallError::Broken { kind: PluginFailureKind::StackExhausted, .. }) => exhausted += 1,
            Err(other) => panic!("at depth {depth}: {other}"),
        }
    }
    assert!(deepest >= 1_000, "only to {deepest}");
    assert!(exhausted > 0, "the engine's stack never ended");
}

#[tokio::test]
async fn many_users_that_loop_do_not_stop_one_that_works() {
    let plugin = hostile().await;
    // They share one thread, and each is counted only while it computes.
    let limits = Limits { call_timeout: std::time::Duration::from_secs(60), ..limits() };
    let stage = Stage::new(plugin.plugin(), limits, Grants::default());
    let mut loopers = Vec::new();
    for _ in 0..10 {
        let config = json!({ "misdeed": "loop" });
        let mut user = started(&plugin, &stage, config, Echo::new(Arc::default())).await.expect("starts");
        loopers.push(tokio::spawn(async move { user.run(0).await }));
    }
    let mut good = started(&plugin, &stage, json!({}), Echo::new(Arc::default())).await.expect("starts");
    for _ in 0..20 {
        good.run(0).await.expect("works");
        tokio::task::yield_now().await;
    }
    for looper in loopers {
        let outcome = looper.await.expect("the task ends");
        assert!(
            matches!(outcome, Err(CallError::Broken { kind: PluginFailureKind::Looped, .. })),
            "{outcome:?}"
        );
    }
    let total: u64 = stage
        .told()
        .iter()
        .filter_map(|fact| match fact {
            Fact::PluginFailed { count, .. } => Some(*count),
            _ => None,
        })
        .sum();
    assert!((1..=10).contains(&total), "{total}");
}
