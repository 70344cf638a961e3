//! What virtual users trust.

use std::{io, sync::Arc};

use rustls::{ClientConfig, RootCertStore, pki_types::CertificateDer, pki_types::pem::PemObject};

/// TLS with the roots that browsers trust, the same on every machine, and those in `authorities`:
/// certificates in PEM of the run's own authorities.
pub fn trust(authorities: Option<&[u8]>) -> io::Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    for certificate in authorities.into_iter().flat_map(CertificateDer::pem_slice_iter) {
        let certificate =
            certificate.map_err(|error| invalid(format!("not a certificate in PEM: {error}")))?;
        roots.add(certificate).map_err(|error| invalid(format!("not a certificate: {error}")))?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| invalid(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn invalid(because: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, because)
}
