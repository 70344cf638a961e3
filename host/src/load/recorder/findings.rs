//! Why requests failed, in words: once for each class of failure of each endpoint.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use crate::{
    load::limits::Shortage,
    observe::{Endpoint, ErrorClass, Fact, Severity, Stream},
};

/// Most first failures that are explained.
const MOST: usize = 50;

/// Longest text kept, in bytes.
const LONGEST: usize = 300;

#[derive(Debug)]
pub(super) struct Findings {
    stream: Stream,
    /// Endpoints and classes that were explained.
    explained: Mutex<BTreeSet<(u32, ErrorClass)>>,
    short_of: Mutex<BTreeSet<Shortage>>,
}

impl Findings {
    pub(super) fn new(stream: Stream) -> Self {
        Self { stream, explained: Mutex::default(), short_of: Mutex::default() }
    }

    /// Is this the first failure of its kind there, and is there room to explain it?
    pub(super) fn is_new(&self, endpoint: u32, class: ErrorClass) -> bool {
        let mut explained = self.explained.lock().unwrap_or_else(PoisonError::into_inner);
        explained.len() < MOST && explained.insert((endpoint, class))
    }

    /// Is it the first time that the generator itself has nothing left of this?
    pub(super) fn is_first(&self, of: Shortage) -> bool {
        self.short_of.lock().unwrap_or_else(PoisonError::into_inner).insert(of)
    }

    pub(super) fn explain(&self, endpoint: Option<&Endpoint>, class: ErrorClass, because: &str) {
        let place = match endpoint {
            Some(endpoint) => format!("{} in task {} of {}", endpoint.name, endpoint.task, endpoint.behavior),
            None => "a request".to_owned(),
        };
        let message = format!("first failure of its kind: {place} ({}): {}", class.name(), shorten(because));
        self.stream.tell(Fact::Finding { source: "load".to_owned(), severity: Severity::Note, message });
    }
}

fn shorten(text: &str) -> &str {
    &text[..text.floor_char_boundary(LONGEST)]
}
