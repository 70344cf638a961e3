//! HTTP/2 against a real server.

use std::collections::BTreeSet;

use h2::Reason;
use http::Response as Answered;

use super::{
    http2_server::{Http2Server, Reply, reply},
    *,
};

fn spoken() -> HttpConfig {
    HttpConfig { version: HttpVersion::Http2, ..HttpConfig::default() }
}

fn bench(server: &Http2Server) -> Bench {
    Bench::speaking(&server.url(), spoken())
}

#[tokio::test]
async fn a_request_goes_out_whole_and_over_one_connection() {
    let server = Http2Server::start(None, |_| {
        let mut answer = Answered::new(b"hello".to_vec());
        answer.headers_mut().insert("set-cookie", HeaderValue::from_static("sid=7; Path=/"));
        Reply::Answer(answer)
    })
    .await;
    let mut bench = bench(&server);
    let request = wit::Request {
        body: wit::Body::Form(vec![("name".into(), "a b".into())]),
        headers: vec![("x-own".into(), "1".into()), ("connection".into(), "close".into())],
        ..request(wit::Method::Post, "/items/?page=2#top")
    };
    let response = bench.send(request).await.expect("an answer");
    assert_eq!((response.status, response.body.as_slice()), (200, &b"hello"[..]));
    bench.get("/again").await.expect("an answer");

    let asked = server.asked();
    assert_eq!(asked.iter().map(|asked| asked.connection).collect::<Vec<_>>(), [0, 0]);
    assert_eq!(asked[0].head.uri().to_string(), format!("{}/items/?page=2", server.url()));
    assert_eq!((asked[0].head.method().as_str(), asked[0].body.as_slice()), ("POST", &b"name=a+b"[..]));
    let sent = asked[0].head.headers();
    assert_eq!((sent["x-own"].as_bytes(), sent["content-length"].as_bytes()), (&b"1"[..], &b"8"[..]));
    assert!(!sent.contains_key("host") && !sent.contains_key("connection"));
    assert_eq!(asked[1].head.headers()["cookie"], "sid=7");
    let rows = bench.finish().await;
    assert_eq!(rows["POST /items/"], successes(1));
    assert_eq!(rows["GET /again"], successes(1));
}

#[tokio::test]
async fn several_at_once_share_one_connection() {
    let server = Http2Server::start(None, |asked| {
        let slow = asked.path() == "/0";
        let pause = Duration::from_millis(if slow { 120 } else { 20 });
        Reply::After(pause, Answered::new(asked.path().trim_start_matches('/').into()))
    })
    .await;
    let mut bench = bench(&server);
    let requests = (0..20).map(|number| request(wit::Method::Get, &format!("/{number}"))).collect();
    let answers = bench.client.send_all(requests, 6, u64::MAX).await;
    let bodies: Vec<_> = answers.into_iter().map(|answer| answer.expect("an answer").body).collect();
    assert_eq!(bodies, (0..20).map(|number| number.to_string().into_bytes()).collect::<Vec<_>>());
    let connections: BTreeSet<_> = server.asked().iter().map(|asked| asked.connection).collect();
    assert_eq!(connections, BTreeSet::from([0]));
}

#[tokio::test]
async fn large_bodies_go_both_ways() {
    let server = Http2Server::start(None, |asked| reply(&asked.body)).await;
    let mut bench = bench(&server);
    let body: Vec<u8> = (0..1_000_000_u32).map(|number| number as u8).collect();
    let echoed = wit::Request { body: wit::Body::Bytes(body.clone()), ..request(wit::Method::Put, "/") };
    assert!(bench.send(echoed).await.expect("an answer").body == body);
}

#[tokio::test]
async fn a_connection_that_went_away_is_replaced() {
    let server = Http2Server::start(None, |asked| match asked.path() {
        "/leave" => Reply::AnswerAndLeave(Answered::new(b"bye".to_vec())),
        _ => reply("x"),
    })
    .await;
    let mut bench = bench(&server);
    for _ in 0..3 {
        bench.get("/leave").await.expect("an answer");
        bench.send(request(wit::Method::Post, "/after")).await.expect("an answer");
    }
    assert_eq!(server.connections("/after").len(), 3, "nothing was sent twice");
    let rows = bench.finish().await;
    assert_eq!((&rows["GET /leave"], &rows["POST /after"]), (&successes(3), &successes(3)));
}

#[tokio::test]
async fn what_died_on_a_kept_connection_is_repeated_once_if_it_may_be() {
    for (method, path, tries, class) in [
        (wit::Method::Get, "/hangup", 2, None),
        (wit::Method::Post, "/hangup", 1, Some("reset")),
        (wit::Method::Get, "/refused", 2, None),
        // Refused is not acted on, so anything may be repeated.
        (wit::Method::Post, "/refused", 2, None),
        (wit::Method::Post, "/refused-always", 2, Some("reset")),
    ] {
        let server = Http2Server::start(None, |asked| match (asked.path(), asked.connection) {
            ("/first", _) => reply("x"),
            ("/hangup", 0) => Reply::Hangup,
            ("/refused", 0) | ("/refused-always", _) => Reply::Reset(Reason::REFUSED_STREAM),
            _ => reply("x"),
        })
        .await;
        let mut bench = bench(&server);
        bench.get("/first").await.expect("an answer");
        let answer = bench.send(request(method, path)).await;
        assert_eq!(answer.as_ref().err().map(name), class, "{method:?} {path}");
        assert_eq!(server.connections(path).len(), tries, "{method:?} {path}");
    }
}

