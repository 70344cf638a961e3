//! Checks a config against a JSON Schema: the run config against its own, a plugin's config against
//! the plugin's.

use jsonschema::Draft;
use serde_json::{Map, Value};

use super::{explain, model::PluginUse, units};

/// How deep defaults are filled in: a schema that refers to itself would never end.
const DEEPEST: usize = 16;

/// Something wrong with a config, by a JSON pointer into it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Complaint {
    pub pointer: String,
    /// Is the key wrong, and not its value?
    pub at_key: bool,
    pub message: String,
    /// What is allowed.
    pub help: Option<String>,
}

impl Complaint {
    /// About the value that a pointer names.
    pub fn at_value(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), at_key: false, message: message.into(), help: None }
    }

    /// About the key that a pointer names.
    pub fn at_key(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self { at_key: true, ..Self::at_value(pointer, message) }
    }

    /// The same, with what is allowed.
    pub fn with_help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }
}

/// Checks a plugin's config against the schema that the plugin gave. Answers the config with the
/// schema's defaults filled in, nested ones too, or everything that is wrong with it.
///
/// The formats of the SDK's quantities (`assay-duration` and so on) are known: messages show what a
/// right value looks like.
pub fn check_schema(schema: &str, uses: &PluginUse) -> Result<Value, Vec<Complaint>> {
    let broken = |problem: String| {
        let message =
            format!("plugin `{}` has a config schema that is no JSON Schema: {problem}", uses.plugin);
        vec![Complaint::at_value("", message)]
    };
    let mut schema: Value = serde_json::from_str(schema).map_err(|error| broken(error.to_string()))?;
    without_null(&mut schema);
    let mut config = uses.config.clone();
    if config.is_null() {
        config = Value::Object(Map::new());
    }
    fill(&schema, &schema, &mut config, 0);
    match complaints(&schema, &config) {
        Ok(complaints) if complaints.is_empty() => Ok(config),
        Ok(complaints) => Err(complaints),
        Err(problem) => Err(broken(problem)),
    }
}

/// Everything in which a value breaks a schema, or why the schema cannot be used.
pub(super) fn complaints(schema: &Value, value: &Value) -> Result<Vec<Complaint>, String> {
    let mut options = jsonschema::options().with_draft(Draft::Draft202012).should_validate_formats(true);
    for name in units::formats() {
        options = options.with_format(name, move |text: &str| units::check(name, text).is_ok());
    }
    let validator = options.offline().build(schema).map_err(|error| error.to_string())?;
    let mut complaints: Vec<_> =
        validator.iter_errors(value).flat_map(|error| explain::explain(schema, &error)).collect();
    complaints.sort();
    complaints.dedup();
    Ok(complaints)
}

/// TOML has no null, so a schema's permission to write one would only blur messages.
pub(super) fn without_null(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(without_null),
        Value::Object(map) => {
            if let Some(Value::Array(types)) = map.get_mut("type") {
                types.retain(|one| one != "null");
                if let [one] = types.as_slice() {
                    let one = one.clone();
                    map.insert("type".to_owned(), one);
                }
            }
            for keyword in ["anyOf", "oneOf"] {
                let Some(Value::Array(branches)) = map.get_mut(keyword) else { continue };
                branches.retain(|branch| branch.get("type") != Some(&Value::from("null")));
                // What is left of an optional value is the value.
                if let [Value::Object(only)] = branches.as_mut_slice() {
                    let only = std::mem::take(only);
                    map.remove(keyword);
                    for (key, value) in only {
                        map.entry(key).or_insert(value);
                    }
                }
            }
            if map.get("default").is_some_and(Value::is_null) {
                map.remove("default");
            }
            map.values_mut().for_each(without_null);
        }
        _ => {}
    }
}

