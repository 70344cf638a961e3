//! The client against servers, good and bad.

use std::{collections::BTreeMap, io::Write, time::Instant};

use assay_bindings::behavior::exports::assay::plugin::behavior::{Plan, Task};
use flate2::{Compression, write::GzEncoder};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

mod connections;
mod failures;
mod http2;
mod http2_server;
mod memory;
mod tls;

use crate::{
    config::{HttpConfig, HttpVersion},
    load::{
        recorder::{Recording, Threads},
        scope::Tasks,
        test_server::{Act, Got, TestServer, answer},
    },
    observe::{Fact, Stream, Subscription},
};

/// A client and everything that it recorded.
struct Bench {
    client: Client,
    recording: Recording,
    told: Subscription,
    clock: Clock,
}

impl Bench {
    fn new(base: &str) -> Self {
        Self::with(base, |options| options)
    }

    fn with(base: &str, change: impl FnOnce(ClientOptions) -> ClientOptions) -> Self {
        let clock = Clock::start();
        let stream = Stream::new(clock);
        let told = stream.subscribe();
        let recorder = Arc::new(Recorder::new(stream, Threads::default()));
        let recording = recorder.start().expect("a thread");
        let task = Task { name: "browse".into(), group: "catalogue".into(), weight: 1, writes: false };
        let plan = Plan { tasks: vec![task], groups: Vec::new() };
        let scope = Arc::new(Scope::new(Arc::new(Tasks::new(recorder, "visitor", &plan))));
        let options = change(ClientOptions {
            clock,
            base_url: base.parse().expect("a URL"),
            granted: Arc::new(|_| Ok(())),
            policy: Policy::new(&HttpConfig::default()).expect("the usual roots"),
            routes: Routes::default(),
            body_limit: 1 << 20,
        });
        Self { client: Client::recorded(Arc::new(options), scope), recording, told, clock }
    }

    /// With an `[http]` of its own.
    fn speaking(base: &str, http: HttpConfig) -> Self {
        let policy = Policy::new(&http).expect("a right config");
        Self::with(base, |options| ClientOptions { policy, ..options })
    }

    async fn send(&mut self, request: wit::Request) -> Result<Response, wit::Error> {
        let deadline = self.clock.now() + 60_000_000_000;
        self.client.send(request, deadline).await
    }

    async fn visit(&mut self, request: wit::Request) -> Result<wit::Visited, wit::Error> {
        let deadline = self.clock.now() + 60_000_000_000;
        self.client.visit(request, deadline).await
    }

    async fn get(&mut self, url: &str) -> Result<Response, wit::Error> {
        self.send(request(wit::Method::Get, url)).await
    }

    /// What was recorded: by name, successes and failures by class.
    async fn finish(mut self) -> BTreeMap<String, (u64, BTreeMap<ErrorClass, u64>)> {
        drop(self.client);
        self.recording.finish().await;
        let mut names = BTreeMap::new();
        let mut rows: BTreeMap<String, (u64, BTreeMap<ErrorClass, u64>)> = BTreeMap::new();
        while let Ok(event) = self.told.try_recv() {
            match &event.fact {
                Fact::Endpoint { index, endpoint } => {
                    names.insert(*index, endpoint.name.clone());
                }
                Fact::Interval(interval) => {
                    for endpoint in &interval.endpoints {
                        let row = rows.entry(names[&endpoint.endpoint].clone()).or_default();
                        row.0 += endpoint.successes;
                        for (class, count) in &endpoint.failures {
                            *row.1.entry(*class).or_default() += count;
                        }
                    }
                }
                _ => {}
            }
        }
        rows
    }
}

fn request(method: wit::Method, url: &str) -> wit::Request {
    wit::Request {
        method,
        url: url.to_owned(),
        headers: Vec::new(),
        body: wit::Body::Empty,
        name: None,
        expect: None,
        connect_timeout: None,
        timeout: None,
        redirects: None,
    }
}

fn successes(count: u64) -> (u64, BTreeMap<ErrorClass, u64>) {
    (count, BTreeMap::new())
}

fn failure(class: ErrorClass) -> (u64, BTreeMap<ErrorClass, u64>) {
    (0, BTreeMap::from([(class, 1)]))
}

