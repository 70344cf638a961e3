//! Putting an answer's body together, and unpacking it.

use std::io::Read;

use assay_bindings::Headers;
use bytes::Bytes;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

use crate::observe::ErrorClass;

use super::{dial::Origin, failure::Failure};

/// Takes a piece of a body. One that grows longer than `limit` is an error of the peer.
pub(super) fn append(whole: &mut Vec<u8>, data: Bytes, origin: &Origin, limit: u64) -> Result<(), Failure> {
    if whole.len() as u64 + data.len() as u64 > limit {
        return Err(too_long(origin, limit));
    }
    if whole.is_empty() {
        // The first piece is often all, and then need not be copied.
        *whole = data.into();
    } else {
        whole.extend_from_slice(&data);
    }
    Ok(())
}

pub(super) fn too_long(origin: &Origin, limit: u64) -> Failure {
    let because = format!("{}: the body is over the limit of {limit} bytes", origin.place());
    Failure::new(ErrorClass::Protocol, because)
}

/// Undoes what `content-encoding` says was done. What came without or in another encoding stays.
pub(super) fn unpack(headers: &Headers, body: Vec<u8>, limit: u64) -> Result<Vec<u8>, Failure> {
    let Some(encoding) = headers.get("content-encoding") else { return Ok(body) };
    // An answer to HEAD names an encoding and has nothing in it.
    if body.is_empty() {
        return Ok(body);
    }
    match encoding.to_ascii_lowercase().as_slice() {
        b"gzip" | b"x-gzip" => read_bounded(MultiGzDecoder::new(body.as_slice()), "gzip", limit),
        // Named after a format that it is not: some send zlib's, as they should, some the bare one.
        b"deflate" if body[0] & 0x0f == 8 => {
            read_bounded(ZlibDecoder::new(body.as_slice()), "deflate", limit)
        }
        b"deflate" => read_bounded(DeflateDecoder::new(body.as_slice()), "deflate", limit),
        _ => Ok(body),
    }
}

fn read_bounded(reader: impl Read, encoding: &str, limit: u64) -> Result<Vec<u8>, Failure> {
    let mut whole = Vec::new();
    match reader.take(limit.saturating_add(1)).read_to_end(&mut whole) {
        Ok(length) if length as u64 > limit => Err(Failure::new(
            ErrorClass::Protocol,
            format!("the {encoding} body unpacks to more than the limit of {limit} bytes"),
        )),
        Ok(_) => Ok(whole),
        Err(error) => Err(Failure::new(ErrorClass::Protocol, format!("broken {encoding} body: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use flate2::{
        Compression,
        write::{DeflateEncoder, GzEncoder, ZlibEncoder},
    };

    fn unpacked(encoding: &'static str, body: Vec<u8>) -> Result<Vec<u8>, Failure> {
        unpack(&Headers::from_iter([("content-encoding", encoding)]), body, 1_000)
    }

    fn text(length: usize) -> Vec<u8> {
        b"assay ".iter().copied().cycle().take(length).collect()
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).expect("to memory");
        encoder.finish().expect("to memory")
    }

    #[test]
    fn what_was_packed_is_unpacked() {
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
        zlib.write_all(&text(500)).expect("to memory");
        let mut bare = DeflateEncoder::new(Vec::new(), Compression::default());
        bare.write_all(&text(500)).expect("to memory");
        assert_eq!(unpacked("gzip", gzip(&text(500))), Ok(text(500)));
        assert_eq!(unpacked("deflate", zlib.finish().expect("to memory")), Ok(text(500)));
        assert_eq!(unpacked("Deflate", bare.finish().expect("to memory")), Ok(text(500)));
        assert_eq!(unpacked("identity", text(5)), Ok(text(5)));
        assert_eq!(unpacked("gzip", Vec::new()), Ok(Vec::new()));
    }

    #[test]
    fn what_cannot_be_unpacked_is_the_peers_error() {
        for body in [gzip(&text(1_001)), b"not gzip".to_vec(), gzip(&text(500))[..20].to_vec()] {
            assert_eq!(unpacked("gzip", body).map_err(|failure| failure.class), Err(ErrorClass::Protocol));
        }
    }
}
