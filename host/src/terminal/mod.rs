//! Progress while a run goes on, on standard error, and the verdict at its end, on standard output.
//!
//! On a terminal a status of two lines follows the run, under the lines of what was notable. Where
//! nobody watches there are only lines: what was notable, and the status every ten seconds.

mod line;
mod notable;
mod status;
mod verdict;

use std::{
    io::{self, IsTerminal, Write},
    time::Duration,
};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::{task::JoinHandle, time::MissedTickBehavior};

use self::{notable::Notable, status::Status};
use crate::observe::{Clock, Live, Nanos, Subscription, figures, nanos};

pub use verdict::verdict;

/// How much of the run is shown while it goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Nothing.
    Quiet,
    /// Lines.
    Plain,
    /// Lines, and a status that is drawn anew.
    Status,
}

impl Mode {
    /// What suits standard error.
    fn detect(quiet: bool) -> Self {
        match (quiet, io::stderr().is_terminal()) {
            (true, _) => Self::Quiet,
            (false, true) => Self::Status,
            (false, false) => Self::Plain,
        }
    }

    /// How often the status is shown, and over how much of the past.
    fn pace(self) -> (Duration, Nanos) {
        let (every, window) = match self {
            Self::Quiet | Self::Plain => (Duration::from_secs(10), Duration::from_secs(10)),
            Self::Status => (Duration::from_secs(1), Duration::from_secs(5)),
        };
        (every, nanos(window))
    }
}

/// Shows a run until its stream is closed.
#[derive(Debug)]
pub struct Progress {
    task: Option<JoinHandle<()>>,
}

impl Progress {
    /// Shows everything from now on, as suits standard error. Must be called on a runtime.
    pub fn follow(live: &Live, quiet: bool) -> Self {
        Self::start(live, Mode::detect(quiet))
    }

    fn start(live: &Live, mode: Mode) -> Self {
        let stream = live.stream();
        let screen: Box<dyn Screen> = match mode {
            Mode::Quiet => return Self { task: None },
            Mode::Plain => Box::new(Lines),
            Mode::Status => Box::new(Drawn::new()),
        };
        let task = show(stream.subscribe(), live.clone(), stream.clock(), mode, screen);
        Self { task: Some(tokio::spawn(task)) }
    }

    /// Waits until the last line is out. The stream must have been closed.
    pub async fn finish(self) {
        if let Some(task) = self.task {
            // It can only have panicked, and what is shown must not decide what comes of a run.
            let _ = task.await;
        }
    }
}

/// Where progress is shown.
trait Screen: Send {
    fn line(&mut self, line: &str);
    fn status(&mut self, now: Nanos, status: &Status);
    fn clear(&mut self);
}

async fn show(mut events: Subscription, live: Live, clock: Clock, mode: Mode, mut screen: Box<dyn Screen>) {
    let (every, window) = mode.pace();
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut notable = Notable::default();
    loop {
        tokio::select! {
            // First what happened, so that the status never runs ahead of it.
            biased;
            event = events.recv() => match event {
                Some(event) => {
                    if let Some(line) = notable.line(&event) {
                        screen.line(&line);
                    }
                }
                None => break,
            },
            _ = ticks.tick() => {
                let now = clock.now();
                let status = Status::of(&live.observations(), now, window);
                screen.status(now, &status);
            }
        }
    }
    screen.clear();
}

/// Lines only.
struct Lines;

impl Screen for Lines {
    fn line(&mut self, line: &str) {
        // Nobody may be there to read; the run goes on.
        let _ = writeln!(io::stderr().lock(), "{line}");
    }

    fn status(&mut self, now: Nanos, status: &Status) {
        if !status.load.is_empty() {
            self.line(&format!("{:>7}  {}", figures::moment(now), status.line()));
        }
    }

    fn clear(&mut self) {}
}

/// Lines above a status that is drawn anew.
struct Drawn {
    all: MultiProgress,
    course: ProgressBar,
    load: ProgressBar,
}

impl Drawn {
    fn new() -> Self {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
        let course = all.add(ProgressBar::new(1));
        let load = all.add(ProgressBar::new_spinner());
        load.set_style(message_only());
        Self { all, course, load }
    }
}

/// A bar that is only its text. Templates are constants; a wrong one would fall back to the default.
fn message_only() -> ProgressStyle {
    ProgressStyle::with_template("{wide_msg}").unwrap_or_else(|_| ProgressStyle::default_spinner())
}

impl Screen for Drawn {
    fn line(&mut self, line: &str) {
        let _ = self.all.println(line);
    }

    fn status(&mut self, _: Nanos, status: &Status) {
        match status.course {
            Some(course) => {
                let bar = ProgressStyle::with_template("{prefix} [{bar:40}] {msg}");
                self.course
                    .set_style(bar.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "));
                self.course.set_length(course.planned.max(1));
                self.course.set_position(course.elapsed.min(course.planned));
                self.course.set_prefix(status.doing.clone());
                self.course.set_message(format!("{} left", figures::duration(course.left())));
            }
            None => {
                self.course.set_style(message_only());
                self.course.set_message(status.doing.clone());
            }
        }
        let parts = status.fault.iter().cloned().chain([status.load.clone()]);
        self.load.set_message(parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" | "));
        self.course.tick();
        self.load.tick();
    }

    fn clear(&mut self) {
        let _ = self.all.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::observe::{Stream, fixtures};

    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<String>>>);

    impl Screen for Paper {
        fn line(&mut self, line: &str) {
            self.0.lock().unwrap().push(line.to_owned());
        }

        fn status(&mut self, _: Nanos, status: &Status) {
            self.line(&status.line());
        }

        fn clear(&mut self) {
            self.line("cleared");
        }
    }

    #[tokio::test]
    async fn follows_a_run_to_its_end() {
        let stream = Stream::new(Clock::start());
        let live = Live::follow(&stream).unwrap();
        let paper = Paper::default();
        let shown = show(stream.subscribe(), live, stream.clock(), Mode::Plain, Box::new(paper.clone()));
        for event in fixtures::run() {
            stream.tell_at(event.at, event.fact);
        }
        stream.close();
        shown.await;
        let lines = paper.0.lock().unwrap();
        assert!(lines.iter().any(|line| line.contains("STRUCK: killed all processes, held")));
        assert_eq!(lines.last().unwrap(), "cleared");
    }

    #[tokio::test]
    async fn quiet_shows_nothing_and_ends() {
        let stream = Stream::new(Clock::start());
        let live = Live::follow(&stream).unwrap();
        Progress::start(&live, Mode::Quiet).finish().await;
        stream.close();
    }
}
