//! The run's directory: every event in `events.jsonl`, one a line, and the histograms in
//! `histograms.hlog`.
//!
//! The writer is a reader of the stream like any other, on a thread of its own, and loses nothing:
//! lines reach the operating system at least once a second, and an interval's histograms before the
//! interval itself. Reading is the same backwards and forgives a torn last line, which is all that
//! a killed run leaves.

use std::{
    io::{self, BufWriter, LineWriter, Write},
    path::{Path, PathBuf},
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use fs_err::{self as fs, File};
use hdrhistogram::serialization::V2DeflateSerializer;

use super::{
    Event, Fact, Interval, Observations, Severity, Sparse, Stage, Stream, Subscription,
    hlog::{Histograms, Writer},
};

const EVENTS: &str = "events.jsonl";
const HISTOGRAMS: &str = "histograms.hlog";

/// Longest that a line waits before it is handed to the operating system.
const FLUSH: Duration = Duration::from_secs(1);

/// Where everything about one run lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunDir {
    path: PathBuf,
}

/// Why a run's directory cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("{}: line {line} is not an event of this version: {because}", path.display())]
    Line { path: PathBuf, line: usize, because: serde_json::Error },
    #[error("{}: it holds no event", path.display())]
    Empty { path: PathBuf },
}

/// What a run's directory holds.
#[derive(Debug, Clone)]
pub struct Recorded {
    pub observations: Observations,
    /// The last line was cut, as a kill leaves it.
    pub torn: bool,
    /// Seconds of endpoints whose histograms are missing or make no sense: their requests count, but
    /// percentiles do not know them.
    pub without_histograms: u64,
}

impl RunDir {
    /// Makes the directory, and those above it. One that already has a run is refused.
    pub fn create(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = path.into();
        fs::create_dir_all(&path)?;
        if path.join(EVENTS).try_exists()? {
            let text = format!("{} already holds a run", path.display());
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
        }
        Ok(Self { path })
    }

