//! Histograms in a run's directory: `histograms.hlog`, in the log format of HdrHistogram, one line
//! for each endpoint, second and kind, so that common readers open it too.
//!
//! A line's tag is `INDEX:KIND:NAME`; the index is the one of the endpoint's event, and the name is
//! there for people. Response times are left out where they equal service times.

use std::{
    collections::HashMap,
    io::{self, Write},
    time::{Duration, SystemTime},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use hdrhistogram::serialization::{
    Deserializer, V2DeflateSerializer,
    interval_log::{
        IntervalLogIterator, IntervalLogWriter, IntervalLogWriterBuilder, IntervalLogWriterError, LogEntry,
        Tag,
    },
};

use super::{Endpoint, EndpointInterval, Interval, Sparse, histogram::DIGITS};

/// Latencies are in nanoseconds; the log's column for the maximum is in milliseconds.
const MAX_DIVISOR: f64 = 1e6;

/// Longest name in a tag.
const LONGEST_NAME: usize = 80;

const SERVICE: &str = "service";
const RESPONSE: &str = "response";
const FAILED: &str = "failed";

/// Writes a log.
pub(super) struct Writer<'a, W: Write> {
    log: IntervalLogWriter<'a, 'a, W, V2DeflateSerializer>,
    names: HashMap<u32, String>,
}

impl<'a, W: Write> Writer<'a, W> {
    /// Begins a log whose time 0 is `base` on the wall clock.
    pub(super) fn begin(
        writer: &'a mut W,
        serializer: &'a mut V2DeflateSerializer,
        base: SystemTime,
    ) -> io::Result<Self> {
        let log = IntervalLogWriterBuilder::new()
            .add_comment("Latencies in nanoseconds. Tag: endpoint's index, kind, name.")
            .with_base_time(base)
            .with_max_value_divisor(MAX_DIVISOR)
            .begin_log_with(writer, serializer)?;
        Ok(Self { log, names: HashMap::new() })
    }

    /// Learns what an index stands for.
    pub(super) fn name(&mut self, index: u32, endpoint: &Endpoint) {
        // The format allows no comma, blank or line break in a tag.
        let name = endpoint.name.chars().take(LONGEST_NAME);
        let plain = |c: char| if c == ',' || c.is_whitespace() || c.is_control() { '_' } else { c };
        self.names.insert(index, name.map(plain).collect());
    }

    /// Writes the histograms of one second.
    pub(super) fn write(&mut self, interval: &Interval) -> io::Result<()> {
        for row in &interval.endpoints {
            self.line(interval.second, row.endpoint, SERVICE, &row.service)?;
            if row.response != row.service {
                self.line(interval.second, row.endpoint, RESPONSE, &row.response)?;
            }
            self.line(interval.second, row.endpoint, FAILED, &row.failed)?;
        }
        Ok(())
    }

    fn line(&mut self, second: u64, endpoint: u32, kind: &str, sparse: &Sparse) -> io::Result<()> {
        if sparse.is_empty() {
            return Ok(());
        }
        let name = self.names.get(&endpoint).map_or("", String::as_str);
        let tag = format!("{endpoint}:{kind}:{name}");
        self.log
            .write_histogram(
                &sparse.dense(),
                Duration::from_secs(second),
                Duration::from_secs(1),
                Tag::new(&tag),
            )
            .map_err(|error| match error {
                IntervalLogWriterError::IoError(error) => error,
                IntervalLogWriterError::SerializeError(error) => io::Error::other(error),
            })
    }
}

/// The histograms of a log, by second and endpoint.
#[derive(Debug, Default)]
pub(super) struct Histograms(HashMap<(u64, u32), Kinds>);

#[derive(Debug, Default)]
struct Kinds {
    service: Sparse,
    response: Option<Sparse>,
    failed: Sparse,
}

impl Histograms {
    /// Reads a log to its last whole line; the count is of lines that make no sense.
    pub(super) fn read(log: &[u8]) -> (Self, u64) {
        let whole = log.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        let (mut histograms, mut wrong) = (Self::default(), 0);
        let mut decoder = Deserializer::new();
        for entry in IntervalLogIterator::new(&log[..whole]) {
            match entry {
                Ok(LogEntry::Interval(interval)) => {
                    let tag = interval.tag().map_or("", |tag| tag.as_str());
                    let sparse = decode(&mut decoder, interval.encoded_histogram());
                    let second = interval.start_timestamp().as_secs();
                    if !sparse.is_some_and(|sparse| histograms.add(second, tag, &sparse)) {
                        wrong += 1;
                    }
                }
                Ok(_) => {}
                Err(_) => wrong += 1,
            }
        }
        (histograms, wrong)
    }

