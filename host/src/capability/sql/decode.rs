//! A server's answer as values of the contract.

use std::error::Error;

use assay_bindings::imports::{sql::Value, types::Failure};
use tokio_postgres::{
    Row,
    types::{FromSql, Kind, Type},
};

/// Microseconds from 1970 to 2000, where PostgreSQL counts from.
const EPOCH: i64 = 946_684_800_000_000;

/// All values of a row.
pub(super) fn row(row: &Row) -> Result<Vec<Value>, Failure> {
    let columns = row.columns().iter().enumerate();
    columns
        .map(|(index, column)| {
            let raw: Option<Raw<'_>> =
                row.try_get(index).map_err(|error| Failure::Other(error.to_string()))?;
            let Some(Raw(bytes)) = raw else { return Ok(Value::Null) };
            value(column.type_(), bytes).ok_or_else(|| {
                let (name, kind) = (column.name(), column.type_());
                Failure::Invalid(format!("column '{name}' is of type {kind}; cast it to text: {name}::text"))
            })
        })
        .collect()
}

/// A value as it came over the wire.
struct Raw<'a>(&'a [u8]);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(raw))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// Absent if the type is none of those that the contract can hold without loss.
fn value(kind: &Type, bytes: &[u8]) -> Option<Value> {
    let integer = |number: i64| Value::Integer(number.to_string());
    Some(match *kind {
        Type::BOOL => Value::Boolean(*bytes.first()? != 0),
        Type::INT2 => integer(i16::from_be_bytes(bytes.try_into().ok()?).into()),
        Type::INT4 => integer(i32::from_be_bytes(bytes.try_into().ok()?).into()),
        Type::INT8 => integer(i64::from_be_bytes(bytes.try_into().ok()?)),
        Type::OID | Type::XID | Type::CID => integer(u32::from_be_bytes(bytes.try_into().ok()?).into()),
        Type::FLOAT4 => Value::Float(f32::from_be_bytes(bytes.try_into().ok()?).into()),
        Type::FLOAT8 => Value::Float(f64::from_be_bytes(bytes.try_into().ok()?)),
        Type::NUMERIC => Value::Text(numeric(bytes)?),
        Type::TEXT
        | Type::VARCHAR
        | Type::BPCHAR
        | Type::NAME
        | Type::CHAR
        | Type::UNKNOWN
        | Type::JSON
        | Type::XML => Value::Text(String::from_utf8_lossy(bytes).into_owned()),
        // A version byte comes first.
        Type::JSONB => Value::Text(String::from_utf8_lossy(bytes.get(1..)?).into_owned()),
        Type::TIMESTAMPTZ => Value::Text(timestamp(bytes)?.to_string()),
        Type::TIMESTAMP => {
            let zone = jiff::tz::TimeZone::UTC;
            Value::Text(timestamp(bytes)?.to_zoned(zone).datetime().to_string())
        }
        Type::PG_LSN => {
            let position = u64::from_be_bytes(bytes.try_into().ok()?);
            Value::Text(format!("{:X}/{:X}", position >> 32, position & 0xffff_ffff))
        }
        Type::VOID => Value::Text(String::new()),
        _ if matches!(kind.kind(), Kind::Enum(_)) => Value::Text(String::from_utf8_lossy(bytes).into_owned()),
        _ => match kind.kind() {
            Kind::Domain(inner) => value(inner, bytes)?,
            _ => return None,
        },
    })
}

fn timestamp(bytes: &[u8]) -> Option<jiff::Timestamp> {
    let micros = i64::from_be_bytes(bytes.try_into().ok()?);
    // Infinity does not fit a timestamp; who wants it casts it to text.
    jiff::Timestamp::from_microsecond(micros.checked_add(EPOCH)?).ok()
}

/// Digits to the base of 10,000, with the weight of the first and how many decimals to show.
fn numeric(bytes: &[u8]) -> Option<String> {
    let mut fields = bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
    let (count, weight, sign, scale) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let weight = i32::from(weight.cast_signed());
    match sign {
        0 | 0x4000 => {}
        0xC000 => return Some("NaN".to_owned()),
        0xD000 => return Some("Infinity".to_owned()),
        0xF000 => return Some("-Infinity".to_owned()),
        _ => return None,
    }
    let digits: Vec<_> = fields.take(count.into()).collect();
    let digit = |power: i32| {
        let index = usize::try_from(weight - power).ok();
        index.and_then(|index| digits.get(index)).copied().unwrap_or(0)
    };
    let whole: String = (0..=weight.max(0)).rev().map(|power| format!("{:04}", digit(power))).collect();
    let mut text = match whole.trim_start_matches('0') {
        "" => "0".to_owned(),
        whole => whole.to_owned(),
    };
    if scale > 0 {
        let groups = i32::from(scale.div_ceil(4));
        let decimals: String = (1..=groups).map(|place| format!("{:04}", digit(-place))).collect();
        text.push('.');
        text.push_str(decimals.get(..scale.into())?);
    }
    Some(if sign == 0x4000 { format!("-{text}") } else { text })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(weight: i16, sign: u16, scale: u16, digits: &[u16]) -> Option<String> {
        let fields = [digits.len() as u16, weight.cast_unsigned(), sign, scale];
        let bytes: Vec<u8> = fields.iter().chain(digits).flat_map(|field| field.to_be_bytes()).collect();
        numeric(&bytes)
    }

    #[test]
    fn numbers_of_any_size_are_read() {
        assert_eq!(number(0, 0, 0, &[]).as_deref(), Some("0"));
        assert_eq!(number(0, 0, 2, &[12, 3400]).as_deref(), Some("12.34"));
        assert_eq!(number(1, 0x4000, 0, &[1]).as_deref(), Some("-10000"));
        assert_eq!(number(-1, 0, 5, &[12, 3000]).as_deref(), Some("0.00123"));
        assert_eq!(number(2, 0, 0, &[1, 2, 3]).as_deref(), Some("100020003"));
        assert_eq!(number(0, 0xC000, 0, &[]).as_deref(), Some("NaN"));
        assert_eq!(numeric(&[0, 1]), None);
    }

    #[test]
    fn types_of_the_contract_are_read_and_others_refused() {
        let text = |kind, bytes: &[u8]| match value(&kind, bytes) {
            Some(Value::Text(text) | Value::Integer(text)) => text,
            other => panic!("{other:?}"),
        };
        assert_eq!(text(Type::INT8, &(-5_i64).to_be_bytes()), "-5");
        assert_eq!(text(Type::PG_LSN, &0x1_0300_00f0_u64.to_be_bytes()), "1/30000F0");
        assert_eq!(text(Type::TIMESTAMPTZ, &0_i64.to_be_bytes()), "2000-01-01T00:00:00Z");
        assert_eq!(text(Type::TIMESTAMP, &1_500_000_i64.to_be_bytes()), "2000-01-01T00:00:01.5");
        assert_eq!(text(Type::JSONB, b"\x01{}"), "{}");
        assert_eq!(value(&Type::BOOL, &[1]), Some(Value::Boolean(true)));
        assert_eq!(value(&Type::INTERVAL, &[0; 16]), None);
        assert_eq!(value(&Type::TIMESTAMPTZ, &i64::MAX.to_be_bytes()), None);
        assert_eq!(value(&Type::INT4, &[1]), None);
    }
}
