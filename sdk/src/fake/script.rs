//! Scripted answers: given in order, the last one again and again.

use std::collections::{HashMap, VecDeque};

/// Answers by what was asked.
#[derive(Debug)]
pub(super) struct Script<A> {
    answers: HashMap<String, VecDeque<A>>,
}

impl<A> Default for Script<A> {
    fn default() -> Self {
        Script { answers: HashMap::new() }
    }
}

impl<A: Clone> Script<A> {
    /// Adds an answer behind those that are there.
    pub(super) fn add(&mut self, question: String, answer: A) {
        self.answers.entry(question).or_default().push_back(answer);
    }

    /// Replaces all answers to a question.
    pub(super) fn set(&mut self, question: String, answer: A) {
        self.answers.insert(question, VecDeque::from([answer]));
    }

    pub(super) fn answer(&mut self, question: &str) -> Option<A> {
        let queue = self.answers.get_mut(question)?;
        if queue.len() > 1 { queue.pop_front() } else { queue.front().cloned() }
    }
}
