use std::{collections::BTreeMap, io::Write, time::Instant};

use assay_bindings::behavior::exports::assay::plugin::behavior::{Plan, Task};
use flate2::{Compression, write::GzEncoder};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::{
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
            tls: trust(None).expect("the usual roots"),
            body_limit: 1 << 20,
        });
        Self { client: Client::recorded(Arc::new(options), scope), recording, told, clock }
    }

    async fn send(&mut self, request: wit::Request) -> Result<Response, wit::Error> {
        let deadline = self.clock.now() + 60_000_000_000;
        self.client.send(request, deadline).await
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
    assert!(response.headers.contains(&("x-kind".to_owned(), b"plain".to_vec())));
    assert!(response.service_time > 0);
    let got = &server.got()[0];
    insta::with_settings!({ filters => [(r"127\.0\.0\.1:\d+", "ADDRESS"), (r"assay/\S+", "assay/VERSION")] }, {
        insta::assert_snapshot!(format!("{}\n{}\n\n{}", got.line, got.headers, String::from_utf8_lossy(&got.body)));
    });
    assert_eq!(bench.finish().await, BTreeMap::from([("POST /items/".to_owned(), successes(1))]));
}

#[tokio::test]
async fn connections_are_kept() {
    let server = TestServer::start(|got| {
        let headers = if got.line == "GET /bye" { "connection: close\r\n" } else { "" };
        Act::Answer(answer(200, headers, "x"))
    })
    .await;
    let mut bench = Bench::new(&server.url());
    for path in ["/a", "/b", "/bye", "/c"] {
        bench.get(path).await.expect("an answer");
    }
    assert_eq!(server.got().iter().map(|got| got.connection).collect::<Vec<_>>(), [0, 0, 0, 1]);
    bench.client.reset();
    bench.get("/d").await.expect("an answer");
    assert_eq!(server.got()[4].connection, 2);
}

#[tokio::test]
async fn a_connection_closed_while_idle_is_replaced() {
    let server = TestServer::start(|_| Act::AnswerAndClose(answer(200, "", "x"))).await;
    let mut bench = Bench::new(&server.url());
    for _ in 0..5 {
        bench.send(request(wit::Method::Post, "/")).await.expect("an answer");
    }
    assert_eq!(server.got().len(), 5, "nothing was sent twice");
    assert_eq!(bench.finish().await, BTreeMap::from([("POST /".to_owned(), successes(5))]));
}

#[tokio::test]
async fn a_kept_connection_that_dies_unanswered_costs_only_what_must_not_be_repeated() {
    // Every connection answers once and hangs up on the second request, unanswered.
    let server = TestServer::start(|got| match got.line.as_str() {
        "GET /first" => Act::Answer(answer(200, "", "x")),
        _ if got.connection % 2 == 0 => Act::AnswerAndClose(Vec::new()),
        _ => Act::Answer(answer(200, "connection: close\r\n", "x")),
    })
    .await;
    let mut bench = Bench::new(&server.url());
    bench.get("/first").await.expect("an answer");
    bench.get("/again").await.expect("a repeated request");
    assert_eq!(server.count("GET /again"), 2);

    bench.get("/first").await.expect("an answer");
    let error = bench.send(request(wit::Method::Post, "/once")).await.expect_err("not repeated");
    assert_eq!(name(&error), "reset");
    assert_eq!(server.count("POST /once"), 1);
    let rows = bench.finish().await;
    assert_eq!(rows["GET /again"], successes(1));
    assert_eq!(rows["POST /once"], failure(ErrorClass::Reset));
}

