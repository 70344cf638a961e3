//! Progress while a run goes on, on standard error, and the verdict at its end, on standard output.
//!
//! On a terminal the status of the moment follows the run, under the lines of what was notable. Where
//! nobody watches there are only lines: what was notable, and the status every ten seconds.

#[cfg(test)]
mod fake;
mod layout;
mod line;
mod notable;
mod status;
mod verdict;

use std::{
    io::{self, IsTerminal, Write},
    time::Duration,
};

use comfy_table::Table;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::{task::JoinHandle, time::MissedTickBehavior};

use self::{layout::lay_out, notable::Notable, status::Status};
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
    bar: ProgressBar,
    /// Columns of the terminal, asked anew each time: windows change.
    width: fn() -> Option<u16>,
}

/// What a terminal that does not say has.
const USUAL_WIDTH: u16 = 80;

impl Drawn {
    fn new() -> Self {
        Self::on(ProgressDrawTarget::stderr(), || Table::new().use_stderr().width())
    }

    fn on(target: ProgressDrawTarget, width: fn() -> Option<u16>) -> Self {
        let bar = ProgressBar::with_draw_target(None, target);
        // The template is a constant; were it wrong, the status would look different and no more.
        bar.set_style(
            ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_spinner()),
        );
        Self { bar, width }
    }
}

impl Screen for Drawn {
    fn line(&mut self, line: &str) {
        self.bar.println(line);
    }

    fn status(&mut self, _: Nanos, status: &Status) {
        let width = (self.width)().filter(|width| *width > 0).unwrap_or(USUAL_WIDTH);
        // Not to the last column: some terminals begin a new line there.
        let lines = lay_out(status, usize::from(width) - 1);
        self.bar.set_message(lines.join("\n"));
        self.bar.tick();
    }

    fn clear(&mut self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::{
        fake::{COLUMNS, Terminal},
        *,
    };
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

    #[test]
    fn a_narrow_terminal_shows_one_status_and_no_remains_of_others() {
        let terminal = Terminal::default();
        let mut drawn =
            Drawn::on(ProgressDrawTarget::term_like(Box::new(terminal.clone())), || Some(COLUMNS as u16));
        for second in [20, 46, 60, 73] {
            drawn.line(&format!("second {second}"));
            drawn.status(0, &status::tests::at(second * 1_000_000_000));
        }
        insta::assert_snapshot!(terminal.shown());
        drawn.clear();
        assert!(terminal.shown().ends_with("second 73"), "{}", terminal.shown());
    }

    #[tokio::test]
    async fn quiet_shows_nothing_and_ends() {
        let stream = Stream::new(Clock::start());
        let live = Live::follow(&stream).unwrap();
        Progress::start(&live, Mode::Quiet).finish().await;
        stream.close();
    }
}
