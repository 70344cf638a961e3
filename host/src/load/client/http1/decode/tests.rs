use proptest::prelude::*;

use super::*;

const LIMIT: u64 = 1_000;

/// What came of the bytes when they came in pieces of this size, and then the peer closed.
fn read(bytes: &[u8], piece: usize, to_head: bool) -> Result<Decoded, Fault> {
    let mut decoder = Decoder::new(to_head, LIMIT);
    let mut pieces = bytes.chunks(piece);
    while let Some(piece) = pieces.next() {
        if let Some(mut decoded) = decoder.take(piece)? {
            // More came than the answer: as the connection would find out next.
            decoded.lasts &= pieces.next().is_none();
            return Ok(decoded);
        }
    }
    decoder.end()
}

fn told(read: Result<Decoded, Fault>) -> String {
    match read {
        Ok(Decoded { answer: Answer { status, headers, body }, lasts }) => {
            let headers = headers
                .iter()
                .map(|(name, value)| format!(" {}={:?}", name.escape_ascii(), String::from_utf8_lossy(value)))
                .collect::<String>();
            let lasts = if lasts { "lasts" } else { "ends" };
            format!("{} {lasts}{headers} {:?}", status.as_u16(), String::from_utf8_lossy(&body))
        }
        Err(fault) => format!("{:?}: {fault}", fault.class()),
    }
}

/// Answers with their line ends left out, so that they can be read: each `|` is one.
const ANSWERS: &[&str] = &[
    // Framed by length.
    "HTTP/1.1 200 OK|content-length: 5||hello",
    "HTTP/1.1 200 OK|Content-Length: 5|X-Twice: a|x-twice: b||hello",
    "HTTP/1.1 200|content-length:0||",
    "HTTP/1.1 200 OK|content-length: 5||hello, and what nobody asked for",
    "HTTP/1.1 200 OK|content-length: 5||hell",
    "HTTP/1.1 200 OK|content-length: 5|content-length: 5||hello",
    "HTTP/1.1 200 OK|content-length: 5, 5||hello",
    "HTTP/1.1 200 OK|content-length: 5, 6||hello",
    "HTTP/1.1 200 OK|content-length: +5||hello",
    "HTTP/1.1 200 OK|content-length: ||hello",
    "HTTP/1.1 200 OK|content-length: 99999999999999999999||hello",
    "HTTP/1.1 200 OK|content-length: 1001||hello",
    // In chunks.
    "HTTP/1.1 200 OK|transfer-encoding: chunked||5|hello|A;name=value| to all of|0||",
    "HTTP/1.1 200 OK|transfer-encoding: chunked||5|hello|0|x-sum: 7||",
    "HTTP/1.1 200 OK|transfer-encoding: Chunked|content-length: 3||5|hello|0||",
    "HTTP/1.1 200 OK|transfer-encoding: chunked||5|hello|0||HTTP/1.1 200 OK||",
    "HTTP/1.1 200 OK|transfer-encoding: chunked||5|hello|",
    "HTTP/1.1 200 OK|transfer-encoding: chunked||5|hello|0|",
    "HTTP/1.1 200 OK|transfer-encoding: chunked||5|hello world|0||",
    "HTTP/1.1 200 OK|transfer-encoding: chunked|||hello|0||",
    "HTTP/1.1 200 OK|transfer-encoding: chunked||-1|hello|0||",
    "HTTP/1.1 200 OK|transfer-encoding: chunked||3e9|",
    "HTTP/1.1 200 OK|transfer-encoding: chunked||ffffffffffffffff|",
    "HTTP/1.1 200 OK|transfer-encoding: chunked||fffffffffffffffff|",
    "HTTP/1.1 200 OK|transfer-encoding: gzip, chunked||5|hello|0||",
    "HTTP/1.1 200 OK|transfer-encoding: chunked|transfer-encoding: chunked||5|hello|0||",
    "HTTP/1.1 200 OK|transfer-encoding: identity|content-length: 5||hello",
    // Until the connection's end.
    "HTTP/1.1 200 OK||hello",
    "HTTP/1.0 200 OK||",
    // Without a body.
    "HTTP/1.1 204 No Content|content-length: 5||",
    "HTTP/1.1 304 Not Modified|etag: \"5\"||",
    // How long the connection lasts.
    "HTTP/1.1 200 OK|connection: close|content-length: 0||",
    "HTTP/1.1 200 OK|connection: x-other, Close|content-length: 0||",
    "HTTP/1.0 200 OK|content-length: 0||",
    "HTTP/1.0 200 OK|connection: Keep-Alive|content-length: 0||",
    // Before the answer itself.
    "HTTP/1.1 100 Continue||HTTP/1.1 103 Early Hints|link: </a.css>||HTTP/1.1 200 OK|content-length: 2||ok",
    "HTTP/1.1 103 Early Hints||",
    "HTTP/1.1 101 Switching Protocols|upgrade: websocket||",
    // Nothing that could be an answer.
    "",
    "HTTP/1.1 200 OK|content-le",
    "220 smtp.test ESMTP ready|",
    "HTTP/1.1 2000 OK||",
    "HTTP/1.1 099 OK||",
    "HTTP/1.1 200 OK|bad name: x||",
    "HTTP/1.1 200 OK|name: a\u{1}b||",
    "HTTP/2 200||",
];

