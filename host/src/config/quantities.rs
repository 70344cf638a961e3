//! Quantities as fields of a config file: read from their text, with a schema that says how to
//! write them.

use std::{borrow::Cow, fmt, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor, value::MapAccessDeserializer},
};

use super::{
    file::ThinkTable,
    model::{Ramp, ThinkTime},
    units,
};

macro_rules! quantity {
    ($(#[$doc:meta])* $name:ident($inner:ty) = $parse:path, $format:literal, $schema:tt) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq)]
        pub(super) struct $name(pub(super) $inner);

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = deserializer.deserialize_any(TextOrNumber($format))?;
                $parse(&text).map(Self).map_err(D::Error::custom)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                $format.into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                let mut schema = json_schema!($schema);
                schema.insert("format".to_owned(), $format.into());
                schema
            }
        }
    };
}

/// Takes a number as the text that it was written as; whether numbers are allowed, the schema says.
struct TextOrNumber(&'static str);

impl Visitor<'_> for TextOrNumber {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(units::example(self.0).unwrap_or(self.0))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<String, E> {
        Ok(number.to_string())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<String, E> {
        Ok(number.to_string())
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<String, E> {
        Ok(number.to_string())
    }
}

quantity!(
    /// `10m`.
    DurationText(Duration) = units::duration,
    "assay-duration",
    { "type": "string", "pattern": r"^([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h|d))+$" }
);
quantity!(
    /// `6Gi`, in bytes.
    SizeText(u64) = units::size,
    "assay-size",
    {
        "type": ["string", "number"],
        "pattern": r"^[0-9]+(\.[0-9]+)?(Ki|Mi|Gi|Ti|k|M|G|T)?$",
        "minimum": 0,
    }
);
quantity!(
    /// `99%` or 0.99, as 0.99; more than 1 is refused later.
    PercentText(f64) = units::percent,
    "assay-percent",
    { "type": ["string", "number"], "pattern": r"^[0-9]+(\.[0-9]+)?%?$", "minimum": 0, "maximum": 1 }
);
quantity!(
    /// `60s` or `50/s`.
    RampText(Ramp) = units::ramp,
    "assay-ramp",
    { "type": "string", "pattern": r"^([0-9]+(\.[0-9]+)?/s|([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h|d))+)$" }
);
quantity!(
    /// `100/s`.
    RateText(f64) = units::rate,
    "assay-arrival-rate",
    { "type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?/s$" }
);
quantity!(
    /// `1s..5s`.
    RangeText(ThinkTime) = units::duration_range,
    "assay-duration-range",
    { "type": "string", "pattern": r"^[0-9.numshd]+$" }
);
quantity!(
    /// `peak+5m`.
    MomentText((String, Duration)) = units::moment,
    "assay-moment",
    { "type": "string", "pattern": r"^[a-z][a-z0-9-]*(\+([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h|d))+)?$" }
);
quantity!(
    /// `crash+30s`.
    AfterText((String, Duration)) = units::after,
    "assay-after",
    { "type": "string", "pattern": r"^[a-z][a-z0-9-]*(\+([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h|d))+)?$" }
);
quantity!(
    /// A name that can stand in paths, flags and reports.
    NameText(String) = name,
    "assay-name",
    { "type": "string", "pattern": "^[a-z][a-z0-9-]*$", "maxLength": 64 }
);

fn name(text: &str) -> Result<String, String> {
    units::name(text).map(|()| text.to_owned())
}

/// `1s..5s`, or a table that says how pauses are distributed.
#[derive(Debug)]
pub(super) enum ThinkText {
    Range(ThinkTime),
    Drawn(ThinkTable),
}

impl<'de> Deserialize<'de> for ThinkText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = ThinkText;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a range of durations, or a table that says how they are distributed")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<ThinkText, E> {
                units::duration_range(text).map(ThinkText::Range).map_err(E::custom)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ThinkText, A::Error> {
                ThinkTable::deserialize(MapAccessDeserializer::new(map)).map(ThinkText::Drawn)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl JsonSchema for ThinkText {
    fn schema_name() -> Cow<'static, str> {
        "ThinkTime".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (range, table) = (RangeText::json_schema(generator), ThinkTable::json_schema(generator));
        json_schema!({ "anyOf": [range, table] })
    }
}
