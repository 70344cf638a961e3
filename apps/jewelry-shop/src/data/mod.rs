//! The connection to PostgreSQL.
//!
//! The database goes away and comes back as another machine; nothing here may hang meanwhile.
//! Connections are pooled and every wait has an end: for a free connection, for connecting, for
//! an answer. The [`circuit`] remembers that the database is away, so that requests are refused at
//! once while a single task tries to get through.
//!
//! Statements go as unnamed, typed statements in one round trip. Named prepared statements would
//! belong to one server connection, and behind a proxy that pools by transaction the next
//! transaction may get another. For the same reason limits are set per transaction, and for lone
//! statements by the migration, as a default of the role.
//!
//! There is no TLS: the shop expects its database on a private network.

mod circuit;
mod connection;
mod error;

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{
    Manager, ManagerConfig, Pool, PoolError, RecyclingMethod, Runtime, TimeoutType, Timeouts,
};
use tokio_postgres::config::{SslMode, TargetSessionAttrs};
use tokio_postgres::{NoTls, Row};

pub(crate) use self::connection::{Connection, Param};
pub(crate) use self::error::DataError;

use self::circuit::{Circuit, Epoch};
use crate::config::DatabaseOptions;

/// A handle on the database; clones share one pool and one circuit.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    pool: Pool,
    target: Arc<tokio_postgres::Config>,
    circuit: Arc<Circuit>,
    limits: Limits,
}

/// How long things may take.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// Connecting, signing in included.
    connect: Duration,
    /// One answer.
    query: Duration,
    /// What the server is told to give a statement inside a transaction.
    statement: Duration,
    /// Between two attempts while the database is away.
    retry_every: Duration,
}

impl Database {
    /// Prepares a pool; connects when the first connection is asked for.
    pub(crate) fn new(options: &DatabaseOptions) -> anyhow::Result<Self> {
        let limits = Limits {
            connect: options.database_connect_timeout.0,
            query: options.database_query_timeout.0,
            statement: options.database_statement_timeout.0,
            retry_every: options.database_retry_every.0,
        };
        let target = target(options)?;
        let manager = Manager::from_config(
            target.clone(),
            NoTls,
            // Whether the socket is closed is known without asking; a dead peer is noticed by
            // the first query that is not answered, and that opens the circuit for everyone.
            ManagerConfig { recycling_method: RecyclingMethod::Fast },
        );
        let pool = Pool::builder(manager)
            .max_size(options.database_pool_size.get())
            .timeouts(Timeouts {
                wait: Some(options.database_pool_wait.0),
                create: Some(limits.connect),
                recycle: Some(limits.connect),
            })
            .runtime(Runtime::Tokio1)
            .build()?;
        Ok(Self { pool, target: Arc::new(target), circuit: Arc::default(), limits })
    }

    /// A connection from the pool, or the reason why there is none; never waits for a database
    /// that is known to be away.
    pub(crate) async fn connection(&self) -> Result<Connection<'_>, DataError> {
        let epoch = self.circuit.epoch().ok_or(DataError::Away)?;
        match self.pool.get().await {
            Ok(object) => Ok(Connection::new(self, object, epoch)),
            Err(PoolError::Timeout(TimeoutType::Wait)) => Err(DataError::Busy),
            Err(PoolError::Backend(error)) if error::is_crowded(&error) => Err(DataError::Busy),
            Err(PoolError::Backend(error)) => {
                self.trip(epoch, &error::explain(&error));
                Err(DataError::Away)
            }
            Err(error) => {
                self.trip(epoch, &error.to_string());
                Err(DataError::Away)
            }
        }
    }

    /// What the server is to give a statement.
    pub(crate) fn statement_limit(&self) -> Duration {
        self.limits.statement
    }

    /// Reads rows, in one statement that changes nothing. A connection that turns out to be gone, as all of
    /// them are after a failover, is replaced and the statement is asked once more.
    pub(crate) async fn read(&self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, DataError> {
        match self.connection().await?.query(sql, params).await {
            Err(DataError::Lost(why)) => {
                tracing::debug!("reading again: {why}");
                self.connection().await?.query(sql, params).await
            }
            result => result,
        }
    }

    /// Reads at most one row.
    pub(crate) async fn read_opt(&self, sql: &str, params: &[Param<'_>]) -> Result<Option<Row>, DataError> {
        Ok(self.read(sql, params).await?.into_iter().next())
    }

    /// Reads the one row that there is.
    pub(crate) async fn read_one(&self, sql: &str, params: &[Param<'_>]) -> Result<Row, DataError> {
        self.read_opt(sql, params).await?.ok_or(DataError::NoRow)
    }

    /// Notes that the database is away and starts looking for it, unless someone looks already.
    fn trip(&self, epoch: Epoch, why: &str) {
        if !self.circuit.open(epoch) {
            return;
        }
        tracing::warn!("database away: {why}");
        self.pool.retain(|_, _| false);
        let database = self.clone();
        tokio::spawn(async move {
            let since = std::time::Instant::now();
            while let Err(error) = database.probe().await {
                tracing::debug!("database still away: {error}");
                tokio::time::sleep(database.limits.retry_every).await;
            }
            database.circuit.close();
            tracing::info!("database back after {:.1} s", since.elapsed().as_secs_f64());
        });
    }

    /// Whether a new connection gets an answer. What it finds says nothing about the pooled ones,
    /// and those were given up.
    async fn probe(&self) -> Result<(), String> {
        let attempt = async {
            let (client, connection) = self.target.connect(NoTls).await?;
            // The connection does its part only while it is polled, and ends with this attempt.
            tokio::select! {
                answer = client.batch_execute("SELECT 1") => answer,
                // Closed by the server: then asking fails at once.
                result = connection => match result {
                    Ok(()) => client.batch_execute("SELECT 1").await,
                    Err(error) => Err(error),
                },
            }
        };
        match tokio::time::timeout(self.limits.connect, attempt).await {
            Ok(result) => result.map_err(|error| error::explain(&error)),
            Err(_) => Err(format!("no answer within {:?}", self.limits.connect)),
        }
    }
}

/// What to connect to, and how the kernel notices that a peer is gone without a word.
fn target(options: &DatabaseOptions) -> anyhow::Result<tokio_postgres::Config> {
    let mut config = tokio_postgres::Config::new();
    config
        .host(&options.database_host)
        .port(options.database_port)
        .dbname(&options.database_name)
        .user(&options.database_user)
        .application_name("jewelry-shop")
        .ssl_mode(SslMode::Disable)
        .connect_timeout(options.database_connect_timeout.0)
        // A replica refuses every write; better to keep looking for the primary.
        .target_session_attrs(TargetSessionAttrs::ReadWrite)
        .keepalives(true)
        .keepalives_idle(Duration::from_secs(5))
        .keepalives_interval(Duration::from_secs(1))
        .keepalives_retries(3)
        .tcp_user_timeout(Duration::from_secs(5));
    if let Some(password) = options.password()? {
        config.password(password);
    }
    Ok(config)
}
