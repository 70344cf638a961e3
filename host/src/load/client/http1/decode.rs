//! Reads an HTTP/1.1 answer out of the bytes of its connection, in whatever pieces they come.
//!
//! No sockets here and no waiting: bytes in, an answer or a [`Fault`] out. Lines of the head and of
//! chunks are parsed by the library that most of the field's clients use; what they mean for the
//! body's length, which is where clients and servers fall out with each other, follows RFC 9112 to
//! the letter, and what it calls ambiguous is a fault.

use std::mem::MaybeUninit;

use assay_bindings::Headers;
use http::StatusCode;
use httparse::{ParserConfig, Status};

use crate::{
    load::client::exchange::{Answer, HEAD},
    observe::ErrorClass,
};

/// Most headers of one answer.
const MOST_HEADERS: usize = 100;
const USUAL_HEADERS: usize = 24;
/// Longest line that says how long a chunk is.
const LONGEST_LINE: usize = 4 << 10;
/// Room that is made for a body on its announcement alone.
const ON_TRUST: u64 = 16 << 10;

/// What is wrong with an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("connection closed before an answer came")]
    Silent,
    #[error("connection closed amid the answer's head")]
    CutHead,
    #[error("connection closed amid the answer's body")]
    CutBody,
    #[error("the answer's head does not parse: {0}")]
    Head(httparse::Error),
    #[error("the answer's head is over the limit of {} KiB or {MOST_HEADERS} headers", HEAD >> 10)]
    LargeHead,
    #[error("{0} is no status")]
    Status(u16),
    #[error("the peer switches protocols, which nobody asked for")]
    Switch,
    #[error("the content-length {0:?} is no length")]
    Length(String),
    #[error("the content-length is given twice, and differs")]
    Lengths,
    #[error("the transfer coding {0:?} is not known")]
    Coding(String),
    #[error("the size of a chunk does not parse")]
    Chunk,
    #[error("the body is over the limit of {0} bytes")]
    LongBody(u64),
}

impl Fault {
    pub(super) fn class(&self) -> ErrorClass {
        match self {
            Self::Silent | Self::CutHead | Self::CutBody => ErrorClass::Reset,
            _ => ErrorClass::Protocol,
        }
    }
}

/// A whole answer.
#[derive(Debug)]
pub(super) struct Decoded {
    pub answer: Answer,
    /// Another request may follow on the connection.
    pub lasts: bool,
}

/// The state of reading one answer.
#[derive(Debug)]
pub(super) struct Decoder {
    /// It answers HEAD, and so has no body whatever it announces.
    to_head: bool,
    /// Most bytes of a body.
    limit: u64,
    /// Bytes of interim heads so far.
    interim: usize,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// What came of the head.
    Head(Vec<u8>),
    Body(Head, Vec<u8>, Framing),
}

#[derive(Debug)]
struct Head {
    status: StatusCode,
    headers: Headers,
    lasts: bool,
}

/// How the end of a body is told.
#[derive(Debug)]
enum Framing {
    /// After so many more bytes.
    Length(u64),
    Chunked(Chunked),
    UntilClose,
}

#[derive(Debug)]
enum Chunked {
    /// In the line that says how long the next chunk is.
    Size(Vec<u8>),
    /// So many more bytes of this chunk.
    Data(u64),
    /// In the line end behind a chunk.
    Gap(Vec<u8>),
    /// In a line behind the last chunk; so many bytes of such lines have come.
    Trailer(Vec<u8>, usize),
    Over,
}

impl Decoder {
    pub(super) fn new(to_head: bool, limit: u64) -> Self {
        Self { to_head, limit, interim: 0, stage: Stage::Head(Vec::new()) }
    }

    /// Takes the bytes that came next; none of them may be given again. Answers the whole answer once
    /// it is there, and then must not be asked again.
    pub(super) fn take(&mut self, mut bytes: &[u8]) -> Result<Option<Decoded>, Fault> {
        while let Stage::Head(begun) = &mut self.stage {
            let Some((used, head)) = take_head(begun, bytes, HEAD - self.interim)? else { return Ok(None) };
            bytes = &bytes[used..];
            match head.status {
                StatusCode::SWITCHING_PROTOCOLS => return Err(Fault::Switch),
                status if status.is_informational() => {
                    self.interim += used;
                    self.stage = Stage::Head(Vec::new());
                }
                _ => self.begin_body(head)?,
            }
        }
        let Stage::Body(_, body, framing) = &mut self.stage else { return Ok(None) };
        let used = framing.take(bytes, body, self.limit)?;
        match framing.is_over() {
            // Bytes that nobody asked for: whatever they are, no answer to the next request.
            true => Ok(self.done(used == bytes.len())),
            false => Ok(None),
        }
    }

