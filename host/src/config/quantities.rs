//! Quantities as fields of a config file: read from their text, with a schema that says how to
//! write them.

use std::{borrow::Cow, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de::Error as _};

use super::{
    model::{Ramp, ThinkTime},
    units,
};

macro_rules! quantity {
    ($(#[$doc:meta])* $name:ident($inner:ty) = $format:literal, $parse:path) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq)]
        pub(super) struct $name(pub(super) $inner);

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
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
                json_schema!({ "type": "string", "format": $format })
            }
        }
    };
}

quantity!(
    /// `10m`.
    DurationText(Duration) = "duration", units::duration
);
quantity!(
    /// `6Gi`, in bytes.
    SizeText(u64) = "size", units::size
);
quantity!(
    /// `99%`, as 0.99.
    PercentageText(f64) = "percentage", units::percentage
);
quantity!(
    /// `60s` or `50/s`.
    RampText(Ramp) = "ramp", units::ramp
);
quantity!(
    /// `1s..5s`.
    RangeText(ThinkTime) = "duration-range", units::duration_range
);
quantity!(
    /// `peak+5m`.
    MomentText((String, Duration)) = "moment", units::moment
);
quantity!(
    /// A name that can stand in paths, flags and reports.
    NameText(String) = "kebab-name", name
);

fn name(text: &str) -> Result<String, String> {
    units::kebab_name(text).map(|()| text.to_owned())
}