#[tokio::test]
async fn bad_streams_have_their_class_and_leave_the_connection_alone() {
    let server = Http2Server::start(None, |asked| {
        let with = |name: &'static str, value: String, body: &[u8]| {
            let mut answer = Answered::new(body.to_vec());
            answer.headers_mut().insert(name, HeaderValue::from_str(&value).expect("a value"));
            Reply::Answer(answer)
        };
        match asked.path() {
            "/reset" => Reply::Reset(Reason::INTERNAL_ERROR),
            "/reset-mid-body" => Reply::ResetAfter(b"half"),
            "/endless-body" => Reply::Endless,
            "/long-body" => reply(vec![b'x'; (1 << 20) + 1]),
            "/announced" => with("content-length", "99999999999".to_owned(), b"x"),
            "/wrong-length" => with("content-length", "3".to_owned(), b"four"),
            "/large-head" => with("x-more", "x".repeat(70 << 10), b""),
            "/bad-gzip" => with("content-encoding", "gzip".to_owned(), b"not gzip"),
            "/hang" => Reply::Hang,
            _ => reply("fine"),
        }
    })
    .await;
    let mut bench = bench(&server);
    let mut classes = Vec::new();
    for path in [
        "reset",
        "reset-mid-body",
        "endless-body",
        "long-body",
        "announced",
        "wrong-length",
        "large-head",
        "bad-gzip",
        "hang",
    ] {
        bench.get("/fine").await.expect("an answer");
        let request =
            wit::Request { timeout: Some(400_000_000), ..request(wit::Method::Get, &format!("/{path}")) };
        let error = bench.send(request).await.expect_err(path);
        classes.push(format!("{path}: {error:?}"));
    }
    insta::with_settings!({ filters => [(r"127\.0\.0\.1:\d+", "ADDRESS"), (r"after [\d.]+ms", "after TIME")] }, {
        insta::assert_snapshot!(classes.join("\n"));
    });
    let used: BTreeSet<_> = server.connections("/fine").into_iter().collect();
    assert_eq!(used, BTreeSet::from([0]), "a bad stream costs no connection");
    // What was silent until the timeout is not trusted with the next request.
    bench.get("/fine").await.expect("an answer");
    assert_eq!(server.connections("/fine").last(), Some(&1));
}

#[tokio::test]
async fn peers_that_speak_no_http2_have_their_class() {
    // Opens with settings, as it should, and goes on with something else.
    const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
    const ENDLESS_HEAD: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 1, 0x88];
    const CONTINUATION: &[u8] = b"\0\0\x0b\x09\0\0\0\0\x01\0\x03x-m\x05aaaaa";
    const HINTS: &[u8] = &[0, 0, 5, 1, 4, 0, 0, 0, 1, 8, 3, b'1', b'0', b'3'];
    const PING: &[u8] = &[0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
    const NOTHING: &[u8] = &[0, 0, 0, 0, 0, 0, 0, 0, 1];
    const HEAD: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 1, 1, 4, 0, 0, 0, 1, 0x88];
    let mut classes = Vec::new();
    for (kind, first, rest) in [
        ("http1", b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n".as_slice(), b"".as_slice()),
        ("garbage", b"", &[0xff; 512]),
        ("half-settings", &SETTINGS[..5], b""),
        ("settings-only", SETTINGS, b""),
        ("endless-settings", SETTINGS, SETTINGS),
        ("endless-head", ENDLESS_HEAD, CONTINUATION),
        ("endless-hints", SETTINGS, HINTS),
        ("endless-pings", SETTINGS, PING),
        ("endless-nothing", HEAD, NOTHING),
    ] {
        let server = TestServer::start(move |_| match rest {
            b"" => Act::AnswerAndClose(first.to_vec()),
            rest => Act::Endless(first, rest),
        })
        .await;
        let mut bench = Bench::speaking(&server.url(), spoken());
        let request = wit::Request { timeout: Some(400_000_000), ..request(wit::Method::Get, "/") };
        let error = bench.send(request).await.expect_err(kind);
        classes.push(format!("{kind}: {error:?}"));
    }
    insta::with_settings!({ filters => [(r"127\.0\.0\.1:\d+", "ADDRESS"), (r"after [\d.]+ms", "after TIME")] }, {
        insta::assert_snapshot!(classes.join("\n"));
    });
}

#[tokio::test]
async fn every_byte_counts_once() {
    let server = Http2Server::start(None, |_| reply("x".repeat(1_000))).await;
    let bench = &mut bench(&server);
    let deadline = u64::MAX;
    let requests: Vec<_> = (0..10).map(|number| request(wit::Method::Get, &format!("/{number}"))).collect();
    let answers = bench.client.send_all(requests, 10, deadline).await;
    assert!(answers.iter().all(Result::is_ok));
    let held: Vec<_> = bench.client.state().held.iter().map(|(_, sample)| *sample).collect();
    let received: u64 = held.iter().map(|sample| sample.bytes_received).sum();
    // Ten bodies, each with a head and two frames around it, and settings once.
    assert!((10_000..12_000).contains(&received), "{received} bytes");
}
