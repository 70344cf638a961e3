//! The queue between those who ask for work and the workers, in Redis.
//!
//! A job moves from the queue to a list of its worker's own in one step, and leaves that list when
//! it is done; the jobs of a worker that died are put back by the others. So a job may be done
//! twice, but is not lost with its worker, and doing it twice changes nothing.

use serde::{Deserialize, Serialize};

use crate::store::{Store, StoreError};

/// The list from which workers take jobs.
pub(crate) const QUEUE: &str = "shop:jobs";

/// A piece of work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Job {
    /// A name of its own, under which the result is found.
    pub(crate) id: String,
    /// The shop that it is for.
    pub(crate) tenant: i32,
    /// What to do.
    pub(crate) task: Task,
}

/// What there is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Task {
    /// Sum up the sales of the last days.
    SalesReport {
        /// How many days.
        days: i32,
    },
    /// Note which products must be ordered anew.
    StockAlerts,
}

impl Job {
    /// A new job with a fresh name.
    pub(crate) fn new(tenant: i32, task: Task) -> Self {
        Self { id: uuid::Uuid::new_v4().simple().to_string(), tenant, task }
    }
}

/// Puts a job into the queue.
pub(crate) async fn enqueue(store: &Store, job: &Job) -> anyhow::Result<Result<(), StoreError>> {
    let text = serde_json::to_string(job)?;
    Ok(store.run::<i64>(redis::cmd("LPUSH").arg(QUEUE).arg(text)).await.map(drop))
}

/// How many jobs wait.
pub(crate) async fn waiting(store: &Store) -> Result<i64, StoreError> {
    store.run(redis::cmd("LLEN").arg(QUEUE)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_survive_the_queue() {
        for task in [Task::StockAlerts, Task::SalesReport { days: 7 }] {
            let job = Job::new(3, task);
            let text = serde_json::to_string(&job).expect("a job is plain data");
            assert_eq!(serde_json::from_str::<Job>(&text).expect("what was written"), job);
        }
    }
}
