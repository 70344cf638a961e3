//! What a user is doing right now, so that its requests are counted where they belong.
//!
//! The HTTP client of a user lives inside the plugin's instance and cannot be reached while the
//! plugin runs. Both hold the same [`Scope`]: the user's loop writes it, the client reads it.

use std::{
    collections::HashMap,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use crate::observe::{Endpoint, Nanos};

use super::{persona::Plan, recorder::Recorder};

/// Group and task of what happens outside of tasks.
const START: &str = "(start)";
const STOP: &str = "(stop)";

/// Most names per task that are remembered here; the recorder's own bound is no higher.
const REMEMBERED: usize = 1_000;

/// The tasks of one behavior, shared by its users.
#[derive(Debug)]
pub struct Tasks {
    recorder: Arc<Recorder>,
    behavior: String,
    /// Are they a probe's?
    probe: bool,
    /// Those of the plan, then starting, then stopping.
    tasks: Vec<TaskNames>,
}

#[derive(Debug)]
struct TaskNames {
    group: String,
    task: String,
    /// Endpoints by the names of their requests.
    known: RwLock<HashMap<String, u32>>,
}

/// One user's place in its behavior.
#[derive(Debug)]
pub struct Scope {
    tasks: Arc<Tasks>,
    current: AtomicUsize,
    /// When the next request should have been sent, if that has passed already; else 0.
    intended: AtomicU64,
}

/// What a user may be at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    Start,
    Task(u32),
    Stop,
}

impl Tasks {
    pub fn new(recorder: Arc<Recorder>, behavior: &str, plan: &Plan) -> Self {
        let outside = |name: &str| TaskNames {
            group: name.to_owned(),
            task: name.to_owned(),
            known: RwLock::default(),
        };
        let tasks = plan.tasks.iter().map(|task| TaskNames {
            group: task.group.clone(),
            task: task.name.clone(),
            known: RwLock::default(),
        });
        let tasks = tasks.chain([outside(START), outside(STOP)]).collect();
        Self { recorder, behavior: behavior.to_owned(), probe: false, tasks }
    }

    /// The same, as a probe's.
    pub fn of_probe(self) -> Self {
        Self { probe: true, ..self }
    }

    fn place(&self, activity: Activity) -> usize {
        let planned = self.tasks.len() - 2;
        match activity {
            // A task that the plan does not have cannot be drawn.
            Activity::Task(task) => usize::try_from(task).unwrap_or(planned).min(planned),
            Activity::Start => planned,
            Activity::Stop => planned + 1,
        }
    }
}

impl Scope {
    /// A user about to start.
    pub fn new(tasks: Arc<Tasks>) -> Self {
        let start = tasks.place(Activity::Start);
        Self { tasks, current: AtomicUsize::new(start), intended: AtomicU64::new(0) }
    }

    pub fn recorder(&self) -> &Arc<Recorder> {
        &self.tasks.recorder
    }

    /// From now on requests belong to this. `intended` is when it should have begun, if it is late.
    pub fn enter(&self, activity: Activity, intended: Option<Nanos>) {
        self.current.store(self.tasks.place(activity), Ordering::Relaxed);
        self.intended.store(intended.unwrap_or(0), Ordering::Relaxed);
    }

    /// When the request about to be sent should have been sent, if it is late. Only the first
    /// request of a task is: the others follow from what was answered.
    pub fn take_intended(&self) -> Option<Nanos> {
        match self.intended.swap(0, Ordering::Relaxed) {
            0 => None,
            intended => Some(intended),
        }
    }

    /// The endpoint of a request with this name, sent now.
    pub fn endpoint(&self, name: &str) -> u32 {
        let task = &self.tasks.tasks[self.current.load(Ordering::Relaxed)];
        let known = task.known.read().unwrap_or_else(PoisonError::into_inner).get(name).copied();
        known.unwrap_or_else(|| {
            let index = self.tasks.recorder.endpoint(Endpoint {
                behavior: self.tasks.behavior.clone(),
                group: task.group.clone(),
                task: task.task.clone(),
                name: name.to_owned(),
                probe: self.tasks.probe,
            });
            let mut known = task.known.write().unwrap_or_else(PoisonError::into_inner);
            if known.len() < REMEMBERED {
                known.insert(name.to_owned(), index);
            }
            index
        })
    }
}
