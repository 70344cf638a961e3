//! What one plugin tells into the run's stream, bounded.
//!
//! A thousand users that fail alike in one second are one event with a count; a plugin that floods
//! its log is heard a hundred lines a second, and how many were dropped is told.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::text::cut;
use crate::observe::{Fact, Level, Nanos, PluginFailureKind, Severity, Stream};

const LINES_A_SECOND: u32 = 100;
/// Different failures kept apart in one second; what goes beyond is folded by kind.
const FAILURES_A_SECOND: usize = 20;
/// Different findings of one plugin in a run.
const FINDINGS: usize = 100;
const SECOND: Nanos = 1_000_000_000;

/// One plugin's voice in a run, shared by all of its instances.
#[derive(Debug)]
pub struct Voice {
    plugin: String,
    stream: Stream,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The second that the counts below are of.
    second: u64,
    lines: u32,
    dropped: u64,
    dropped_in_all: u64,
    failures: HashMap<Likeness, u64>,
    findings: HashSet<String>,
}

/// What makes two failures alike.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Likeness {
    call: &'static str,
    kind: PluginFailureKind,
    message: String,
}

impl Voice {
    /// A voice under the plugin's name.
    pub fn new(plugin: &str, stream: Stream) -> Self {
        Self { plugin: plugin.to_owned(), stream, state: Mutex::default() }
    }

    /// The stream that it tells into.
    pub fn stream(&self) -> &Stream {
        &self.stream
    }

    /// A line of the plugin's log.
    pub fn log(&self, level: Level, message: String) {
        let mut state = self.current();
        if state.lines == LINES_A_SECOND {
            state.dropped += 1;
            return;
        }
        state.lines += 1;
        drop(state);
        self.stream.tell(Fact::PluginLog { plugin: self.plugin.clone(), level, message: cut(message) });
    }

    /// A call that went wrong. The first of its like in a second is told at once, the others in one
    /// event when that second is over.
    pub fn failed(&self, call: &'static str, kind: PluginFailureKind, message: &str) {
        let mut state = self.current();
        let mut likeness = Likeness { call, kind, message: cut(message.to_owned()) };
        if !state.failures.contains_key(&likeness) && state.failures.len() >= FAILURES_A_SECOND {
            likeness.message = "(more, with other messages)".to_owned();
        }
        match state.failures.get_mut(&likeness) {
            Some(folded) => *folded += 1,
            None => {
                state.failures.insert(likeness.clone(), 0);
                drop(state);
                self.tell_failure(likeness, 1);
            }
        }
    }

    /// Something that whoever reads the report should know, told once.
    pub fn finding(&self, severity: Severity, message: String) {
        let message = cut(message);
        let mut state = self.current();
        if state.findings.len() < FINDINGS && state.findings.insert(message.clone()) {
            drop(state);
            self.stream.tell(Fact::Finding { source: self.plugin.clone(), severity, message });
        }
    }

    /// Tells what is left of seconds that are over.
    pub(crate) fn turn(&self) {
        drop(self.current());
    }

    /// The state, after telling what is left of seconds that are over.
    fn current(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let second = self.stream.clock().now() / SECOND;
        if second != state.second {
            self.settle(&mut state);
            state.second = second;
        }
        state
    }

    fn settle(&self, state: &mut State) {
        state.lines = 0;
        for (likeness, folded) in state.failures.drain() {
            if folded > 0 {
                self.tell_failure(likeness, folded);
            }
        }
        let dropped = std::mem::take(&mut state.dropped);
        if dropped > 0 {
            state.dropped_in_all += dropped;
            let message = format!("{dropped} lines were dropped: more than {LINES_A_SECOND} in one second");
            self.stream.tell(Fact::PluginLog { plugin: self.plugin.clone(), level: Level::Warn, message });
        }
    }

    fn tell_failure(&self, likeness: Likeness, count: u64) {
        let Likeness { call, kind, message } = likeness;
        let (plugin, call) = (self.plugin.clone(), call.to_owned());
        self.stream.tell(Fact::PluginFailed { plugin, call, kind, message, count });
    }
}

impl Drop for Voice {
    fn drop(&mut self) {
        let mut state = std::mem::take(self.state.get_mut().unwrap_or_else(PoisonError::into_inner));
        self.settle(&mut state);
        if state.dropped_in_all > 0 {
            let message = format!(
                "{} lines of its log were dropped: more than {LINES_A_SECOND} in one second",
                state.dropped_in_all
            );
            let source = self.plugin.clone();
            self.stream.tell(Fact::Finding { source, severity: Severity::Warning, message });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::{Clock, Subscription};

    fn voice() -> (Voice, Subscription) {
        let stream = Stream::new(Clock::start());
        let events = stream.subscribe();
        (Voice::new("noisy", stream), events)
    }

    fn told(mut events: Subscription) -> Vec<Fact> {
        let mut facts = Vec::new();
        while let Ok(event) = events.try_recv() {
            facts.push(event.fact.clone());
        }
        facts
    }

    #[test]
    fn like_failures_are_folded_and_none_is_lost() {
        let (voice, events) = voice();
        for _ in 0..1000 {
            voice.failed("run", PluginFailureKind::Trapped, "unreachable");
        }
        drop(voice);
        let facts = told(events);
        assert!(facts.len() <= 4, "{}", facts.len());
        let total: u64 = facts
            .iter()
            .map(|fact| match fact {
                Fact::PluginFailed { count, .. } => *count,
                other => panic!("{other:?}"),
            })
            .sum();
        assert_eq!(total, 1000);
    }

    #[test]
    fn failures_that_are_all_different_stay_few() {
        let (voice, events) = voice();
        for index in 0..1000 {
            voice.failed("run", PluginFailureKind::Failed, &format!("order {index}"));
        }
        drop(voice);
        assert!(told(events).len() <= 3 * (FAILURES_A_SECOND + 2));
    }

    #[test]
    fn a_flood_of_lines_is_counted() {
        let (voice, events) = voice();
        for index in 0..10_000 {
            voice.log(Level::Info, format!("line {index}"));
        }
        drop(voice);
        let facts = told(events);
        assert!(facts.len() < 500, "{}", facts.len());
        let Some(Fact::Finding { message, .. }) = facts.last() else { panic!("{facts:?}") };
        assert!(message.ends_with("lines of its log were dropped: more than 100 in one second"), "{message}");
    }

    #[test]
    fn a_finding_is_told_once() {
        let (voice, events) = voice();
        for _ in 0..3 {
            voice.finding(Severity::Warning, "bad expression".to_owned());
        }
        drop(voice);
        assert_eq!(told(events).len(), 1);
    }
}
