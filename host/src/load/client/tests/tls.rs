//! Whom users trust, and which HTTP they agree on.

use std::collections::BTreeSet;

use base64::{Engine, prelude::BASE64_STANDARD};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio_rustls::TlsAcceptor;

use super::{
    http2_server::{Http2Server, reply},
    *,
};

/// One that `fixtures/authority.pem` has signed.
fn signed() -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
    (
        CertificateDer::from_pem_slice(include_bytes!("../fixtures/server.pem")).expect("PEM"),
        PrivateKeyDer::from_pem_slice(include_bytes!("../fixtures/server-key.pem")).expect("PEM"),
    )
}

/// One that signed itself, good until that year.
fn self_signed(until: i32) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
    let mut params = CertificateParams::new(["localhost".to_owned()]).expect("a name");
    params.not_before = date_time_ymd(2000, 1, 1);
    params.not_after = date_time_ymd(until, 1, 1);
    let key = KeyPair::generate().expect("a key");
    let certificate = params.self_signed(&key).expect("a certificate");
    (certificate.der().clone(), PrivateKeyDer::Pkcs8(key.serialize_der().into()))
}

fn acceptor(
    (certificate, key): (CertificateDer<'static>, PrivateKeyDer<'static>),
    protocols: &[&str],
) -> TlsAcceptor {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the usual versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("they belong together");
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    TlsAcceptor::from(Arc::new(config))
}

fn trusting(certificate: &CertificateDer<'_>) -> HttpConfig {
    let base64 = BASE64_STANDARD.encode(certificate);
    let pem = format!("-----BEGIN CERTIFICATE-----\n{base64}\n-----END CERTIFICATE-----\n");
    HttpConfig { authorities: Some(pem.into_bytes().into()), ..HttpConfig::default() }
}

fn trusting_the_authority() -> HttpConfig {
    let authority = include_bytes!("../fixtures/authority.pem").as_slice();
    HttpConfig { authorities: Some(authority.into()), ..HttpConfig::default() }
}

fn careless() -> HttpConfig {
    HttpConfig { verify: false, ..HttpConfig::default() }
}

fn https(address: std::net::SocketAddr) -> String {
    format!("https://localhost:{}", address.port())
}

#[tokio::test]
async fn certificates_are_trusted_as_the_config_says() {
    let (expired, current) = (self_signed(2001), self_signed(4000));
    for (case, shown, config, class) in [
        ("an authority of one's own", signed(), trusting_the_authority(), None),
        ("an unknown authority", signed(), HttpConfig::default(), Some("tls")),
        ("signed by itself", self_signed(4000), HttpConfig::default(), Some("tls")),
        (
            "signed by itself, and trusted",
            (current.0.clone(), current.1.clone_key()),
            trusting(&current.0),
            None,
        ),
        ("expired", (expired.0.clone(), expired.1.clone_key()), trusting(&expired.0), Some("tls")),
        ("unverified", self_signed(4000), careless(), None),
        ("expired and unverified", self_signed(2001), careless(), None),
    ] {
        let server =
            TestServer::start_tls(acceptor(shown, &[]), |_| Act::Answer(answer(200, "", "secret"))).await;
        let mut bench = Bench::speaking(&https(server.address), config);
        match (bench.get("/").await, class) {
            (Ok(response), None) => assert_eq!(response.body, b"secret", "{case}"),
            (Err(error), Some(class)) => assert_eq!(name(&error), class, "{case}: {error:?}"),
            (other, _) => panic!("{case}: {other:?}"),
        }
        if class.is_none() {
            bench.get("/").await.expect("an answer");
            assert_eq!(server.got()[1].connection, 0, "{case}");
        }
    }
    let broken = b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n".as_slice();
    assert!(Policy::new(&HttpConfig { authorities: Some(broken.into()), ..HttpConfig::default() }).is_err());
}

#[tokio::test]
async fn http2_is_spoken_where_it_is_offered_and_wanted() {
    for (offered, wanted, spoken) in [
        (["h2", "http/1.1"].as_slice(), HttpVersion::Auto, Ok("HTTP/2")),
        (&["h2", "http/1.1"], HttpVersion::Http2, Ok("HTTP/2")),
        (&["h2", "http/1.1"], HttpVersion::Http1, Ok("HTTP/1.1")),
        (&["http/1.1"], HttpVersion::Auto, Ok("HTTP/1.1")),
        (&[], HttpVersion::Auto, Ok("HTTP/1.1")),
        (&["http/1.1"], HttpVersion::Http2, Err("tls")),
        (&[], HttpVersion::Http2, Err("protocol")),
    ] {
        let config = HttpConfig { version: wanted, ..trusting_the_authority() };
        let acceptor = acceptor(signed(), offered);
        let requests = (0..6).map(|_| request(wit::Method::Get, "/")).collect();
        // What is spoken decides which server understands it.
        let (answers, connections) = if spoken == Ok("HTTP/2") {
            let server = Http2Server::start(Some(acceptor), |_| reply("x")).await;
            let mut bench = Bench::speaking(&https(server.address), config);
            let answers = bench.client.send_all(requests, 6, u64::MAX).await;
            (answers, server.asked().iter().map(|asked| asked.connection).collect::<BTreeSet<_>>())
        } else {
            let pause = Duration::from_millis(50);
            let server =
                TestServer::start_tls(acceptor, move |_| Act::After(pause, answer(200, "", "x"))).await;
            let mut bench = Bench::speaking(&https(server.address), config);
            let answers = bench.client.send_all(requests, 6, u64::MAX).await;
            (answers, server.got().iter().map(|got| got.connection).collect())
        };
        for answer in &answers {
            assert_eq!(answer.as_ref().err().map(name), spoken.err(), "{offered:?} {wanted:?}: {answer:?}");
        }
        let expected = match spoken {
            Ok("HTTP/2") => 1,
            Ok(_) => 6,
            Err(_) => 0,
        };
        assert_eq!(connections.len(), expected, "{offered:?} {wanted:?}");
    }
}

#[tokio::test]
async fn in_the_clear_http2_is_spoken_only_if_the_config_says_so() {
    let server = TestServer::start(|_| Act::Answer(answer(200, "", "x"))).await;
    for version in [HttpVersion::Auto, HttpVersion::Http1] {
        let mut bench = Bench::speaking(&server.url(), HttpConfig { version, ..HttpConfig::default() });
        bench.get("/").await.expect("an answer over HTTP/1.1");
    }
}
