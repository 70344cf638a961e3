//! Which connections are kept, and for how long.

use super::*;

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
async fn connections_are_kept_as_long_as_the_config_says() {
    let server = TestServer::start(|got| match got.line.as_str() {
        "GET /moved" => Act::Answer(answer(302, "location: /here\r\n", "")),
        _ => Act::Answer(answer(200, "", "x")),
    })
    .await;
    // Two tasks of two requests, the first of which is redirected.
    for (reuse, connections, closes) in [
        (ConnectionReuse::Always, vec![0, 0, 0, 0, 0, 0], false),
        (ConnectionReuse::WithinTask, vec![0, 0, 0, 1, 1, 1], false),
        (ConnectionReuse::Never, vec![0, 1, 2, 3, 4, 5], true),
    ] {
        let before = server.got().len();
        let mut bench = Bench::speaking(&server.url(), HttpConfig { reuse, ..HttpConfig::default() });
        for _ in 0..2 {
            bench.get("/moved").await.expect("an answer");
            bench.get("/here").await.expect("an answer");
            bench.client.commit_all();
        }
        let got = &server.got()[before..];
        let first = got[0].connection;
        let used: Vec<_> = got.iter().map(|got| got.connection - first).collect();
        assert_eq!(used, connections, "{reuse:?}");
        assert!(got.iter().all(|got| got.headers.contains("connection: close") == closes), "{reuse:?}");
    }
}

#[tokio::test]
async fn a_peer_may_answer_without_reading_the_whole_request() {
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    // Too little for the request's body to fit in.
    socket.set_recv_buffer_size(4096).expect("a small buffer");
    socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
    let listener = socket.listen(8).expect("it listens");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    let server = tokio::spawn(async move {
        let mut open = Vec::new();
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().await.expect("the client connects");
            let read = stream.read(&mut [0; 1024]).await.expect("the head");
            stream
                .write_all(&answer(413, "connection: close\r\n", "too much"))
                .await
                .expect("the client reads");
            open.push((stream, read));
        }
        open.len()
    });
    let mut bench = Bench::new(&url);
    for _ in 0..2 {
        let body = wit::Body::Bytes(vec![b'x'; 1 << 20]);
        let response = bench.send(wit::Request { body, ..request(wit::Method::Post, "/") }).await;
        assert_eq!(response.expect("an answer").status, 413);
    }
    assert_eq!(server.await.expect("it does not panic"), 2);
}
