//! Which lines of a pod's log were passed on already: a log that is followed anew begins a little before
//! the point where it broke off.

use std::{collections::VecDeque, time::Duration};

use k8s_openapi::jiff::Timestamp;

/// How much before the last line a log is asked for again: a container's two streams are written down side
/// by side, and a line of one may come after a younger line of the other.
const OVERLAP: Duration = Duration::from_secs(2);

/// How long lines are remembered: longer than what is asked for again, which is cut to whole seconds.
const REMEMBERED: Duration = Duration::from_secs(10);

/// The last lines that were passed on, with their moments, which make each of them unlike all others.
#[derive(Debug, Default)]
pub(super) struct Log(VecDeque<(Timestamp, String)>);

impl Log {
    /// From when on to ask for the log; absent: from its beginning.
    pub(super) fn since(&self) -> Option<Timestamp> {
        let newest = self.newest()?;
        Timestamp::from_second((newest - OVERLAP).as_second()).ok()
    }

    /// What a line says, unless it was passed on before. A line begins with its moment.
    pub(super) fn fresh<'a>(&mut self, line: &'a str) -> Option<&'a str> {
        let Some((moment, text)) = line.split_once(' ') else { return Some(line) };
        let Ok(moment) = moment.parse::<Timestamp>() else { return Some(line) };
        if self.0.iter().any(|(_, seen)| seen == line) {
            return None;
        }
        self.0.push_back((moment, line.to_owned()));
        let newest = self.newest().unwrap_or(moment);
        self.0.retain(|(at, _)| *at >= newest - REMEMBERED);
        Some(text)
    }

    fn newest(&self) -> Option<Timestamp> {
        self.0.iter().map(|(at, _)| *at).max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: [&str; 4] = [
        "2026-11-21T10:00:00.100000001Z begins",
        "2026-11-21T10:00:01.5Z   0:01  phase one: 5 users",
        // Of the other stream, and so out of order.
        "2026-11-21T10:00:01.4Z   0:01  phase one: 5 users",
        "2026-11-21T10:00:20Z ends",
    ];

    #[test]
    fn a_log_that_is_asked_for_again_says_nothing_twice() {
        let mut log = Log::default();
        assert_eq!(log.since(), None);
        let first: Vec<_> = LINES[..3].iter().filter_map(|line| log.fresh(line)).collect();
        assert_eq!(first, ["begins", "  0:01  phase one: 5 users", "  0:01  phase one: 5 users"]);
        assert_eq!(log.since().map(|at| at.to_string()).as_deref(), Some("2026-11-21T09:59:59Z"));
        let again: Vec<_> = LINES.iter().filter_map(|line| log.fresh(line)).collect();
        assert_eq!(again, ["ends"]);
        assert_eq!(log.0.len(), 1, "what cannot come again is forgotten");
    }

    #[test]
    fn what_has_no_moment_is_passed_on_as_it_is() {
        let mut log = Log::default();
        assert_eq!(log.fresh("unable to retrieve container logs"), Some("unable to retrieve container logs"));
        assert_eq!(log.fresh(""), Some(""));
    }
}
