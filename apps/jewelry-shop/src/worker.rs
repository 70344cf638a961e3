//! The worker mode: takes jobs from the queue, one at a time, for as long as it lives. When Redis
//! or the database is away it waits; a job that could not be done stays its own until it can.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{RedisError, cmd};
use tokio_postgres::types::Type;

use crate::config::{DatabaseOptions, RedisOptions, WorkerOptions};
use crate::data::{DataError, Database};
use crate::jobs::{self, Job, Task};
use crate::shutdown::Shutdown;
use crate::store::Store;

/// Those who said that they live, with the moment until which that is believed.
const WORKERS: &str = "shop:workers";

/// How long one look at an empty queue lasts, in seconds.
const LOOK: f64 = 2.0;

/// Time between two attempts while something is away.
const RETRY_EVERY: Duration = Duration::from_millis(500);

/// A worker: its name, the list of jobs that it has begun, and where it works.
#[derive(Debug)]
struct Worker {
    name: String,
    database: Database,
    store: Store,
    lease: Duration,
}

/// Runs the worker mode until a signal ends it.
pub(crate) async fn run(
    options: WorkerOptions,
    database: &DatabaseOptions,
    redis: &RedisOptions,
) -> anyhow::Result<()> {
    let mut shutdown = Shutdown::on_signal()?;
    let worker = Worker {
        name: uuid::Uuid::new_v4().simple().to_string(),
        database: Database::new(database)?,
        store: Store::new(redis)?,
        lease: options.lease.0,
    };
    tracing::info!("worker {} waits for jobs", worker.name);
    let mut told = String::new();
    while !shutdown.is_set() {
        let connection = tokio::select! {
            // The look at an empty queue must not count as silence.
            result = worker.store.dial().connect(Duration::from_secs(5)) => result,
            () = shutdown.wait() => break,
        };
        let error = match connection {
            Ok(connection) => {
                if !told.is_empty() {
                    tracing::info!("redis connected");
                    told.clear();
                }
                match worker.take_jobs(connection, &mut shutdown).await {
                    Ok(()) => break,
                    Err(error) => error,
                }
            }
            Err(error) => error,
        };
        let text = error.to_string();
        if text != told {
            tracing::warn!("redis away: {text}");
            told = text;
        }
        tokio::time::sleep(RETRY_EVERY).await;
    }
    Ok(())
}

impl Worker {
    fn own_list(&self) -> String {
        list_of(&self.name)
    }

    /// Takes jobs until told to stop, or until Redis fails.
    async fn take_jobs(
        &self,
        mut redis: MultiplexedConnection,
        shutdown: &mut Shutdown,
    ) -> Result<(), RedisError> {
        while !shutdown.is_set() {
            self.sign_on(&mut redis).await?;
            self.take_over(&mut redis).await?;
            // What was begun before a fault comes first.
            let begun: Option<String> =
                cmd("LINDEX").arg(self.own_list()).arg(-1).query_async(&mut redis).await?;
            let text = match begun {
                Some(text) => Some(text),
                None => {
                    let mut look = cmd("BLMOVE");
                    look.arg(jobs::QUEUE).arg(self.own_list()).arg("RIGHT").arg("LEFT").arg(LOOK);
                    tokio::select! {
                        text = look.query_async::<Option<String>>(&mut redis) => text?,
                        // A job that arrives in this moment lies in the list of a worker that is
                        // gone, and the others take it over.
                        () = shutdown.wait() => break,
                    }
                }
            };
            let Some(text) = text else { continue };
            if self.settle(&mut redis, &text, shutdown).await? {
                cmd("LREM").arg(self.own_list()).arg(1).arg(&text).exec_async(&mut redis).await?;
            }
        }
        self.sign_off(&mut redis).await
    }