    /// The peer sends no more.
    pub(super) fn end(&mut self) -> Result<Decoded, Fault> {
        match &self.stage {
            Stage::Head(begun) if begun.is_empty() && self.interim == 0 => Err(Fault::Silent),
            // What is wrong in it is told rather than that it is not whole.
            Stage::Head(begun) => parse(begun).and(Err(Fault::CutHead)),
            Stage::Body(_, _, Framing::UntilClose) => self.done(false).ok_or(Fault::CutBody),
            Stage::Body(..) => Err(Fault::CutBody),
        }
    }

    fn begin_body(&mut self, mut head: Head) -> Result<(), Fault> {
        let bodiless = self.to_head || matches!(head.status.as_u16(), 204 | 304);
        let framing = if bodiless { Framing::Length(0) } else { framing(&mut head)? };
        let room = match framing {
            Framing::Length(length) if length > self.limit => return Err(Fault::LongBody(self.limit)),
            Framing::Length(length) => length.min(ON_TRUST) as usize,
            _ => 0,
        };
        self.stage = Stage::Body(head, Vec::with_capacity(room), framing);
        Ok(())
    }

    fn done(&mut self, lasts: bool) -> Option<Decoded> {
        match std::mem::replace(&mut self.stage, Stage::Head(Vec::new())) {
            Stage::Head(_) => None,
            Stage::Body(Head { status, headers, lasts: agreed }, body, _) => {
                Some(Decoded { answer: Answer { status, headers, body }, lasts: lasts && agreed })
            }
        }
    }
}

/// A head, and how many of the bytes belong to it; keeps them if they are not all of it.
fn take_head(begun: &mut Vec<u8>, bytes: &[u8], most: usize) -> Result<Option<(usize, Head)>, Fault> {
    let before = begun.len();
    if before == 0
        && let Some((used, head)) = parse(bytes)?
    {
        return if used <= most { Ok(Some((used, head))) } else { Err(Fault::LargeHead) };
    }
    begun.extend_from_slice(&bytes[..bytes.len().min(most.saturating_add(1) - before)]);
    // Parsed again only when there is an empty line, or each byte that comes alone would cost the whole.
    let ended = before > 0 && has_empty_line(&begun[before.saturating_sub(3)..]);
    if ended && let Some((used, head)) = parse(begun)? {
        return Ok(Some((used - before, head)));
    }
    if begun.len() > most { Err(Fault::LargeHead) } else { Ok(None) }
}

fn has_empty_line(bytes: &[u8]) -> bool {
    bytes.windows(2).any(|two| two == b"\n\n") || bytes.windows(3).any(|three| three == b"\n\r\n")
}

/// The head that the bytes begin with, and its length; None if there is more to come.
fn parse(bytes: &[u8]) -> Result<Option<(usize, Head)>, Fault> {
    // Room for many headers is taken only when there are many: it is on the stack of a fiber, of which
    // there is one per user.
    match parse_up_to::<USUAL_HEADERS>(bytes) {
        Err(Fault::LargeHead) => parse_up_to::<MOST_HEADERS>(bytes),
        parsed => parsed,
    }
}

#[inline(never)]
fn parse_up_to<const MOST: usize>(bytes: &[u8]) -> Result<Option<(usize, Head)>, Fault> {
    let mut slots = [const { MaybeUninit::uninit() }; MOST];
    let mut parsed = httparse::Response::new(&mut []);
    let used =
        match ParserConfig::default().parse_response_with_uninit_headers(&mut parsed, bytes, &mut slots) {
            Ok(Status::Complete(used)) => used,
            Ok(Status::Partial) => return Ok(None),
            Err(httparse::Error::TooManyHeaders) => return Err(Fault::LargeHead),
            Err(error) => return Err(Fault::Head(error)),
        };
    let code = parsed.code.unwrap_or_default();
    let status = StatusCode::from_u16(code).map_err(|_| Fault::Status(code))?;
    let mut headers = Headers::with_capacity(parsed.headers.len(), used);
    for header in &*parsed.headers {
        headers.push(header.name, header.value);
    }
    let says = |word: &str| {
        let mut words = headers.all("connection").flat_map(|value| value.split(|byte| *byte == b','));
        words.any(|said| said.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
    };
    let lasts = if parsed.version == Some(1) { !says("close") } else { says("keep-alive") };
    Ok(Some((used, Head { status, headers, lasts })))
}

/// RFC 9112, section 6.3, of an answer that may have a body.
fn framing(head: &mut Head) -> Result<Framing, Fault> {
    let mut chunked = false;
    for coding in head.headers.all("transfer-encoding") {
        match coding {
            name if name.eq_ignore_ascii_case(b"chunked") && !chunked => chunked = true,
            name if name.eq_ignore_ascii_case(b"identity") => {}
            _ => return Err(Fault::Coding(text(coding))),
        }
    }
    let mut length = None;
    for value in head.headers.all("content-length") {
        for part in value.split(|byte| *byte == b',') {
            let number = number(part.trim_ascii()).ok_or_else(|| Fault::Length(text(value)))?;
            if length.is_some_and(|length| length != number) {
                return Err(Fault::Lengths);
            }
            length = Some(number);
        }
    }
    if chunked {
        // Both say how long the body is: somebody on the way may have believed the other one.
        head.lasts &= length.is_none();
        return Ok(Framing::Chunked(Chunked::Size(Vec::new())));
    }
    Ok(length.map_or(Framing::UntilClose, Framing::Length))
}

/// For people to read.
fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value).into_owned()
}

