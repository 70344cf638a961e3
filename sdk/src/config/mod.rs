//! A plugin's config: typed, with a schema, and with errors that lead to a line of the run config.
//!
//! A config is any type that serde can read and schemars can describe. Use `rename_all =
//! "kebab-case"` and `deny_unknown_fields`; give a field a default with `#[serde(default = …)]` and
//! it shows in the schema, from which the host fills it in. For quantities with units there are
//! types here, so that people can write `"10m"` and plugins get nanoseconds.

mod cpu;
mod end;
mod number;
mod percent;
mod period;
mod quantity;
mod rate;
mod size;
mod stretch;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

pub use crate::bindings::imports::types::ConfigError;
pub use cpu::Cpu;
pub use end::End;
pub use percent::Percent;
pub use period::Period;
pub use rate::Rate;
pub use size::Size;
pub use stretch::Stretch;

impl ConfigError {
    /// Something wrong at an RFC 6901 JSON pointer into the config: `""` is the whole, `/p95` a
    /// key, `/groups/0` an element. The message is a lowercase fragment that says what is wrong and
    /// what is allowed.
    pub fn at(pointer: impl Into<String>, message: impl Into<String>) -> ConfigError {
        ConfigError { pointer: pointer.into(), message: message.into() }
    }
}

/// Reads a config from the JSON that the host hands over.
///
/// # Errors
///
/// One error that points at the value which does not fit.
pub fn read<C: DeserializeOwned>(json: &str) -> Result<C, Vec<ConfigError>> {
    let mut input = serde_json::Deserializer::from_str(json);
    serde_path_to_error::deserialize(&mut input).map_err(|error| {
        let pointer = pointer(error.path());
        vec![ConfigError { pointer, message: without_position(&error.inner().to_string()) }]
    })
}

/// The JSON Schema (2020-12) of a config.
pub fn schema<C: JsonSchema>() -> String {
    schemars::schema_for!(C).as_value().to_string()
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter()
        .filter_map(|segment| match segment {
            Segment::Seq { index } => Some(format!("/{index}")),
            Segment::Map { key } => Some(format!("/{}", key.replace('~', "~0").replace('/', "~1"))),
            Segment::Enum { .. } | Segment::Unknown => None,
        })
        .collect()
}

/// Serde's position is one in the JSON, which nobody wrote: the pointer leads to the TOML.
fn without_position(message: &str) -> String {
    match message.rfind(" at line ") {
        Some(end) => message[..end].to_owned(),
        None => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, JsonSchema)]
    #[serde(rename_all = "kebab-case", deny_unknown_fields)]
    struct Example {
        /// How long at most.
        recover_within: Period,
        #[serde(default = "half")]
        share: Percent,
        #[serde(default)]
        inner: Inner,
    }

    #[derive(Debug, Default, Deserialize, serde::Serialize, JsonSchema)]
    #[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
    struct Inner {
        sizes: Vec<Size>,
    }

    fn half() -> Percent {
        Percent::from_ratio(0.5)
    }

    #[test]
    fn errors_point_at_the_value() {
        let errors = read::<Example>(r#"{"recover-within": "1m", "inner": {"sizes": ["1Gi", "big"]}}"#)
            .expect_err("an error");
        assert_eq!(errors[0].pointer, "/inner/sizes/1");
        assert_eq!(
            errors[0].message,
            r#"invalid value: string "big", expected a size such as "6Gi", "512Mi" or a number of bytes"#
        );
    }

    #[test]
    fn reads_what_fits() {
        let config = read::<Example>(r#"{"recover-within": "1m", "share": 0.25}"#).expect("a config");
        assert_eq!(config.recover_within, Period::from_secs(60));
        assert_eq!(config.share.to_string(), "25%");
        assert!(config.inner.sizes.is_empty());
    }

    #[test]
    fn unknown_keys_are_errors() {
        let errors = read::<Example>(r#"{"recover-within": "1m", "shares": 1}"#).expect_err("an error");
        assert_eq!(
            errors,
            [ConfigError::at(
                "/shares",
                "unknown field `shares`, expected one of `recover-within`, `share`, `inner`"
            )]
        );
    }

    #[test]
    fn missing_keys_are_errors_of_the_whole() {
        let errors = read::<Example>("{}").expect_err("an error");
        assert_eq!(errors, [ConfigError::at("", "missing field `recover-within`")]);
    }

    #[test]
    fn the_schema_has_defaults_descriptions_and_formats() {
        let schema: serde_json::Value = serde_json::from_str(&schema::<Example>()).expect("JSON");
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        assert_eq!(schema["additionalProperties"], false);
        assert_eq!(schema["required"], serde_json::json!(["recover-within"]));
        assert_eq!(schema["properties"]["recover-within"]["description"], "How long at most.");
        assert_eq!(schema["properties"]["share"]["default"], "50%");
        assert_eq!(schema["$defs"]["Period"]["format"], "assay-duration");
    }
}
