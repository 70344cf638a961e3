//! One connection in use.

use std::time::Duration;

use deadpool_postgres::Object;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Error, Row};

use super::circuit::Epoch;
use super::{DataError, Database, error};

/// How long to wait for an answer where nobody waits for a page.
const UNHURRIED: Duration = Duration::from_secs(120);

/// A value and the type as which the server is to take it.
pub(crate) type Param<'a> = (&'a (dyn ToSql + Sync), Type);

/// A connection that was taken from the pool, and goes back there only when it is known to be fit for the next user:
/// no answer outstanding, no transaction open, no fault seen. Otherwise it is closed.
#[derive(Debug)]
pub(crate) struct Connection<'a> {
    database: &'a Database,
    /// Absent once it was given up.
    object: Option<Object>,
    /// How long to wait for an answer.
    patience: Duration,
    /// When it was taken.
    epoch: Epoch,
    /// Something was sent whose answer did not come yet. Stays set when the caller is dropped
    /// in the middle, as happens when a browser hangs up.
    waiting: bool,
    /// A transaction was begun and not ended.
    in_transaction: bool,
    /// COMMIT was sent. It waits for synchronous replicas, and may wait for long when one of them
    /// is away while the server is well.
    committing: bool,
}

impl<'a> Connection<'a> {
    pub(super) fn new(database: &'a Database, object: Object, epoch: Epoch) -> Self {
        Self {
            database,
            object: Some(object),
            patience: database.limits.query,
            epoch,
            waiting: false,
            in_transaction: false,
            committing: false,
        }
    }

    /// Runs one statement and collects its rows.
    pub(crate) async fn query(&mut self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, DataError> {
        self.watch(async |object| object.query_typed(sql, params).await).await
    }

    /// Runs one statement and counts the rows that it changed.
    pub(crate) async fn execute(&mut self, sql: &str, params: &[Param<'_>]) -> Result<u64, DataError> {
        self.watch(async |object| object.execute_typed(sql, params).await).await
    }

    /// Begins a transaction whose statements end in time.
    pub(crate) async fn begin(&mut self) -> Result<(), DataError> {
        let limit = self.database.limits.statement.as_millis();
        self.in_transaction = true;
        self.script(&format!("BEGIN; SET LOCAL statement_timeout = {limit}")).await
    }

    /// Begins a transaction whose statements may take long.
    pub(crate) async fn begin_unhurried(&mut self) -> Result<(), DataError> {
        self.in_transaction = true;
        self.patience = UNHURRIED;
        self.script("BEGIN; SET LOCAL statement_timeout = 0").await
    }

    /// Commits. After [`DataError::Lost`] it is not known whether the transaction lives.
    pub(crate) async fn commit(&mut self) -> Result<(), DataError> {
        self.committing = true;
        let result = self.script("COMMIT").await;
        self.committing = false;
        self.in_transaction = result.is_err();
        result
    }

    /// Ends the transaction without a trace.
    pub(crate) async fn roll_back(&mut self) -> Result<(), DataError> {
        let result = self.script("ROLLBACK").await;
        self.in_transaction = result.is_err();
        result
    }

    /// Runs statements without parameters.
    pub(crate) async fn script(&mut self, sql: &str) -> Result<(), DataError> {
        self.watch(async |object| object.batch_execute(sql).await).await
    }

    /// Awaits an answer, and draws the conclusions from one that does not come.
    async fn watch<T>(&mut self, ask: impl AsyncFnOnce(&Object) -> Result<T, Error>) -> Result<T, DataError> {
        let Some(object) = &self.object else {
            return Err(DataError::Lost("it was given up before".to_owned()));
        };
        self.waiting = true;
        let within = self.patience;
        let answer = tokio::time::timeout(within, ask(object)).await;
        self.waiting = false;
        match answer {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => {
                let outage = error::is_outage(&error);
                let text = error::explain(&error);
                let error = DataError::from(error);
                if matches!(error, DataError::Lost(_) | DataError::ReadOnly) {
                    self.give_up();
                }
                if outage {
                    self.database.trip(self.epoch, &text);
                }
                Err(error)
            }
            Err(_) => {
                self.give_up();
                let why = format!("no answer within {within:?}");
                if !self.committing {
                    self.database.trip(self.epoch, &why);
                }
                Err(DataError::Lost(why))
            }
        }
    }

    /// Closes the connection instead of returning it to the pool.
    fn give_up(&mut self) {
        if let Some(object) = self.object.take() {
            drop(Object::take(object));
        }
    }
}

impl Drop for Connection<'_> {
    fn drop(&mut self) {
        // One that is older than an outage may lead to a server that was since replaced.
        let outdated = self.database.circuit.epoch() != Some(self.epoch);
        if self.waiting || self.in_transaction || outdated {
            self.give_up();
        }
    }
}