    fn add(&mut self, second: u64, tag: &str, sparse: &Sparse) -> bool {
        let mut parts = tag.splitn(3, ':');
        let index = parts.next().and_then(|index| index.parse().ok());
        let (Some(index), Some(kind)) = (index, parts.next()) else { return false };
        let kinds = self.0.entry((second, index)).or_default();
        match kind {
            SERVICE => kinds.service.merge(sparse),
            RESPONSE => kinds.response.get_or_insert_default().merge(sparse),
            FAILED => kinds.failed.merge(sparse),
            _ => return false,
        }
        true
    }

    /// Puts the histograms back into an interval that was written without them. Answers how many
    /// rows should have some and do not.
    pub(super) fn fill(&mut self, interval: &mut Interval) -> u64 {
        let second = interval.second;
        interval.endpoints.iter_mut().map(|row| u64::from(!self.fill_row(second, row))).sum()
    }

    fn fill_row(&mut self, second: u64, row: &mut EndpointInterval) -> bool {
        match self.0.remove(&(second, row.endpoint)) {
            Some(kinds) => {
                row.response = kinds.response.unwrap_or_else(|| kinds.service.clone());
                row.service = kinds.service;
                row.failed = kinds.failed;
                row.service.count() >= row.successes
            }
            None => row.successes == 0 && row.failures.is_empty(),
        }
    }
}

fn decode(decoder: &mut Deserializer, encoded: &str) -> Option<Sparse> {
    let bytes = BASE64_STANDARD.decode(encoded).ok()?;
    let dense = decoder.deserialize::<u64, _>(&mut bytes.as_slice()).ok()?;
    (dense.sigfig() == DIGITS && dense.low() == 1).then(|| Sparse::of(&dense))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sparse(values: &[(u64, u64)]) -> Sparse {
        Sparse(values.to_vec())
    }

    fn written(interval: &Interval) -> Vec<u8> {
        let (mut file, mut serializer) = (Vec::new(), V2DeflateSerializer::new());
        let mut writer = Writer::begin(&mut file, &mut serializer, SystemTime::UNIX_EPOCH).unwrap();
        let name = "GET /a, b".to_owned();
        writer.name(3, &Endpoint { name, ..crate::observe::fixtures::endpoint("reads", "list") });
        writer.write(interval).unwrap();
        file
    }

    fn interval() -> Interval {
        let row = EndpointInterval {
            endpoint: 3,
            successes: 3,
            failures: vec![(crate::observe::ErrorClass::Reset, 1)],
            service: sparse(&[(1_000, 2), (2_000_896, 1)]),
            response: sparse(&[(1_000, 1), (2_000_896, 2)]),
            failed: sparse(&[(7, 1)]),
            ..EndpointInterval::default()
        };
        Interval { second: 12, endpoints: vec![row], ..Interval::default() }
    }

    #[test]
    fn reads_back_what_it_wrote() {
        let whole = interval();
        let mut bare = whole.clone();
        for row in &mut bare.endpoints {
            (row.service, row.response, row.failed) = Default::default();
        }
        let (mut histograms, wrong) = Histograms::read(&written(&whole));
        assert_eq!(wrong, 0);
        assert_eq!(histograms.fill(&mut bare), 0);
        assert_eq!(bare, whole);
    }

    #[test]
    fn looks_as_log_readers_expect() {
        let text = String::from_utf8(written(&interval())).unwrap();
        insta::assert_snapshot!(text);
    }

    #[test]
    fn survives_any_cut() {
        let log = written(&interval());
        for length in 0..log.len() {
            Histograms::read(&log[..length]);
        }
        let (_, wrong) = Histograms::read(b"Tag=1:service:x,0,1,1,bm90IG9uZQ==\nnonsense\nTag=zz,0,1,1,\n");
        assert!(wrong > 0);
    }
}