/// Puts in the defaults of keys that are absent.
fn fill(root: &Value, schema: &Value, value: &mut Value, depth: usize) {
    if depth > DEEPEST {
        return;
    }
    let schema = resolve(root, schema);
    for branch in schema.get("allOf").and_then(Value::as_array).into_iter().flatten() {
        fill(root, branch, value, depth + 1);
    }
    for keyword in ["anyOf", "oneOf"] {
        let branches = schema.get(keyword).and_then(Value::as_array);
        if let Some(branch) = branches.and_then(|branches| branch_for(root, branches, value)) {
            fill(root, branch, value, depth + 1);
        }
    }
    match value {
        Value::Object(entries) => {
            let properties = schema.get("properties").and_then(Value::as_object);
            for (key, property) in properties.into_iter().flatten() {
                if !entries.contains_key(key)
                    && let Some(default) = default_of(root, property)
                {
                    entries.insert(key.clone(), default.clone());
                }
                if let Some(entry) = entries.get_mut(key) {
                    fill(root, property, entry, depth + 1);
                }
            }
            if let Some(others) = schema.get("additionalProperties").filter(|schema| schema.is_object()) {
                let known = |key: &String| properties.is_some_and(|properties| properties.contains_key(key));
                for (_, entry) in entries.iter_mut().filter(|(key, _)| !known(key)) {
                    fill(root, others, entry, depth + 1);
                }
            }
        }
        Value::Array(items) => {
            if let Some(item_schema) = schema.get("items") {
                items.iter_mut().for_each(|item| fill(root, item_schema, item, depth + 1));
            }
        }
        _ => {}
    }
}

fn default_of<'a>(root: &'a Value, schema: &'a Value) -> Option<&'a Value> {
    // What stands beside a reference goes before what it refers to.
    schema.get("default").or_else(|| resolve(root, schema).get("default"))
}

/// Follows references inside the document.
pub(super) fn resolve<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let mut schema = schema;
    for _ in 0..DEEPEST {
        let target = schema
            .get("$ref")
            .and_then(Value::as_str)
            .and_then(|reference| reference.strip_prefix('#'))
            .and_then(|pointer| root.pointer(pointer));
        match target {
            Some(target) => schema = target,
            None => break,
        }
    }
    schema
}

/// Which of several alternatives a value is meant to be: the one whose constants it has, or the
/// only one of its type.
pub(super) fn branch_for<'a>(root: &'a Value, branches: &'a [Value], value: &Value) -> Option<&'a Value> {
    let tagged = branches.iter().find(|branch| {
        let properties = resolve(root, branch).get("properties").and_then(Value::as_object);
        let mut constants = properties
            .into_iter()
            .flatten()
            .filter_map(|(key, property)| Some((key, property.get("const")?)))
            .peekable();
        constants.peek().is_some() && constants.all(|(key, constant)| value.get(key) == Some(constant))
    });
    tagged.or_else(|| {
        let mut same_type = branches.iter().filter(|branch| {
            let kind = resolve(root, branch).get("type").and_then(Value::as_str);
            kind.is_some_and(|kind| is_type(kind, value))
        });
        same_type.next().filter(|_| same_type.next().is_none())
    })
}

