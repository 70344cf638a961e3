//! Memory stays bounded whatever the targets do.

use std::process::Command;

use futures::future::join_all;

use super::*;

const USERS: usize = 50;
const ROUNDS: usize = 2;
const BODY_LIMIT: u64 = 256 << 10;

/// By how much the process may grow: for each user two bodies (packed and unpacked, or one that is
/// being copied because it grew), what is buffered of a connection, and as much again for the
/// servers, who are in the same process.
const GROWTH_KIB: u64 = USERS as u64 * ((2 * BODY_LIMIT + (128 << 10)) >> 10) * 2;

/// A bomb: 64 MiB of zeros, packed.
fn bomb() -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    for _ in 0..64 {
        encoder.write_all(&[0; 1 << 20]).expect("to memory");
    }
    encoder.finish().expect("to memory")
}

fn memory_kib(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("this is Linux");
    let line = status.lines().find_map(|line| line.strip_prefix(name)).expect(name);
    line.trim_start_matches(':').trim().trim_end_matches(" kB").parse().expect("a number")
}

/// In a process of its own, because the peak is the process'.
#[test]
fn hostile_targets_cost_no_memory() {
    let own = std::env::current_exe().expect("this test");
    let inner = "load::client::tests::memory::hostile_exchanges";
    let output =
        Command::new(own).args([inner, "--exact", "--ignored", "--nocapture"]).output().expect("it starts");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[tokio::test]
#[ignore = "hostile_targets_cost_no_memory runs it in a process of its own"]
async fn hostile_exchanges() {
    let bomb = bomb();
    assert!(bomb.len() < BODY_LIMIT as usize, "a bomb is small");
    let server = TestServer::start(move |got| match got.line.as_str() {
        "GET /endless-head" => {
            Act::Endless(b"HTTP/1.1 200 OK\r\n", b"x-more: and more and more and more\r\n")
        }
        "GET /endless-value" => Act::Endless(b"HTTP/1.1 200 OK\r\nx-more: ", &[b'x'; 4096]),
        "GET /endless-body" => Act::Endless(b"HTTP/1.1 200 OK\r\n\r\n", &[b'x'; 16384]),
        "GET /endless-chunk" => {
            Act::Endless(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffff\r\n", &[b'x'; 16384])
        }
        "GET /endless-trailers" => Act::Endless(
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n",
            b"x-more: and more and more and more\r\n",
        ),
        "GET /endless-extension" => {
            Act::Endless(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5;", &[b'x'; 4096])
        }
        "GET /bomb" => Act::Answer(answer(200, "content-encoding: gzip\r\n", &bomb)),
        "GET /endless-hints" => Act::Endless(b"", b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n"),
        // What clients that speak HTTP/2 begin with.
        _ => Act::Endless(
            &[0, 0, 0, 4, 0, 0, 0, 0, 0],
            &[
                0, 0, 5, 1, 4, 0, 0, 0, 1, 8, 3, b'1', b'0', b'3', 0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5,
                6, 7, 8,
            ],
        ),
    })
    .await;
    let kinds = [
        "/endless-head",
        "/endless-value",
        "/endless-body",
        "/endless-chunk",
        "/endless-trailers",
        "/endless-extension",
        "/bomb",
        "/endless-hints",
        "HTTP/2",
    ];
    let options = |version| {
        let policy = Policy::new(&HttpConfig { version, ..HttpConfig::default() }).expect("right");
        Arc::new(ClientOptions {
            clock: Clock::start(),
            base_url: server.url().parse().expect("a URL"),
            granted: Arc::new(|_| Ok(())),
            policy,
            routes: Routes::default(),
            body_limit: BODY_LIMIT,
        })
    };
    let (http1, http2) = (options(HttpVersion::Auto), options(HttpVersion::Http2));
    let exchange = |kind: &'static str| {
        let (options, path) = if kind == "HTTP/2" { (&http2, "/") } else { (&http1, kind) };
        let mut client = Client::silent(options.clone());
        let request = wit::Request { timeout: Some(300_000_000), ..request(wit::Method::Get, path) };
        async move {
            let error = client.send(request, u64::MAX).await.expect_err(kind);
            assert!(matches!(name(&error), "protocol" | "timeout"), "{kind}: {error:?}");
            client
        }
    };
    // What one of each leaves behind is no growth: threads, caches, the server.
    join_all(kinds.map(exchange)).await;
    let before = memory_kib("VmRSS");
    // All users stay until the end, so that what they keep counts as well.
    let mut users = Vec::new();
    for kind in kinds.iter().cycle().take(kinds.len() * ROUNDS) {
        users.extend(join_all((0..USERS).map(|_| exchange(kind))).await);
    }
    let growth = memory_kib("VmHWM").saturating_sub(before);
    println!("{} exchanges: from {before} KiB, at most {growth} KiB more", users.len());
    assert!(growth < GROWTH_KIB, "{growth} KiB more, {GROWTH_KIB} are allowed");
}
