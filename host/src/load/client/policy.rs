//! How connections are made: whom they trust, which HTTP they speak, how long they are kept.

use std::{io, sync::Arc};

use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::CryptoProvider,
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};

use crate::config::{ConnectionReuse, HttpConfig, HttpVersion};

/// The `[http]` of a run config, ready to be used.
#[derive(Debug, Clone)]
pub struct Policy {
    pub(super) tls: Arc<ClientConfig>,
    pub(super) version: HttpVersion,
    pub(super) reuse: ConnectionReuse,
}

impl Policy {
    /// Trusts the roots that browsers trust, the same on every machine, and the config's own
    /// authorities; or anything, if nothing shall be verified.
    pub fn new(config: &HttpConfig) -> io::Result<Self> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| invalid(error.to_string()))?;
        let mut tls = match config.verify {
            true => builder.with_root_certificates(roots(config.authorities.as_deref())?),
            false => builder.dangerous().with_custom_certificate_verifier(Arc::new(Anyone(provider))),
        }
        .with_no_client_auth();
        let spoken: &[&[u8]] = match config.version {
            HttpVersion::Auto => &[b"h2", b"http/1.1"],
            HttpVersion::Http1 => &[b"http/1.1"],
            HttpVersion::Http2 => &[b"h2"],
        };
        tls.alpn_protocols = spoken.iter().map(|name| name.to_vec()).collect();
        Ok(Self { tls: Arc::new(tls), version: config.version, reuse: config.reuse })
    }
}

fn roots(authorities: Option<&[u8]>) -> io::Result<RootCertStore> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    for certificate in authorities.into_iter().flat_map(CertificateDer::pem_slice_iter) {
        let certificate =
            certificate.map_err(|error| invalid(format!("not a certificate in PEM: {error}")))?;
        roots.add(certificate).map_err(|error| invalid(format!("not a certificate: {error}")))?;
    }
    Ok(roots)
}

fn invalid(because: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, because)
}

/// Takes everybody at their word: for targets whose certificate nobody can verify. Signatures are
/// not looked at either, because a certificate that is not believed proves nothing by them.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