fn is_type(kind: &str, value: &Value) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::ConfigOrigin;
    use super::*;

    /// As the SDK writes it for a typical plugin.
    fn schema() -> Value {
        json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$defs": {
                "Period": {
                    "type": "string",
                    "format": "assay-duration",
                    "pattern": r"^([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h|d))+$",
                },
                "Percent": {
                    "type": ["string", "number"],
                    "format": "assay-percent",
                    "pattern": r"^[0-9]+(\.[0-9]+)?%?$",
                    "minimum": 0,
                },
                "Inner": {
                    "type": "object",
                    "properties": {
                        "cpu": { "$ref": "#/$defs/Percent", "default": "100%" },
                        "deeper": { "$ref": "#/$defs/Inner" },
                    },
                    "additionalProperties": false,
                },
                "Way": {
                    "oneOf": [
                        {
                            "type": "object",
                            "properties": { "by": { "const": "call" }, "port": { "type": "integer", "default": 80 } },
                            "required": ["by"],
                            "additionalProperties": false,
                        },
                        {
                            "type": "object",
                            "properties": { "by": { "const": "text" }, "to": { "type": "string" } },
                            "required": ["by", "to"],
                            "additionalProperties": false,
                        },
                    ],
                },
            },
            "type": "object",
            "properties": {
                "p95": { "anyOf": [{ "$ref": "#/$defs/Period" }, { "type": "null" }], "default": null },
                "selector": { "type": "string", "description": "Whom\nit strikes." },
                "inner": { "$ref": "#/$defs/Inner", "default": {} },
                "ways": { "type": "array", "items": { "$ref": "#/$defs/Way" } },
                "manner": {
                    "oneOf": [
                        { "type": "string", "const": "crash", "description": "At once." },
                        { "type": "string", "const": "freeze" },
                    ],
                    "default": "crash",
                },
                "port": { "type": "integer", "minimum": 1, "maximum": 65535 },
            },
            "required": ["selector"],
            "additionalProperties": false,
        })
    }

    fn check(config: Value) -> Result<Value, Vec<Complaint>> {
        let uses = PluginUse { plugin: "kill".to_owned(), config, origin: ConfigOrigin::default() };
        check_schema(&schema().to_string(), &uses)
    }

    fn complaints_about(config: Value) -> String {
        let complaints = check(config).expect_err("refused");
        let lines = complaints.iter().map(|complaint| {
            let help = complaint.help.as_ref().map(|help| format!(" [{help}]")).unwrap_or_default();
            format!("{}: {}{help}", complaint.pointer, complaint.message)
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn defaults_are_filled_in_where_tables_are_absent_and_where_they_are_not() {
        assert_eq!(
            check(json!({ "selector": "a" })),
            Ok(json!({ "selector": "a", "inner": { "cpu": "100%" }, "manner": "crash" }))
        );
        assert_eq!(
            check(json!({
                "selector": "a",
                "inner": { "deeper": {} },
                "manner": "freeze",
                "ways": [{ "by": "call" }, { "by": "text", "to": "me" }],
            })),
            Ok(json!({
                "selector": "a",
                "inner": { "cpu": "100%", "deeper": { "cpu": "100%" } },
                "manner": "freeze",
                "ways": [{ "by": "call", "port": 80 }, { "by": "text", "to": "me" }],
            }))
        );
    }

    #[test]
    fn complaints_say_what_would_be_right() {
        insta::assert_snapshot!(
            complaints_about(json!({
                "selecter": "a",
                "p95": 5,
                "inner": { "cpu": "much", "memory": 1 },
                "ways": [{ "by": "text" }, { "by": "foot" }, "call", {}],
                "manner": "gently",
                "port": 70000,
            })),
            @r#"
        : missing key `selector` [`selector` is a text in quotes. Whom it strikes.]
        /inner/cpu: expected a percentage such as "99.9%", or a ratio such as 0.999, got "much" [`much` does not begin with a number]
        /inner/memory: unknown key `memory` [allowed: `cpu`, `deeper`]
        /manner: expected "crash" or "freeze", got "gently"
        /p95: expected a duration such as "10m", "250ms" or "1h30m", got 5
        /port: expected a whole number from 1 to 65535, got 70000
        /selecter: unknown key `selecter` [did you mean `selector`? allowed: `inner`, `manner`, `p95`, `port`, `selector`, `ways`]
        /ways/0: missing key `to` [`to` is a text in quotes]
        /ways/1/by: expected one of "call", "text", got "foot"
        /ways/2: expected a table with by, port or a table with by, to, got "call"
        /ways/3: missing key `by` [`by` is one of "call", "text"]
        "#
        );
        insta::assert_snapshot!(complaints_about(json!({ "selector": "a", "p95": "5 minutes" })), @r#"/p95: expected a duration such as "10m", "250ms" or "1h30m", got "5 minutes" [` minutes` is not a unit; units are ns, us, ms, s, m, h, d]"#);
    }

    #[test]
    fn a_schema_that_is_none_is_the_plugins_mistake() {
        let uses =
            PluginUse { plugin: "kill".to_owned(), config: json!({}), origin: ConfigOrigin::default() };
        for schema in ["", "{", "[]", r#"{"type": "thing"}"#, r#"{"$ref": "https://example.org/a.json"}"#] {
            let complaints = check_schema(schema, &uses).expect_err(schema);
            assert!(complaints[0].message.contains("no JSON Schema"), "{complaints:?}");
        }
        // A schema that refers to itself forever is as good as none at all, but ends.
        let endless = r##"{"properties": {"a": {"$ref": "#", "default": {}}}}"##;
        assert!(check_schema(endless, &uses).is_ok());
    }
}