#[test]
fn answers_are_read_as_the_rules_say_in_whatever_pieces_they_come() {
    let mut rows = Vec::new();
    for text in ANSWERS {
        let bytes = text.replace('|', "\r\n").into_bytes();
        let whole = told(read(&bytes, usize::MAX, false));
        for piece in 1..=bytes.len() {
            // Where an answer ends amid a piece depends on the pieces only in what follows it.
            assert_eq!(told(read(&bytes, piece, false)), whole, "{text} in pieces of {piece}");
        }
        rows.push(format!("{text}\n    {whole}"));
    }
    insta::assert_snapshot!(rows.join("\n"));
}

#[test]
fn an_answer_to_head_has_no_body_whatever_it_announces() {
    let read = read(b"HTTP/1.1 200 OK\r\ncontent-length: 99999\r\n\r\n", usize::MAX, true);
    insta::assert_snapshot!(told(read), @r#"200 lasts content-length="99999" """#);
}

#[test]
fn what_never_ends_is_given_up() {
    let many = |count: usize| format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(count));
    let hints = "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(3_000);
    let trailers =
        format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n{}", "a: b\r\n".repeat(12_000));
    let line = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5;{}", "x".repeat(5_000));
    let long = format!("HTTP/1.1 200 OK\r\na: {}", "x".repeat(HEAD));
    for piece in [1_000, usize::MAX] {
        assert!(read(many(100).as_bytes(), piece, false).is_ok());
        assert_eq!(read(many(101).as_bytes(), piece, false).err(), Some(Fault::LargeHead));
        assert_eq!(read(hints.as_bytes(), piece, false).err(), Some(Fault::LargeHead));
        assert_eq!(read(trailers.as_bytes(), piece, false).err(), Some(Fault::LargeHead));
        assert_eq!(read(line.as_bytes(), piece, false).err(), Some(Fault::Chunk));
        assert_eq!(read(long.as_bytes(), piece, false).err(), Some(Fault::LargeHead));
        let endless = [b"HTTP/1.1 200 OK\r\n\r\n".as_slice(), &[b'x'; 2_000]].concat();
        assert_eq!(read(&endless, piece, false).err(), Some(Fault::LongBody(LIMIT)));
    }
}

proptest! {
    #[test]
    fn nothing_breaks_it(bytes: Vec<u8>, piece in 1..50_usize, to_head: bool) {
        let _ = read(&bytes, piece, to_head);
    }

    /// A right beginning, then anything.
    #[test]
    fn nothing_behind_a_right_head_breaks_it(text in "[ -~\r\n]{0,80}", begin in 0..ANSWERS.len(), piece in 1..50_usize) {
        let mut bytes = ANSWERS[begin].replace('|', "\r\n").into_bytes();
        bytes.truncate(bytes.len() * 2 / 3);
        bytes.extend_from_slice(text.as_bytes());
        let whole = told(read(&bytes, usize::MAX, false));
        prop_assert_eq!(told(read(&bytes, piece, false)), whole);
    }
}
