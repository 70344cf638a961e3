//! The scheduler mode: asks for stock alerts of every tenant, again and again. Several schedulers
//! may run; a key in Redis makes sure that each round is asked for once.

use std::time::Duration;

use crate::config::{DatabaseOptions, RedisOptions, SchedulerOptions};
use crate::data::Database;
use crate::jobs::{self, Job, Task};
use crate::shutdown::Shutdown;
use crate::store::Store;

/// Time between two attempts while something is away.
const RETRY_EVERY: Duration = Duration::from_secs(1);

/// Jobs that may wait before no more are added: workers that are away must not come back to a
/// heap of the same work.
const BACKLOG: i64 = 1_000;

/// Runs the scheduler mode until a signal ends it.
pub(crate) async fn run(
    options: SchedulerOptions,
    database: &DatabaseOptions,
    redis: &RedisOptions,
) -> anyhow::Result<()> {
    let mut shutdown = Shutdown::on_signal()?;
    let database = Database::new(database)?;
    let store = Store::new(redis)?;
    let every = options.every.0;
    tracing::info!("scheduling every {every:?}");
    loop {
        let pause = match round(&database, &store, every).await {
            Ok(count) => {
                tracing::debug!("{count} jobs enqueued");
                every
            }
            Err(error) => {
                tracing::info!("round postponed: {error:#}");
                RETRY_EVERY
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = shutdown.wait() => return Ok(()),
        }
    }
}

/// Enqueues one job for each tenant whose turn nobody else took.
async fn round(database: &Database, store: &Store, every: Duration) -> anyhow::Result<usize> {
    let tenants = database.read("SELECT id FROM tenants ORDER BY id", &[]).await?;
    if jobs::waiting(store).await? >= BACKLOG {
        anyhow::bail!("{BACKLOG} jobs wait already");
    }
    // A little less than the period, so that the next round of the same scheduler finds it gone.
    let hold = u64::try_from(every.mul_f64(0.9).as_millis()).unwrap_or(u64::MAX).max(1);
    let mut count = 0;
    for row in tenants {
        let tenant: i32 = row.get(0);
        let mut turn = redis::cmd("SET");
        turn.arg(format!("shop:turn:stock-alerts:{tenant}")).arg("1").arg("NX").arg("PX").arg(hold);
        let is_ours = store.run::<Option<String>>(&turn).await?.is_some();
        if is_ours {
            jobs::enqueue(store, &Job::new(tenant, Task::StockAlerts)).await??;
            count += 1;
        }
    }
    Ok(count)
}
