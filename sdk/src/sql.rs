//! SQL over PostgreSQL's protocol, on one instance's own address: never through a balancer, because
//! the point is to ask this very instance.
//!
//! ```
//! # use assay_sdk::{sql, Result};
//! # fn is_primary(instance: &str) -> Result<bool> {
//! let database = sql::on(instance).database("shop").credentials("shop");
//! let standby = database.query("select pg_is_in_recovery()", &[])?.only()?.boolean(0)?;
//! # Ok(!standby)
//! # }
//! ```

pub use crate::bindings::imports::sql::Rows as RawRows;
use crate::bindings::imports::sql::Target;
pub use crate::bindings::imports::sql::Value;
use crate::failure::{Failure, Result};
use crate::host;

/// Addresses an instance's database: port 5432, database and credentials `postgres`, until told
/// otherwise. Nothing is sent yet.
pub fn on(instance: impl Into<String>) -> Database {
    Database {
        target: Target {
            instance: instance.into(),
            port: 5432,
            database: "postgres".to_owned(),
            credentials: "postgres".to_owned(),
        },
    }
}

/// A database of one instance.
#[derive(Clone, Debug, PartialEq)]
pub struct Database {
    target: Target,
}

impl Database {
    /// Asks on another port.
    #[must_use]
    pub fn port(mut self, port: u16) -> Database {
        self.target.port = port;
        self
    }

    /// Asks another database.
    #[must_use]
    pub fn database(mut self, name: impl Into<String>) -> Database {
        self.target.database = name.into();
        self
    }

    /// Signs in with an entry of the run config's `[credentials]`. A plugin never sees the values.
    #[must_use]
    pub fn credentials(mut self, name: impl Into<String>) -> Database {
        self.target.credentials = name.into();
        self
    }

    /// Runs one statement, at most 10 s, its parameters as `$1`, `$2`, ….
    ///
    /// # Errors
    ///
    /// `denied` without a grant, `not-found` for an unknown instance, `unreachable` when it does not
    /// answer, `timed-out`, `conflict` for an error of the database's, `invalid` for more than 1,000 rows.
    pub fn query(&self, statement: &str, parameters: &[Value]) -> Result<Rows> {
        Ok(Rows { raw: host::sql::query(&self.target, statement, parameters)? })
    }
}

/// What a statement answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows {
    raw: RawRows,
}

impl Rows {
    /// How many.
    pub fn len(&self) -> usize {
        self.raw.rows.len()
    }

    /// None?
    pub fn is_empty(&self) -> bool {
        self.raw.rows.is_empty()
    }

    /// One by one.
    pub fn iter(&self) -> impl Iterator<Item = Row<'_>> {
        self.raw.rows.iter().map(|values| Row { columns: &self.raw.columns, values })
    }

    /// The one row that there must be.
    ///
    /// # Errors
    ///
    /// `invalid` if there are none or several.
    pub fn only(&self) -> Result<Row<'_>> {
        match self.raw.rows.as_slice() {
            [values] => Ok(Row { columns: &self.raw.columns, values }),
            rows => Err(Failure::Invalid(format!("expected one row, got {}", rows.len()))),
        }
    }
}

/// One row. Columns go by position (`0`) or by name (`"timeline_id"`).
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    columns: &'a [String],
    values: &'a [Value],
}

impl<'a> Row<'a> {
    /// The value as it came.
    ///
    /// # Errors
    ///
    /// `not-found` if there is no such column.
    pub fn value(&self, column: impl Column) -> Result<&'a Value> {
        column.find(self.columns).and_then(|position| self.values.get(position)).ok_or_else(|| {
            Failure::NotFound(format!(
                "column {} (there are: {})",
                column.describe(),
                self.columns.join(", ")
            ))
        })
    }

    /// True or false.
    ///
    /// # Errors
    ///
    /// `not-found` if there is no such column, `invalid` if it holds something else.
    pub fn boolean(&self, column: impl Column) -> Result<bool> {
        match self.value(&column)? {
            Value::Boolean(value) => Ok(*value),
            other => Err(unexpected("a boolean", &column, other)),
        }
    }

    /// A whole number.
    ///
    /// # Errors
    ///
    /// `not-found` if there is no such column, `invalid` if it holds something else.
    pub fn integer(&self, column: impl Column) -> Result<i64> {
        let value = self.value(&column)?;
        match value {
            Value::Integer(text) => text.parse().map_err(|_| unexpected("an integer", &column, value)),
            other => Err(unexpected("an integer", &column, other)),
        }
    }

    /// A number, whole or not.
    ///
    /// # Errors
    ///
    /// `not-found` if there is no such column, `invalid` if it holds something else.
    pub fn number(&self, column: impl Column) -> Result<f64> {
        let value = self.value(&column)?;
        match value {
            Value::Float(number) => Ok(*number),
            Value::Integer(text) => text.parse().map_err(|_| unexpected("a number", &column, value)),
            other => Err(unexpected("a number", &column, other)),
        }
    }

    /// A text. Whatever has no type of its own here (times, addresses, …) comes as text too.
    ///
    /// # Errors
    ///
    /// `not-found` if there is no such column, `invalid` if it holds something else.
    pub fn text(&self, column: impl Column) -> Result<&'a str> {
        match self.value(&column)? {
            Value::Text(text) => Ok(text),
            other => Err(unexpected("a text", &column, other)),
        }
    }

    /// Is it null?
    ///
    /// # Errors
    ///
    /// `not-found` if there is no such column.
    pub fn is_null(&self, column: impl Column) -> Result<bool> {
        Ok(matches!(self.value(column)?, Value::Null))
    }
}

fn unexpected(wanted: &str, column: &impl Column, got: &Value) -> Failure {
    Failure::Invalid(format!("expected {wanted} in column {}, got {got:?}", column.describe()))
}

/// What names a column: its position or its name.
pub trait Column {
    /// Its position among these.
    fn find(&self, columns: &[String]) -> Option<usize>;
    /// For error messages.
    fn describe(&self) -> String;
}

impl Column for usize {
    fn find(&self, _columns: &[String]) -> Option<usize> {
        Some(*self)
    }
    fn describe(&self) -> String {
        self.to_string()
    }
}

impl Column for &str {
    fn find(&self, columns: &[String]) -> Option<usize> {
        columns.iter().position(|each| each == self)
    }
    fn describe(&self) -> String {
        format!("`{self}`")
    }
}

impl<C: Column> Column for &C {
    fn find(&self, columns: &[String]) -> Option<usize> {
        (*self).find(columns)
    }
    fn describe(&self) -> String {
        (*self).describe()
    }
}

macro_rules! value_from {
    ($($type:ty, $value:ident => $make:expr;)*) => {
        $(impl From<$type> for Value {
            fn from($value: $type) -> Value {
                $make
            }
        })*
    };
}

value_from! {
    bool, value => Value::Boolean(value);
    i32, value => Value::Integer(value.to_string());
    i64, value => Value::Integer(value.to_string());
    u32, value => Value::Integer(value.to_string());
    f64, value => Value::Float(value);
    &str, value => Value::Text(value.to_owned());
    String, value => Value::Text(value);
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Value {
        value.map_or(Value::Null, Into::into)
    }
}
