//! A plugin's config against the schema that the plugin states.

use assay_bindings::imports::types::ConfigError;
use jsonschema::{Draft, ValidationError, Validator, error::ValidationErrorKind};
use serde_json::{Map, Value};

use super::text::cut_to;

/// How deep defaults are looked for, against schemas that refer to themselves.
const DEPTH: usize = 32;
/// Errors beyond this many help nobody.
const ERRORS: usize = 20;

/// What a plugin's config must look like.
#[derive(Clone)]
pub struct ConfigSchema {
    schema: Value,
    validator: std::sync::Arc<Validator>,
}

/// A plugin's schema is not one.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    #[error("it is not JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("it is no JSON Schema: {0}")]
    Schema(String),
}

impl std::fmt::Debug for ConfigSchema {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ConfigSchema({})", self.schema)
    }
}

impl ConfigSchema {
    pub(crate) fn parse(text: &str) -> Result<Self, SchemaError> {
        let schema: Value = serde_json::from_str(text)?;
        let validator = jsonschema::options()
            .with_draft(Draft::Draft202012)
            .build(&schema)
            .map_err(|error| SchemaError::Schema(cut_to(error.to_string(), 500)))?;
        Ok(Self { schema, validator: std::sync::Arc::new(validator) })
    }

    /// The schema itself.
    pub fn json(&self) -> &Value {
        &self.schema
    }

    /// The config as the plugin gets it: defaults filled in, and valid.
    ///
    /// # Errors
    ///
    /// All that is wrong with it, each with a pointer to where.
    pub fn apply(&self, config: &Value) -> Result<String, Vec<ConfigError>> {
        let mut config = config.clone();
        fill(&self.schema, &self.schema, &mut config, DEPTH);
        let mut errors = Vec::new();
        for error in self.validator.iter_errors(&config) {
            explain(&self.schema, &error, &mut errors);
        }
        errors.truncate(ERRORS);
        match errors.is_empty() {
            true => Ok(config.to_string()),
            false => Err(errors),
        }
    }
}

/// Fills in the defaults of one schema and all that are in it.
fn fill(root: &Value, schema: &Value, value: &mut Value, depth: usize) {
    let Some(depth) = depth.checked_sub(1) else { return };
    for inner in also(root, schema) {
        fill(root, inner, value, depth);
    }
    match value {
        Value::Object(object) => {
            for (key, property) in members(schema, "properties") {
                if let Some(present) = object.get_mut(key) {
                    fill(root, property, present, depth);
                } else if let Some(default) = default_of(root, property, depth) {
                    let mut default = default.clone();
                    fill(root, property, &mut default, depth);
                    object.insert(key.clone(), default);
                }
            }
            if let Some(others) = schema.get("additionalProperties").filter(|others| others.is_object()) {
                let named: Vec<_> = members(schema, "properties").map(|(key, _)| key).collect();
                for (_, value) in object.iter_mut().filter(|(key, _)| !named.contains(key)) {
                    fill(root, others, value, depth);
                }
            }
        }
        Value::Array(items) => {
            if let Some(of_items) = schema.get("items") {
                items.iter_mut().for_each(|item| fill(root, of_items, item, depth));
            }
        }
        _ => {}
    }
}

/// A property's default: its own, or that of what it refers to.
fn default_of<'a>(root: &'a Value, schema: &'a Value, depth: usize) -> Option<&'a Value> {
    let depth = depth.checked_sub(1)?;
    schema
        .get("default")
        .or_else(|| also(root, schema).into_iter().find_map(|inner| default_of(root, inner, depth)))
}

/// Schemas that hold beside this one: what it refers to, all of `allOf`, and the one alternative to
/// null, which is how an optional value is written.
fn also<'a>(root: &'a Value, schema: &'a Value) -> Vec<&'a Value> {
    let mut schemas = Vec::new();
    let reference = schema.get("$ref").and_then(Value::as_str).and_then(|text| text.strip_prefix('#'));
    schemas.extend(reference.and_then(|pointer| root.pointer(pointer)));
    schemas.extend(schema.get("allOf").and_then(Value::as_array).into_iter().flatten());
    for key in ["anyOf", "oneOf"] {
        let Some(choices) = schema.get(key).and_then(Value::as_array) else { continue };
        let is_null = |choice: &&Value| choice.get("type").and_then(Value::as_str) == Some("null");
        let others: Vec<_> = choices.iter().filter(|choice| !is_null(choice)).collect();
        if let [only] = others.as_slice()
            && choices.len() == 2
        {
            schemas.push(only);
        }
    }
    schemas
}

fn members<'a>(schema: &'a Value, key: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    schema.get(key).and_then(Value::as_object).into_iter().flat_map(Map::iter)
}