    /// Does a job, however long the database stays away. False if told to stop before.
    async fn settle(
        &self,
        redis: &mut MultiplexedConnection,
        text: &str,
        shutdown: &mut Shutdown,
    ) -> Result<bool, RedisError> {
        let Ok(job) = serde_json::from_str::<Job>(text) else {
            tracing::error!("dropped a job that cannot be read: {text}");
            return Ok(true);
        };
        loop {
            match self.work(&job).await {
                Ok(()) => return Ok(true),
                Err(error) if error.is_passing() => tracing::debug!("job waits: {error}"),
                Err(error) => {
                    tracing::error!("dropped job {}: {error}", job.id);
                    return Ok(true);
                }
            }
            tokio::select! {
                () = tokio::time::sleep(RETRY_EVERY) => {}
                () = shutdown.wait() => return Ok(false),
            }
            self.sign_on(redis).await?;
        }
    }

    async fn work(&self, job: &Job) -> Result<(), DataError> {
        let mut connection = self.database.connection().await?;
        let (sql, days) = match job.task {
            Task::SalesReport { days } => (SALES_REPORT, Some(days)),
            Task::StockAlerts => (STOCK_ALERTS, None),
        };
        let tenant = (&job.tenant as _, Type::INT4);
        match days {
            Some(days) => {
                connection.execute(sql, &[tenant, (&job.id, Type::TEXT), (&days, Type::INT4)]).await
            }
            None => connection.execute(sql, &[tenant]).await,
        }
        .map(drop)
    }

    /// Says that this worker lives.
    async fn sign_on(&self, redis: &mut MultiplexedConnection) -> Result<(), RedisError> {
        let (now, _): (u64, u64) = cmd("TIME").query_async(redis).await?;
        let until = now + self.lease.as_secs();
        cmd("ZADD").arg(WORKERS).arg(until).arg(&self.name).exec_async(redis).await
    }

    /// Puts the jobs of silent workers back into the queue.
    async fn take_over(&self, redis: &mut MultiplexedConnection) -> Result<(), RedisError> {
        let (now, _): (u64, u64) = cmd("TIME").query_async(redis).await?;
        let silent: Vec<String> =
            cmd("ZRANGEBYSCORE").arg(WORKERS).arg("-inf").arg(now).query_async(redis).await?;
        for name in silent {
            let list = list_of(&name);
            let mut back = cmd("LMOVE");
            back.arg(&list).arg(jobs::QUEUE).arg("RIGHT").arg("RIGHT");
            while back.query_async::<Option<String>>(redis).await?.is_some() {
                tracing::info!("took over a job of worker {name}");
            }
            cmd("ZREM").arg(WORKERS).arg(&name).exec_async(redis).await?;
        }
        Ok(())
    }

    /// Leaves what was begun to the others at once.
    async fn sign_off(&self, redis: &mut MultiplexedConnection) -> Result<(), RedisError> {
        cmd("ZADD").arg(WORKERS).arg(0).arg(&self.name).exec_async(redis).await
    }
}

fn list_of(worker: &str) -> String {
    format!("shop:jobs:of:{worker}")
}

const SALES_REPORT: &str = "
    INSERT INTO reports (tenant_id, job, days, sales, total_cents, best_seller)
    SELECT $1, $2, $3, count(*), coalesce(sum(total_cents), 0)::int8, (
        SELECT products.sku
        FROM sales JOIN sale_items ON sale_items.tenant_id = $1 AND sale_items.sale_id = sales.id
        JOIN products ON products.tenant_id = $1 AND products.id = sale_items.product_id
        WHERE sales.tenant_id = $1 AND sales.sold_at >= now() - make_interval(days => $3)
        GROUP BY products.sku ORDER BY sum(sale_items.quantity) DESC, products.sku LIMIT 1)
    FROM sales WHERE tenant_id = $1 AND sold_at >= now() - make_interval(days => $3)
    ON CONFLICT DO NOTHING";

const STOCK_ALERTS: &str = "
    WITH low AS (
        SELECT product_id, quantity FROM stock WHERE tenant_id = $1 AND quantity <= reorder_level
    ), settled AS (
        DELETE FROM stock_alerts WHERE tenant_id = $1 AND product_id NOT IN (SELECT product_id FROM low)
    )
    INSERT INTO stock_alerts (tenant_id, product_id, quantity)
    SELECT $1, product_id, quantity FROM low
    ON CONFLICT (tenant_id, product_id) DO UPDATE SET quantity = excluded.quantity";