/// Digits and nothing else.
fn number(text: &[u8]) -> Option<u64> {
    let text =
        std::str::from_utf8(text).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    text.parse().ok()
}

impl Framing {
    fn is_over(&self) -> bool {
        matches!(self, Self::Length(0) | Self::Chunked(Chunked::Over))
    }

    /// Moves what belongs to the body to it. Answers how many bytes are used up.
    fn take(&mut self, bytes: &[u8], body: &mut Vec<u8>, limit: u64) -> Result<usize, Fault> {
        match self {
            Self::Length(left) => {
                let part = up_to(bytes, *left);
                body.extend_from_slice(part);
                *left -= part.len() as u64;
                Ok(part.len())
            }
            Self::Chunked(chunked) => chunked.take(bytes, body, limit),
            Self::UntilClose => {
                append(body, bytes, limit)?;
                Ok(bytes.len())
            }
        }
    }
}

impl Chunked {
    fn take(&mut self, all: &[u8], body: &mut Vec<u8>, limit: u64) -> Result<usize, Fault> {
        let mut bytes = all;
        while !bytes.is_empty() {
            let next = match self {
                Self::Size(line) => match take_line(line, &mut bytes)? {
                    None => break,
                    Some(line) => match chunk_size(&line)? {
                        0 => Self::Trailer(Vec::new(), 0),
                        size if size > limit - body.len() as u64 => return Err(Fault::LongBody(limit)),
                        size => Self::Data(size),
                    },
                },
                Self::Data(left) => {
                    let part = up_to(bytes, *left);
                    append(body, part, limit)?;
                    bytes = &bytes[part.len()..];
                    *left -= part.len() as u64;
                    if *left > 0 {
                        break;
                    }
                    Self::Gap(Vec::new())
                }
                Self::Gap(line) => match take_line(line, &mut bytes)?.as_deref() {
                    None => break,
                    Some(b"\r\n" | b"\n") => Self::Size(Vec::new()),
                    Some(_) => return Err(Fault::Chunk),
                },
                // What the last lines say is of no use to anyone here.
                Self::Trailer(line, before) => match take_line(line, &mut bytes)?.as_deref() {
                    None => break,
                    Some(b"\r\n" | b"\n") => Self::Over,
                    Some(line) if *before + line.len() > HEAD => return Err(Fault::LargeHead),
                    Some(line) => Self::Trailer(Vec::new(), *before + line.len()),
                },
                Self::Over => break,
            };
            *self = next;
        }
        Ok(all.len() - bytes.len())
    }
}

fn chunk_size(line: &[u8]) -> Result<u64, Fault> {
    match httparse::parse_chunk_size(line) {
        // The library takes a line without any digit for a zero.
        Ok(Status::Complete((_, size))) if line[0].is_ascii_hexdigit() => Ok(size),
        _ => Err(Fault::Chunk),
    }
}

fn up_to(bytes: &[u8], most: u64) -> &[u8] {
    &bytes[..usize::try_from(most).map_or(bytes.len(), |most| most.min(bytes.len()))]
}

fn append(body: &mut Vec<u8>, part: &[u8], limit: u64) -> Result<(), Fault> {
    if body.len() as u64 + part.len() as u64 > limit {
        return Err(Fault::LongBody(limit));
    }
    body.extend_from_slice(part);
    Ok(())
}

/// A line with its end once it is all there, out of what came before and comes now.
fn take_line(begun: &mut Vec<u8>, bytes: &mut &[u8]) -> Result<Option<Vec<u8>>, Fault> {
    let end = bytes.iter().position(|byte| *byte == b'\n').map(|place| place + 1);
    let (now, later) = bytes.split_at(end.unwrap_or(bytes.len()));
    if begun.len() + now.len() > LONGEST_LINE {
        return Err(Fault::Chunk);
    }
    begun.extend_from_slice(now);
    *bytes = later;
    Ok(end.map(|_| std::mem::take(begun)))
}

#[cfg(test)]
mod tests;
