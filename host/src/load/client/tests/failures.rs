//! Every failure has its class.

use super::*;

#[tokio::test]
async fn every_bad_peer_has_its_class() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&[0; 2 << 20]).expect("to memory");
    let bomb = encoder.finish().expect("to memory");
    let server = TestServer::start(move |got| match got.line.as_str() {
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
        "GET /unknown-coding" => {
            Act::Answer(b"HTTP/1.1 200 OK\r\ntransfer-encoding: zip\r\n\r\nhalf".to_vec())
        }
        "GET /two-lengths" => {
            Act::Answer(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nfour".to_vec())
        }
        "GET /short" => Act::AnswerAndClose(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nfour".to_vec()),
        "GET /negative-length" => Act::Answer(b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n".to_vec()),
        "GET /bad-status" => Act::Answer(b"HTTP/1.1 2000 OK\r\n\r\n".to_vec()),
        "GET /bomb" => Act::Answer(answer(200, "content-encoding: gzip\r\n", &bomb)),
        "GET /trickle-head" => Act::Trickle(b"HTTP/1.1 200 OK\r\nx-more: and more and more and more"),
        "GET /trickle-body" => {
            Act::Trickle(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nxxxxxxxxxxxxxxxxxxxx")
        }
        "GET /reset-mid-head" => Act::Reset(b"HTTP/1.1 200 OK\r\ncontent-le"),
        "GET /reset-mid-body" => Act::Reset(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"),
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
        "unknown-coding",
        "two-lengths",
        "short",
        "bad-length",
        "negative-length",
        "bad-status",
        "bomb",
        "trickle-head",
        "trickle-body",
        "reset-mid-head",
        "reset-mid-body",
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
    assert_eq!(rows.len(), classes.len());
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
