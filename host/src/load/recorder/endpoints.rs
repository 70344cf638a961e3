//! Names that requests are counted under.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use crate::observe::{Endpoint, Fact, Severity, Stream};

/// Most names of a run; the rest is counted under [`OTHER`].
const MOST: usize = 1_000;

/// Longest name kept, in bytes.
const LONGEST: usize = 200;

/// What names beyond the bound are counted under, one per task.
pub(super) const OTHER: &str = "(other)";

/// All endpoints seen so far. What is slow here happens once per name: callers remember the index.
#[derive(Debug)]
pub(super) struct Endpoints {
    stream: Stream,
    most: usize,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    all: Arc<Vec<Endpoint>>,
    indices: HashMap<Endpoint, u32>,
    names: usize,
    overflowed: bool,
}

impl Endpoints {
    pub(super) fn new(stream: Stream) -> Self {
        Self { stream, most: MOST, known: Mutex::default() }
    }

    /// The index of an endpoint. Told into the stream on first sight, and before any interval
    /// that has it.
    pub(super) fn index(&self, mut endpoint: Endpoint) -> u32 {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        shorten(&mut endpoint.name);
        if let Some(index) = known.indices.get(&endpoint) {
            return *index;
        }
        if known.names >= self.most {
            if !known.overflowed {
                known.overflowed = true;
                self.stream.tell(Fact::Finding {
                    source: "load".to_owned(),
                    severity: Severity::Warning,
                    message: format!(
                        "more than {} names of requests, first `{}` of task {}; the rest is counted as {OTHER}: \
                         give requests names without numbers in them",
                        self.most, endpoint.name, endpoint.task
                    ),
                });
            }
            endpoint.name = OTHER.to_owned();
            if let Some(index) = known.indices.get(&endpoint) {
                return *index;
            }
        } else {
            known.names += 1;
        }
        let index = u32::try_from(known.all.len()).unwrap_or(u32::MAX);
        Arc::make_mut(&mut known.all).push(endpoint.clone());
        known.indices.insert(endpoint.clone(), index);
        self.stream.tell(Fact::Endpoint { index, endpoint });
        index
    }

    /// All endpoints, by index.
    pub(super) fn all(&self) -> Arc<Vec<Endpoint>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).all.clone()
    }
}

fn shorten(name: &mut String) {
    if name.len() > LONGEST {
        name.truncate(name.floor_char_boundary(LONGEST - '…'.len_utf8()));
        name.push('…');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::Clock;

    fn endpoint(name: &str) -> Endpoint {
        Endpoint {
            behavior: "visitor".to_owned(),
            group: "catalogue".to_owned(),
            task: "browse".to_owned(),
            name: name.to_owned(),
            probe: false,
        }
    }

    #[test]
    fn names_beyond_the_bound_are_one() {
        let stream = Stream::new(Clock::start());
        let mut told = stream.subscribe();
        let endpoints = Endpoints { most: 2, ..Endpoints::new(stream) };
        let indices = ["a", "b", "a", "c", "d", "b"].map(|name| endpoints.index(endpoint(name)));
        assert_eq!(indices, [0, 1, 0, 2, 2, 1]);
        let mut facts = Vec::new();
        while let Ok(event) = told.try_recv() {
            facts.push(match &event.fact {
                Fact::Endpoint { index, endpoint } => format!("{index} {}", endpoint.name),
                Fact::Finding { message, .. } => message.clone(),
                other => format!("{other:?}"),
            });
        }
        insta::assert_debug_snapshot!(facts);
    }

    #[test]
    fn long_names_are_cut_between_characters() {
        let mut name = "ä".repeat(200);
        shorten(&mut name);
        assert!(name.len() <= LONGEST && name.ends_with("ä…"));
    }
}
