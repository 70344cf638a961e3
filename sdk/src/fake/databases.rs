//! The fake's SQL and Redis.

use super::script::Script;
use super::{FakeHost, with};
use crate::bindings::imports::redis::Item;
use crate::bindings::imports::sql::{Rows, Value};
use crate::failure::{Failure, Result};

#[derive(Default)]
pub(super) struct World {
    sql: Script<Result<Rows>>,
    redis: Script<Result<Vec<Item>>>,
}

/// One row of unnamed columns.
pub fn row<V: Into<Value>>(values: impl IntoIterator<Item = V>) -> Result<Rows> {
    let row: Vec<Value> = values.into_iter().map(Into::into).collect();
    let columns = vec!["?column?".to_owned(); row.len()];
    Ok(Rows { columns, rows: vec![row] })
}

/// Rows of named columns.
pub fn rows(columns: &[&str], rows: Vec<Vec<Value>>) -> Result<Rows> {
    Ok(Rows { columns: columns.iter().map(|each| (*each).to_owned()).collect(), rows })
}

impl FakeHost {
    /// Adds an answer of an instance to a statement. Several come in order, the last again and
    /// again. An instance with another port than 5432 is `NAME:PORT`.
    pub fn sql(&self, instance: &str, statement: &str, answer: Result<Rows>) {
        with(|world| world.databases.sql.add(question(instance, 5432, statement), answer));
    }

    /// Replaces all answers of an instance to a statement.
    pub fn sql_now(&self, instance: &str, statement: &str, answer: Result<Rows>) {
        with(|world| world.databases.sql.set(question(instance, 5432, statement), answer));
    }

    /// Adds an answer of an instance to a command, e.g. `ROLE`. An instance with another port than
    /// 6379 is `NAME:PORT`.
    pub fn redis(&self, instance: &str, command: &str, answer: Result<Vec<Item>>) {
        with(|world| world.databases.redis.add(question(instance, 6379, command), answer));
    }

    /// Replaces all answers of an instance to a command.
    pub fn redis_now(&self, instance: &str, command: &str, answer: Result<Vec<Item>>) {
        with(|world| world.databases.redis.set(question(instance, 6379, command), answer));
    }
}

fn question(instance: &str, default_port: u16, what: &str) -> String {
    if instance.contains(':') {
        format!("{instance} {what}")
    } else {
        format!("{instance}:{default_port} {what}")
    }
}

fn silence(question: &str) -> Failure {
    Failure::Unreachable(format!("nothing is scripted for {question}"))
}

pub(crate) mod sql {
    use super::silence;
    use crate::bindings::imports::sql::{Rows, Target, Value};
    use crate::failure::Result;
    use crate::fake::{record, with};

    pub(crate) fn query(target: &Target, statement: &str, _parameters: &[Value]) -> Result<Rows> {
        let question = format!("{}:{} {statement}", target.instance, target.port);
        record(format!("sql {question}"));
        with(|world| world.databases.sql.answer(&question)).unwrap_or_else(|| Err(silence(&question)))
    }
}

pub(crate) mod redis {
    use super::silence;
    use crate::bindings::imports::redis::{Item, Target};
    use crate::failure::Result;
    use crate::fake::{record, with};

    pub(crate) fn command(target: &Target, arguments: &[String]) -> Result<Vec<Item>> {
        let question = format!("{}:{} {}", target.instance, target.port, arguments.join(" "));
        record(format!("redis {question}"));
        with(|world| world.databases.redis.answer(&question)).unwrap_or_else(|| Err(silence(&question)))
    }
}