/// One error in words for whoever wrote the config.
fn explain(schema: &Value, error: &ValidationError<'_>, errors: &mut Vec<ConfigError>) {
    let pointer = error.instance_path().to_string();
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected }
        | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
            let parent = error.schema_path().to_string();
            let parent = parent.rsplit_once('/').and_then(|(parent, _)| schema.pointer(parent));
            let allowed: Vec<_> = parent
                .into_iter()
                .flat_map(|parent| members(parent, "properties"))
                .map(|(key, _)| key.as_str())
                .collect();
            for key in unexpected {
                let hint = match allowed.as_slice() {
                    [] => String::new(),
                    allowed => format!("; allowed are {}", allowed.join(", ")),
                };
                let pointer = format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"));
                let message = cut_to(format!("unknown key '{key}'{hint}"), 500);
                errors.push(ConfigError { pointer, message });
            }
        }
        ValidationErrorKind::Required { property } => {
            let property = property.as_str().unwrap_or_default();
            errors.push(ConfigError { pointer, message: format!("missing key '{property}'") });
        }
        // Of alternatives, the one that came furthest is likely what was meant.
        ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
            let depth = |branch: &&Vec<ValidationError<'static>>| {
                branch.iter().map(|error| error.instance_path().to_string().len()).max()
            };
            let branches: Vec<_> = context.iter().filter(|branch| !wants_null(branch)).collect();
            match branches.as_slice() {
                [only] => only.iter().for_each(|error| explain(schema, error, errors)),
                several => match several.iter().copied().max_by_key(depth) {
                    Some(branch) if depth(&branch) > Some(pointer.len()) => {
                        branch.iter().for_each(|error| explain(schema, error, errors));
                    }
                    _ => errors.push(ConfigError { pointer, message: plain(error) }),
                },
            }
        }
        _ => errors.push(ConfigError { pointer, message: plain(error) }),
    }
}

fn wants_null(branch: &[ValidationError<'static>]) -> bool {
    branch.iter().any(|error| {
        error.schema_path().to_string().ends_with("/type") && error.to_string().ends_with("type \"null\"")
    })
}

/// The library's words, as a fragment.
fn plain(error: &ValidationError<'_>) -> String {
    let text = error.to_string();
    let mut characters = text.chars();
    let fragment = match characters.next() {
        Some(first) => first.to_lowercase().chain(characters).collect(),
        None => text,
    };
    cut_to(fragment, 500)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema() -> ConfigSchema {
        let schema = json!({
            "type": "object",
            "properties": {
                "selector": { "type": "string" },
                "port": { "type": "integer", "minimum": 1, "maximum": 65535, "default": 5432 },
                "retry": { "$ref": "#/$defs/Retry", "default": {} },
                "extra": { "anyOf": [{ "$ref": "#/$defs/Retry" }, { "type": "null" }] },
                "list": { "type": "array", "items": { "$ref": "#/$defs/Retry" } },
            },
            "required": ["selector", "port", "retry"],
            "additionalProperties": false,
            "$defs": {
                "Retry": {
                    "type": "object",
                    "properties": { "times": { "type": "integer", "default": 3 } },
                    "required": ["times"],
                    "additionalProperties": false,
                },
            },
        });
        ConfigSchema::parse(&schema.to_string()).expect("a schema")
    }

    fn errors(config: Value) -> String {
        let errors = schema().apply(&config).expect_err("errors");
        errors
            .into_iter()
            .map(|ConfigError { pointer, message }| format!("{pointer}: {message}"))
            .collect::<Vec<_>>()
            .join("\n")
    }

    #[test]
    fn defaults_are_filled_in_at_every_depth() {
        let config = json!({ "selector": "app=db", "extra": {}, "list": [{}, { "times": 1 }] });
        let filled: Value = serde_json::from_str(&schema().apply(&config).expect("valid")).expect("JSON");
        let expected = json!({
            "selector": "app=db",
            "port": 5432,
            "retry": { "times": 3 },
            "extra": { "times": 3 },
            "list": [{ "times": 3 }, { "times": 1 }],
        });
        assert_eq!(filled, expected);
    }

    #[test]
    fn errors_point_at_the_place_and_say_what_is_allowed() {
        insta::assert_snapshot!(errors(json!({ "port": 0, "prot": 1, "extra": { "time": 1 } })), @r#"
        /port: 0 is less than the minimum of 1
        /extra/time: unknown key 'time'; allowed are times
        /prot: unknown key 'prot'; allowed are extra, list, port, retry, selector
        : missing key 'selector'
        "#);
        insta::assert_snapshot!(errors(json!({ "selector": 3, "extra": "often" })), @r#"
        /extra: "often" is not of type "object"
        /selector: 3 is not of type "string"
        "#);
    }

    #[test]
    fn a_schema_that_refers_to_itself_ends() {
        let schema = json!({
            "properties": { "next": { "$ref": "#" } },
            "anyOf": [{ "$ref": "#" }, { "type": "null" }],
        });
        let schema = ConfigSchema::parse(&schema.to_string()).expect("a schema");
        let _ = schema.apply(&json!({ "next": { "next": {} } }));
    }

    #[test]
    fn what_is_no_schema_is_refused() {
        let refused = |text| ConfigSchema::parse(text).expect_err("refused").to_string();
        assert!(refused("{").starts_with("it is not JSON: "));
        assert!(refused(r#"{"type": 3}"#).starts_with("it is no JSON Schema: "));
    }
}