    /// Names the directory of a run that was made before.
    pub fn open(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes every event from now on, until the stream is closed.
    pub fn record(&self, stream: &Stream) -> io::Result<Recorder> {
        let events = File::create_new(self.path.join(EVENTS))?;
        let histograms = File::create_new(self.path.join(HISTOGRAMS))?;
        let subscription = stream.subscribe();
        let (stream, dir) = (stream.clone(), self.path.clone());
        let thread = thread::Builder::new().name("run-dir".to_owned()).spawn(move || {
            let result = write(subscription, &stream, events, histograms);
            if let Err(error) = &result {
                let message = format!("{} is no longer written: {error}", dir.display());
                stream.tell(Fact::Finding {
                    source: "run directory".to_owned(),
                    severity: Severity::Warning,
                    message,
                });
            }
            result
        })?;
        Ok(Recorder { thread })
    }

    /// Reads it back.
    pub fn read(&self) -> Result<Recorded, ReadError> {
        self.read_while(|_| true)
    }

    /// Reads back what was known when that stage began, and nothing of what came later. Without the stage it
    /// is everything.
    pub fn read_to(&self, last: Stage) -> Result<Recorded, ReadError> {
        self.read_while(|fact| !matches!(fact, Fact::StageStarted { stage } if *stage == last))
    }

    /// Reads up to and with the first fact for which this does not hold.
    fn read_while(&self, go_on: impl Fn(&Fact) -> bool) -> Result<Recorded, ReadError> {
        let path = self.path.join(EVENTS);
        let events = fs::read(&path)?;
        let histograms = match fs::read(self.path.join(HISTOGRAMS)) {
            Ok(histograms) => histograms,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        let (mut histograms, wrong) = Histograms::read(&histograms);
        let mut recorded =
            Recorded { observations: Observations::default(), torn: false, without_histograms: wrong };
        let mut count = 0_usize;
        let mut lines = events.split(|byte| *byte == b'\n').enumerate().peekable();
        while let Some((index, line)) = lines.next() {
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            // Only what ends in a line break was written to its end.
            if lines.peek().is_none() {
                recorded.torn = true;
                break;
            }
            let mut event: Event = serde_json::from_slice(line).map_err(|because| ReadError::Line {
                path: path.clone(),
                line: index + 1,
                because,
            })?;
            if let Fact::Interval(interval) = &mut event.fact {
                recorded.without_histograms += histograms.fill(interval);
            }
            recorded.observations.apply(&event);
            count += 1;
            if !go_on(&event.fact) {
                break;
            }
        }
        if count == 0 { Err(ReadError::Empty { path }) } else { Ok(recorded) }
    }
}

/// Writes a run's directory until the stream is closed.
#[derive(Debug)]
pub struct Recorder {
    thread: JoinHandle<io::Result<()>>,
}

impl Recorder {
    /// Waits until all is on disk. The stream must have been closed.
    pub fn finish(self) -> io::Result<()> {
        self.thread
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the writer of the run's directory panicked")))
    }
}

fn write(
    mut subscription: Subscription,
    stream: &Stream,
    events: File,
    mut histograms: File,
) -> io::Result<()> {
    let mut events = BufWriter::new(events);
    let mut serializer = V2DeflateSerializer::new();
    {
        // Line by line, so that histograms are there before the interval that refers to them.
        let mut lines = LineWriter::new(&mut histograms);
        let mut log = Writer::begin(&mut lines, &mut serializer, stream.clock().wall(0))?;
        let mut flushed = Instant::now();
        while let Some(event) = next(&mut subscription, &mut events)? {
            match &event.fact {
                Fact::Interval(interval) => {
                    log.write(interval)?;
                    let bare = Event { at: event.at, fact: Fact::Interval(without_histograms(interval)) };
                    line(&mut events, &bare)?;
                }
                Fact::Endpoint { index, endpoint } => {
                    log.name(*index, endpoint);
                    line(&mut events, &event)?;
                }
                _ => line(&mut events, &event)?,
            }
            if flushed.elapsed() >= FLUSH {
                events.flush()?;
                flushed = Instant::now();
            }
        }
    }
    events.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    histograms.sync_all()
}

/// The next event; before it has to wait for one, everything so far is flushed.
fn next(subscription: &mut Subscription, events: &mut impl Write) -> io::Result<Option<Arc<Event>>> {
    if let Ok(event) = subscription.try_recv() {
        return Ok(Some(event));
    }
    events.flush()?;
    Ok(subscription.blocking_recv())
}

fn line(events: &mut impl Write, event: &Event) -> io::Result<()> {
    serde_json::to_writer(&mut *events, event)?;
    events.write_all(b"\n")
}

fn without_histograms(interval: &Interval) -> Interval {
    let mut bare = interval.clone();
    for row in &mut bare.endpoints {
        (row.service, row.response, row.failed) = (Sparse::default(), Sparse::default(), Sparse::default());
    }
    bare
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::{Clock, Filter, Latency, Span, fixtures};

    /// A run's directory with the whole fixture in it.
    fn recorded(dir: &Path) -> RunDir {
        let run = RunDir::create(dir.join("run")).unwrap();
        let stream = Stream::new(Clock::start());
        let recorder = run.record(&stream).unwrap();
        for event in fixtures::run() {
            stream.tell_at(event.at, event.fact);
        }
        stream.close();
        recorder.finish().unwrap();
        run
    }

    #[test]
    fn reads_back_what_was_told() {
        let dir = tempfile::tempdir().unwrap();
        let run = recorded(dir.path());
        let told = fixtures::observations();
        let read = run.read().unwrap();
        assert!(!read.torn);
        assert_eq!(read.without_histograms, 0);
        for span in [Span::Whole, Span::OutsideFaults] {
            let all = Filter::all();
            assert_eq!(read.observations.totals(&all, &span, 0.0), told.totals(&all, &span, 0.0));
            for latency in [Latency::Service, Latency::Response] {
                let ps = [50.0, 95.0, 99.0];
                assert_eq!(
                    read.observations.percentiles(&all, &span, latency, &ps),
                    told.percentiles(&all, &span, latency, &ps)
                );
            }
        }
        assert_eq!(read.observations.verdicts(), told.verdicts());
        assert_eq!(read.observations.faults(), told.faults());
        assert_eq!(read.observations.ended(), told.ended());
    }

    #[test]
    fn lines_stay_free_of_histograms() {
        let dir = tempfile::tempdir().unwrap();
        let text = fs::read_to_string(recorded(dir.path()).path().join(EVENTS)).unwrap();
        assert!(!text.contains("\"response\""));
    }

    #[test]
    fn forgives_a_torn_last_line() {
        let dir = tempfile::tempdir().unwrap();
        let run = recorded(dir.path());
        let path = run.path().join(EVENTS);
        let mut events = fs::read(&path).unwrap();
        events.truncate(events.len() - 5);
        fs::write(&path, events).unwrap();
        let read = run.read().unwrap();
        assert!(read.torn);
        assert_eq!(read.observations.ended(), None);
    }

    #[test]
    fn reads_back_what_was_known_before() {
        let dir = tempfile::tempdir().unwrap();
        let run = recorded(dir.path());
        let (then, whole) = (run.read_to(Stage::Settle).unwrap(), run.read().unwrap());
        assert_eq!(then.observations.stages().last().map(|(stage, _)| *stage), Some(Stage::Settle));
        assert!(then.observations.verdicts().is_empty() && then.observations.ended().is_none());
        assert!(!then.torn);
        assert_eq!(whole.observations.verdicts().len(), 5);
    }

    #[test]
    fn says_which_line_is_wrong() {
        let dir = tempfile::tempdir().unwrap();
        let run = recorded(dir.path());
        fs::write(run.path().join(EVENTS), "{\"at\":1,\"fact\":\"load-ended\"}\n{\"at\":2}\n\n").unwrap();
        let error = run.read().unwrap_err().to_string();
        assert!(error.contains("events.jsonl: line 2 is not an event"), "{error}");
    }

    #[test]
    fn says_what_is_missing() {
        let dir = tempfile::tempdir().unwrap();
        let run = recorded(dir.path());
        fs::remove_file(run.path().join(HISTOGRAMS)).unwrap();
        let read = run.read().unwrap();
        assert!(read.without_histograms > 0);
        assert!(read.observations.totals(&Filter::all(), &Span::Whole, 0.0).unwrap().requests > 0);
    }

    #[test]
    fn refuses_a_directory_that_holds_a_run() {
        let dir = tempfile::tempdir().unwrap();
        recorded(dir.path());
        let error = RunDir::create(dir.path().join("run")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    }
}
