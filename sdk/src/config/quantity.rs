//! What all quantities have in common: written as text or number, read by serde, described to
//! schemars, printed the way they are written.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserializer, Error, Unexpected, Visitor};

/// A value as it stands in the config.
pub(super) enum Written<'a> {
    Text(&'a str),
    Number(f64),
}

/// A type that people write in a notation of its own.
pub(super) trait Quantity: Sized {
    /// Completes "expected …" in an error.
    const EXPECTING: &'static str;

    fn parse(written: Written<'_>) -> Option<Self>;
}

pub(super) fn deserialize<'de, Q: Quantity, D: Deserializer<'de>>(input: D) -> Result<Q, D::Error> {
    struct Reader<Q>(PhantomData<Q>);

    impl<Q: Quantity> Reader<Q> {
        fn number<E: Error>(&self, number: f64, got: Unexpected<'_>) -> Result<Q, E> {
            Q::parse(Written::Number(number)).ok_or_else(|| E::invalid_value(got, self))
        }
    }

    impl<Q: Quantity> Visitor<'_> for Reader<Q> {
        type Value = Q;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(Q::EXPECTING)
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Q, E> {
            Q::parse(Written::Text(text)).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
        }

        fn visit_f64<E: Error>(self, number: f64) -> Result<Q, E> {
            self.number(number, Unexpected::Float(number))
        }

        fn visit_u64<E: Error>(self, number: u64) -> Result<Q, E> {
            self.number(number as f64, Unexpected::Unsigned(number))
        }

        fn visit_i64<E: Error>(self, number: i64) -> Result<Q, E> {
            self.number(number as f64, Unexpected::Signed(number))
        }
    }

    input.deserialize_any(Reader(PhantomData))
}

/// Implements serde, schemars and `FromStr` for a [`Quantity`] that is `Display`.
macro_rules! quantity {
    ($type:ident, $schema:tt) => {
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
                $crate::config::quantity::deserialize(input)
            }
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, output: S) -> Result<S::Ok, S::Error> {
                output.collect_str(self)
            }
        }

        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!($schema)
            }
        }

        impl std::str::FromStr for $type {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                use $crate::config::quantity::{Quantity, Written};
                <$type>::parse(Written::Text(text))
                    .ok_or_else(|| format!("`{text}` is not {}", <$type>::EXPECTING))
            }
        }
    };
}

pub(super) use quantity;