fn name(error: &wit::Error) -> &'static str {
    match error {
        wit::Error::Denied(_) => "denied",
        wit::Error::Invalid(_) => "invalid",
        wit::Error::NameResolution(_) => "name-resolution",
        wit::Error::Refused(_) => "refused",
        wit::Error::Reset(_) => "reset",
        wit::Error::ConnectTimeout(_) => "connect-timeout",
        wit::Error::Timeout(_) => "timeout",
        wit::Error::Tls(_) => "tls",
        wit::Error::Protocol(_) => "protocol",
    }
}

#[tokio::test]
async fn a_request_goes_out_as_a_browsers() {
    let server = TestServer::start(|_| Act::Answer(answer(200, "x-kind: plain\r\n", "hello"))).await;
    let mut bench = Bench::new(&server.url());
    bench.client.set_cookie("theme", "dark");
    let request = wit::Request {
        body: wit::Body::Form(vec![("name".into(), "a b".into())]),
        headers: vec![("x-twice".into(), "1".into()), ("x-twice".into(), "2".into())],
        ..request(wit::Method::Post, "/items/?page=2#top")
    };
    let response = bench.send(request).await.expect("an answer");
    assert_eq!((response.status, response.body.as_slice()), (200, &b"hello"[..]));
    assert_eq!(response.url, format!("{}/items/?page=2", server.url()));
    assert_eq!(response.headers.get("x-kind"), Some(&b"plain"[..]));
    assert!(response.service_time > 0);
    let got = &server.got()[0];
    insta::with_settings!({ filters => [(r"127\.0\.0\.1:\d+", "ADDRESS"), (r"assay/\S+", "assay/VERSION")] }, {
        insta::assert_snapshot!(format!("{}\n{}\n\n{}", got.line, got.headers, String::from_utf8_lossy(&got.body)));
    });
    assert_eq!(bench.finish().await, BTreeMap::from([("POST /items/".to_owned(), successes(1))]));
}

#[tokio::test]
async fn signing_in_follows_the_redirect_with_its_cookie() {
    let server = TestServer::start(|got| match got.line.as_str() {
        "POST /login" => Act::Answer(answer(302, "location: /home\r\nset-cookie: sid=7; Path=/\r\n", "")),
        "PUT /moved" => Act::Answer(answer(307, "location: /here\r\n", "")),
        "GET /loop" => Act::Answer(answer(302, "location: /loop\r\n", "")),
        "GET /away" => Act::Answer(answer(302, "location: http://elsewhere.test/\r\n", "")),
        "GET /home" if !got.headers.contains("cookie: sid=7") => Act::Answer(answer(401, "", "")),
        _ => Act::Answer(answer(200, "", "welcome")),
    })
    .await;
    let mut bench = Bench::with(&server.url(), |options| ClientOptions {
        granted: Arc::new(|url| match url.host_str() {
            Some("elsewhere.test") => Err("not granted".to_owned()),
            _ => Ok(()),
        }),
        ..options
    });
    let login = wit::Request {
        body: wit::Body::Form(vec![("user".into(), "ann".into())]),
        ..request(wit::Method::Post, "/login")
    };
    let response = bench.send(login).await.expect("an answer");
    assert_eq!((response.status, response.url.ends_with("/home")), (200, true));
    assert_eq!(bench.client.cookie("sid").as_deref(), Some("7"));
    let home: &Got = &server.got()[1];
    assert!(home.body.is_empty() && !home.headers.contains("content-type"));

    let moved = wit::Request {
        body: wit::Body::Text("kept".into()),
        name: Some("move".into()),
        ..request(wit::Method::Put, "/moved")
    };
    bench.send(moved).await.expect("an answer");
    assert_eq!(server.got()[3].body, b"kept");
    assert_eq!(bench.get("/loop").await.expect("the last hop").status, 302);
    assert_eq!(server.count("GET /loop"), 6);
    assert_eq!(name(&bench.get("/away").await.expect_err("not granted")), "denied");

    let rows = bench.finish().await;
    let expected = [
        ("POST /login", 1),
        ("GET /home", 1),
        ("move", 1),
        ("move (redirected)", 1),
        ("GET /loop", 6),
        ("GET /away", 1),
    ];
    assert_eq!(rows, expected.map(|(name, count)| (name.to_owned(), successes(count))).into());
}

