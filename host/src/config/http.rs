//! `[http]`: how virtual users speak HTTP.

use std::{io::Read, path::Path, sync::Arc};

use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};

use super::{checks::Checks, file::HttpTable, model::HttpConfig};

/// Largest file of authorities: several times what a whole browser trusts.
const LARGEST: u64 = 1 << 20;

pub(super) fn http(checks: &mut Checks<'_>, table: Option<HttpTable>) -> HttpConfig {
    let Some(table) = table else { return HttpConfig::default() };
    HttpConfig {
        authorities: table.authorities.and_then(|path| authorities(checks, &path)),
        verify: table.verify.unwrap_or(true),
        version: table.version.unwrap_or_default(),
        reuse: table.reuse_connections.unwrap_or_default(),
    }
}

fn authorities(checks: &mut Checks<'_>, text: &str) -> Option<Arc<[u8]>> {
    let pointer = "/http/authorities";
    let path = checks.path(pointer, text)?;
    match read(&path) {
        Ok(pem) => Some(pem),
        Err(problem) => {
            let help =
                "a PEM file with the certificates of authorities: -----BEGIN CERTIFICATE----- and so on";
            checks.refuse(pointer, format!("{} cannot be trusted: {problem}", path.display()), help);
            None
        }
    }
}

/// Reads a file that holds certificates and nothing that cannot be one. A refusal is a lowercase
/// fragment.
fn read(path: &Path) -> Result<Arc<[u8]>, String> {
    let mut pem = Vec::new();
    let file = fs_err::File::open(path).map_err(|error| error.to_string())?;
    file.take(LARGEST + 1).read_to_end(&mut pem).map_err(|error| error.to_string())?;
    if pem.len() as u64 > LARGEST {
        return Err("it is larger than 1 MiB".to_owned());
    }
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let number = roots.len() + 1;
        let bad = |error: &dyn std::fmt::Display| format!("certificate {number} in it is none: {error}");
        let certificate = certificate.map_err(|error| bad(&error))?;
        roots.add(certificate).map_err(|error| bad(&error))?;
    }
    if roots.is_empty() {
        return Err("it holds no certificate".to_owned());
    }
    Ok(pem.into())
}

#[cfg(test)]
mod tests {
    use super::super::{
        ConnectionReuse, HttpVersion, LoadOptions,
        testing::{RIGHT, load_in, messages},
    };
    use super::*;

    const AUTHORITY: &str = include_str!("../load/client/fixtures/authority.pem");

    fn load(http: &str, pem: &str) -> Result<HttpConfig, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let text = format!("{RIGHT}\n[http]\n{http}");
        let files = [("run.toml", text.as_str()), ("ca.pem", pem)];
        match load_in(folder.path(), &files, &LoadOptions::default()) {
            Ok(config) => Ok(config.http),
            refused => Err(messages(refused).replace(&folder.path().display().to_string(), "folder")),
        }
    }

    #[test]
    fn what_is_not_said_is_a_browser() {
        assert_eq!(load("", ""), Ok(HttpConfig::default()));
        assert!(HttpConfig::default().verify);
    }

    #[test]
    fn everything_arrives() {
        let http =
            "authorities = \"ca.pem\"\nverify = false\nversion = \"2\"\nreuse-connections = \"within-task\"";
        let expected = HttpConfig {
            authorities: Some(AUTHORITY.as_bytes().into()),
            verify: false,
            version: HttpVersion::Http2,
            reuse: ConnectionReuse::WithinTask,
        };
        assert_eq!(load(http, AUTHORITY), Ok(expected));
    }

    #[test]
    fn what_cannot_be_trusted_says_why() {
        let broken = "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n";
        let junk = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let large = " ".repeat((1 << 20) + 1);
        let refused = ["", broken, junk, &format!("{AUTHORITY}{junk}"), &large]
            .map(|pem| load("authorities = \"ca.pem\"", pem).expect_err("not trusted"));
        insta::assert_snapshot!(refused.join("\n"));
    }
}