#[tokio::test]
async fn every_bad_peer_has_its_class() {
    let server = TestServer::start(|got| match got.line.as_str() {
        "GET /garbage" => Act::AnswerAndClose(b"220 smtp.test ESMTP ready\r\n".to_vec()),
        "GET /binary" => Act::Endless(b"\x16\x03\x01\x00\xff", &[0xff; 512]),
        "GET /nothing" => Act::AnswerAndClose(Vec::new()),
        "GET /half-head" => Act::AnswerAndClose(b"HTTP/1.1 200 OK\r\ncontent-le".to_vec()),
        "GET /mid-body" => Act::AnswerAndClose(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf".to_vec()),
        "GET /mid-chunk" => {
            Act::AnswerAndClose(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhal".to_vec())
        }
        "GET /bad-chunk" => {
            Act::Answer(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nhalf".to_vec())
        }
        "GET /bad-length" => Act::Answer(b"HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n".to_vec()),
        "GET /bad-gzip" => Act::Answer(answer(200, "content-encoding: gzip\r\n", "not gzip")),
        "GET /endless-head" => {
            Act::Endless(b"HTTP/1.1 200 OK\r\n", b"x-more: and more and more and more\r\n")
        }
        "GET /endless-value" => Act::Endless(b"HTTP/1.1 200 OK\r\nx-more: ", &[b'x'; 1024]),
        "GET /endless-body" => Act::Endless(b"HTTP/1.1 200 OK\r\n\r\n", &[b'x'; 4096]),
        "GET /long-body" => Act::Answer(answer(200, "", vec![b'x'; (1 << 20) + 1])),
        "GET /announced" => Act::Answer(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n".to_vec()),
        "GET /endless-hints" => Act::Endless(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
        _ => Act::Hang,
    })
    .await;
    let mut bench = Bench::new(&server.url());
    let mut classes = Vec::new();
    for path in [
        "garbage",
        "binary",
        "nothing",
        "half-head",
        "mid-body",
        "mid-chunk",
        "bad-chunk",
        "bad-length",
        "bad-gzip",
        "endless-head",
        "endless-value",
        "endless-body",
        "long-body",
        "announced",
        "endless-hints",
        "hang",
    ] {
        let request =
            wit::Request { timeout: Some(700_000_000), ..request(wit::Method::Get, &format!("/{path}")) };
        let error = bench.send(request).await.expect_err("no answer");
        classes.push(format!("{path}: {error:?}"));
    }
    insta::with_settings!({ filters => [(r"127\.0\.0\.1:\d+", "ADDRESS"), (r"after [\d.]+ms", "after TIME")] }, {
        insta::assert_snapshot!(classes.join("\n"));
    });
    let rows = bench.finish().await;
    assert_eq!(rows.len(), 16);
    assert!(
        rows.values().all(|(successes, failures)| *successes == 0 && failures.values().sum::<u64>() == 1)
    );
}

#[tokio::test]
async fn connections_that_do_not_come_about_have_their_class() {
    let closed = TestServer::start(|_| Act::Hang).await;
    let address = closed.address;
    drop(closed);
    // What a server without TLS says to a handshake.
    let plain = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port on loopback");
    let plain_address = plain.local_addr().expect("it is bound");
    let speaker = tokio::spawn(async move {
        let (mut stream, _) = plain.accept().await.expect("the client connects");
        let _ = stream.write_all(&answer(400, "", "what?")).await;
        // Until the client hangs up, so that what was said is not lost.
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
    // A queue of one that nobody accepts from: what comes after is not answered at all.
    let full = tokio::net::TcpSocket::new_v4().expect("a socket");
    full.bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
    let full = full.listen(1).expect("it listens");
    let full_address = full.local_addr().expect("it is bound");
    let mut filling = Vec::new();
    while let Ok(Ok(stream)) =
        tokio::time::timeout(Duration::from_millis(200), tokio::net::TcpStream::connect(full_address)).await
    {
        filling.push(stream);
    }

    let mut bench = Bench::new("http://127.0.0.1:9");
    let mut classes = Vec::new();
    for url in [
        format!("http://{address}/closed"),
        format!("http://{}/unknown", "a".repeat(70)),
        format!("https://{plain_address}/plain"),
        format!("http://{full_address}/full"),
    ] {
        let request = wit::Request { connect_timeout: Some(300_000_000), ..request(wit::Method::Get, &url) };
        classes.push(name(&bench.send(request).await.expect_err("no answer")));
    }
    speaker.abort();
    assert_eq!(classes, ["refused", "name-resolution", "tls", "connect-timeout"]);
    let rows = bench.finish().await;
    assert_eq!(rows["GET /closed"], failure(ErrorClass::Refused));
    assert_eq!(rows["GET /unknown"], failure(ErrorClass::NameResolution));
    assert_eq!(rows["GET /plain"], failure(ErrorClass::Tls));
    assert_eq!(rows["GET /full"], failure(ErrorClass::ConnectTimeout));
}

#[tokio::test]
async fn an_export_whose_deadline_comes_first_times_out() {
    let server = TestServer::start(|_| Act::Hang).await;
    let mut bench = Bench::new(&server.url());
    let begin = Instant::now();
    let deadline = bench.clock.now() + 100_000_000;
    let error = bench.client.send(request(wit::Method::Get, "/"), deadline).await.expect_err("no answer");
    assert_eq!(name(&error), "timeout");
    assert!(begin.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn tls_with_an_authority_of_ones_own() {
    let authority = include_bytes!("fixtures/authority.pem");
    let certificate = CertificateDer::from_pem_slice(include_bytes!("fixtures/server.pem")).expect("PEM");
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("fixtures/server-key.pem")).expect("PEM");
    let config =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the usual versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .expect("they belong together");
    let server = TestServer::start_tls(TlsAcceptor::from(Arc::new(config)), |_| {
        Act::Answer(answer(200, "", "secret"))
    })
    .await;
    let base = format!("https://localhost:{}", server.address.port());
    let mut trusting =
        Bench::with(&base, |options| ClientOptions { tls: trust(Some(authority)).expect("PEM"), ..options });
    assert_eq!(trusting.get("/").await.expect("an answer").body, b"secret");
    assert_eq!(trusting.get("/").await.expect("an answer").body, b"secret");
    assert_eq!(server.got()[1].connection, 0);

    let mut wary = Bench::new(&base);
    let error = wary.get("/").await.expect_err("an unknown authority");
    assert_eq!(name(&error), "tls");
    assert!(trust(Some(b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n")).is_err());
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
async fn several_at_once_use_so_many_connections_and_answer_in_order() {
    let server = TestServer::start(|got| {
        let slow = got.line == "GET /0";
        let pause = Duration::from_millis(if slow { 120 } else { 20 });
        Act::After(pause, answer(200, "", got.line.trim_start_matches("GET /")))
    })
    .await;
    let mut bench = Bench::new(&server.url());
    let requests =
        |count: usize| (0..count).map(|number| request(wit::Method::Get, &format!("/{number}"))).collect();
    let deadline = bench.clock.now() + 60_000_000_000;
    let answers = bench.client.send_all(requests(9), 3, deadline).await;
    let bodies: Vec<_> = answers.into_iter().map(|answer| answer.expect("an answer").body).collect();
    assert_eq!(bodies, (0..9).map(|number| number.to_string().into_bytes()).collect::<Vec<_>>());
    let connections: std::collections::BTreeSet<_> = server.got().iter().map(|got| got.connection).collect();
    assert_eq!(connections.len(), 3);

    for (count, connections) in [(65, 1), (1, 0), (1, 17)] {
        let refused = bench.client.send_all(requests(count), connections, deadline).await;
        assert_eq!(refused.len(), count);
        assert!(refused.iter().all(|answer| matches!(answer, Err(wit::Error::Invalid(_)))));
    }
    assert_eq!(server.got().len(), 9);
}

#[tokio::test]
async fn a_client_without_a_scope_records_nothing() {
    let server = TestServer::start(|_| Act::Answer(answer(200, "", "x"))).await;
    let options = ClientOptions {
        clock: Clock::start(),
        base_url: server.url().parse().expect("a URL"),
        granted: Arc::new(|_| Ok(())),
        tls: trust(None).expect("the usual roots"),
        body_limit: 1 << 20,
    };
    let mut client = Client::silent(Arc::new(options));
    let response = client.send(request(wit::Method::Get, "/"), u64::MAX).await.expect("an answer");
    assert_eq!((response.status, response.sample), (200, None));
}