#[tokio::test]
async fn packed_answers_are_unpacked() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all("gold ".repeat(100).as_bytes()).expect("to memory");
    let packed = encoder.finish().expect("to memory");
    let server =
        TestServer::start(move |_| Act::Answer(answer(200, "content-encoding: gzip\r\n", &packed))).await;
    let mut bench = Bench::new(&server.url());
    assert_eq!(bench.get("/").await.expect("an answer").body, "gold ".repeat(100).as_bytes());
}

#[tokio::test]
async fn an_answer_is_judged_by_what_was_expected_and_by_the_plugin() {
    let server = TestServer::start(|got| {
        Act::Answer(answer(if got.line == "GET /broken" { 503 } else { 200 }, "", "welcome"))
    })
    .await;
    let mut bench = Bench::new(&server.url());
    let expecting = |path: &str, status, contains: Option<&str>| wit::Request {
        expect: Some(wit::Expectation { status, body_contains: contains.map(str::to_owned) }),
        ..request(wit::Method::Get, path)
    };
    bench.get("/broken").await.expect("an answer all the same");
    bench.send(expecting("/broken-as-expected", (200, 200), Some("come"))).await.expect("an answer");
    bench.send(expecting("/other", (200, 299), Some("goodbye"))).await.expect("an answer");
    let checked = bench.get("/checked").await.expect("an answer");
    let dropped = bench.get("/dropped").await.expect("an answer");
    let sample = checked.sample.expect("it is recorded");
    bench.client.fail(sample, "no price on the page");
    bench.client.fail(sample, "and again");
    bench.client.commit(sample);
    bench.client.commit(sample);
    bench.client.commit(dropped.sample.expect("it is recorded"));
    bench.client.fail(dropped.sample.expect("it is recorded"), "too late");
    let rows = bench.finish().await;
    assert_eq!(rows["GET /broken"], failure(ErrorClass::Expectation));
    assert_eq!(rows["GET /broken-as-expected"], successes(1));
    assert_eq!(rows["GET /other"], failure(ErrorClass::Expectation));
    assert_eq!(rows["GET /checked"], failure(ErrorClass::Check));
    assert_eq!(rows["GET /dropped"], successes(1));
}

#[tokio::test]
async fn of_a_visit_only_the_outcome_is_left() {
    let server = TestServer::start(|got| match got.line.as_str() {
        "GET /moved" => Act::Answer(answer(302, "location: /\r\n", "")),
        "GET /broken" => Act::Answer(answer(503, "", "sorry")),
        "GET /reset" => Act::Reset(b""),
        _ => Act::Answer(answer(200, "", "welcome")),
    })
    .await;
    let mut bench = Bench::new(&server.url());
    let asking = |path: &str, contains: Option<&str>| wit::Request {
        expect: contains
            .map(|text| wit::Expectation { status: (200, 299), body_contains: Some(text.to_owned()) }),
        ..request(wit::Method::Get, path)
    };
    let mut left = Vec::new();
    for asked in [asking("/moved", Some("come")), asking("/other", Some("goodbye")), asking("/broken", None)]
    {
        let visited = bench.visit(asked).await.expect("an answer");
        left.push((visited.status, visited.expected));
    }
    assert_eq!(left, [(200, true), (200, false), (503, false)]);
    bench.visit(asking("/reset", None)).await.expect_err("no answer");
    // Nothing is held back: what was visited is recorded without any commit.
    assert!(bench.client.state().held.is_empty());
    let rows = bench.finish().await;
    assert_eq!(rows["GET /moved"], successes(1));
    assert_eq!(rows["GET /"], successes(1));
    assert_eq!(rows["GET /other"], failure(ErrorClass::Expectation));
    assert_eq!(rows["GET /broken"], failure(ErrorClass::Expectation));
    assert_eq!(rows["GET /reset"], failure(ErrorClass::Reset));
}

#[tokio::test]
async fn a_client_without_a_scope_records_nothing() {
    let server = TestServer::start(|_| Act::Answer(answer(200, "", "x"))).await;
    let options = ClientOptions {
        clock: Clock::start(),
        base_url: server.url().parse().expect("a URL"),
        granted: Arc::new(|_| Ok(())),
        policy: Policy::new(&HttpConfig::default()).expect("the usual roots"),
        routes: Routes::default(),
        body_limit: 1 << 20,
    };
    let mut client = Client::silent(Arc::new(options));
    let response = client.send(request(wit::Method::Get, "/"), u64::MAX).await.expect("an answer");
    assert_eq!((response.status, response.sample), (200, None));
}
