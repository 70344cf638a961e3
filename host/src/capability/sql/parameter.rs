//! A guest's value as a statement's parameter.

use std::error::Error;

use assay_bindings::imports::sql::Value;
use bytes::{BufMut, BytesMut};
use tokio_postgres::types::{Format, IsNull, ToSql, Type};

/// Sent as text, which the server reads as whatever type the parameter has: a guest need not know
/// whether a column is `int4` or `numeric`.
#[derive(Debug)]
pub(super) struct Parameter(pub(super) Value);

impl ToSql for Parameter {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match &self.0 {
            Value::Null => return Ok(IsNull::Yes),
            Value::Boolean(value) => out.put_slice(if *value { b"true" } else { b"false" }),
            Value::Float(value) => out.put_slice(value.to_string().as_bytes()),
            Value::Integer(text) | Value::Text(text) => {
                if text.contains('\0') {
                    return Err("a text with a zero byte".into());
                }
                out.put_slice(text.as_bytes());
            }
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    tokio_postgres::types::to_sql_checked!();
}
