//! Says what is wrong with a value as a person would, from what the JSON Schema validator found.

use jsonschema::{ValidationError, error::ValidationErrorKind as Kind};
use serde_json::Value;

use super::{
    schema::{Complaint, branch_for, resolve},
    tree::escape,
    units,
};

/// How similar a key must be to be suggested.
const SIMILAR: f64 = 0.7;

/// Longest piece of a value that a message repeats.
const LONGEST_QUOTE: usize = 60;

/// Complaints from one error of the validator: usually one, several for several unknown keys.
pub(super) fn explain(root: &Value, error: &ValidationError<'_>) -> Vec<Complaint> {
    let pointer = error.instance_path().as_str().to_owned();
    // The keyword that failed is the last step; what holds it is the schema of the value.
    let path = error.schema_path().as_str();
    let holder = path.rsplit_once('/').map_or("", |(holder, _)| holder);
    let schema = root.pointer(holder).unwrap_or(&Value::Null);
    let instance = error.instance().as_ref();
    match error.kind() {
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            let allowed = keys(schema);
            unexpected.iter().map(|key| unknown_key(&pointer, key, &allowed)).collect()
        }
        Kind::Required { property } => {
            vec![missing(root, schema, property.as_str().unwrap_or_default(), pointer)]
        }
        Kind::OneOfNotValid { context } | Kind::AnyOf { context } => {
            alternatives(root, schema, error, context, &pointer)
        }
        Kind::MinItems { limit } => {
            let entries = if *limit == 1 { "entry" } else { "entries" };
            vec![Complaint::at_value(pointer, format!("expected at least {limit} {entries}"))]
        }
        Kind::MinProperties { .. } | Kind::MaxProperties { .. } => vec![wrong_count(schema, pointer)],
        Kind::PropertyNames { error } => {
            let name = error.instance().as_str().unwrap_or_default();
            let expected = root.pointer(holder).and_then(|schema| schema.get("propertyNames"));
            let expected = describe(root, expected.unwrap_or(&Value::Null));
            let pointer = format!("{pointer}/{}", escape(name));
            vec![Complaint::at_key(pointer, format!("expected {expected}, got `{name}`"))]
        }
        Kind::Type { .. }
        | Kind::Enum { .. }
        | Kind::Constant { .. }
        | Kind::Minimum { .. }
        | Kind::Maximum { .. }
        | Kind::ExclusiveMinimum { .. }
        | Kind::ExclusiveMaximum { .. }
        | Kind::MaxLength { .. }
        | Kind::Format { .. }
        | Kind::Pattern { .. } => vec![expected(root, schema, instance, pointer)],
        // Rare enough that the validator's own words do.
        _ => vec![Complaint::at_value(pointer, error.to_string())],
    }
}

/// What to say about a key that is not allowed.
pub(super) fn unknown_key(pointer: &str, key: &str, allowed: &[String]) -> Complaint {
    Complaint::at_key(format!("{pointer}/{}", escape(key)), format!("unknown key `{key}`"))
        .with_help(choices(key, allowed))
}

/// `did you mean …? allowed are …`.
pub(super) fn choices(given: &str, allowed: &[String]) -> String {
    let listed: Vec<_> = allowed.iter().map(|one| format!("`{one}`")).collect();
    let listed = match listed.is_empty() {
        true => "nothing is allowed here".to_owned(),
        false => format!("allowed: {}", listed.join(", ")),
    };
    match nearest(given, allowed) {
        Some(nearest) => format!("did you mean `{nearest}`? {listed}"),
        None => listed,
    }
}

fn nearest<'a>(given: &str, allowed: &'a [String]) -> Option<&'a String> {
    allowed
        .iter()
        .map(|one| (strsim::jaro_winkler(given, one), one))
        .filter(|(similarity, _)| *similarity >= SIMILAR)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, one)| one)
}

fn keys(schema: &Value) -> Vec<String> {
    let properties = schema.get("properties").and_then(Value::as_object);
    let mut keys: Vec<_> = properties.into_iter().flatten().map(|(key, _)| key.clone()).collect();
    keys.sort();
    keys
}

fn missing(root: &Value, schema: &Value, key: &str, pointer: String) -> Complaint {
    let complaint = Complaint::at_value(pointer, format!("missing key `{key}`"));
    let Some(of_key) = schema.get("properties").and_then(|properties| properties.get(key)) else {
        return complaint;
    };
    let help = format!("`{key}` is {}", describe(root, of_key));
    match of_key.get("description").and_then(Value::as_str) {
        // Authors write descriptions over several lines; here they are one.
        Some(description) => {
            let description = description.split_whitespace().collect::<Vec<_>>().join(" ");
            complaint.with_help(format!("{help}. {description}"))
        }
        None => complaint.with_help(help),
    }
}

/// Too few or too many keys: in practice a table that wants exactly one, or at least one.
fn wrong_count(schema: &Value, pointer: String) -> Complaint {
    let bound = |keyword: &str| schema.get(keyword).and_then(Value::as_u64);
    let keys: Vec<_> = keys(schema).iter().map(|key| format!("`{key}`")).collect();
    let of = if keys.is_empty() { "keys".to_owned() } else { format!("of {}", keys.join(", ")) };
    let message = match (bound("minProperties"), bound("maxProperties")) {
        (Some(1), Some(1)) => format!("expected exactly one {of}"),
        (Some(least), None) => format!("expected at least {least} {of}"),
        (None, Some(most)) => format!("expected at most {most} {of}"),
        (least, most) => {
            format!("expected {} to {} {of}", least.unwrap_or_default(), most.unwrap_or(u64::MAX))
        }
    };
    Complaint::at_value(pointer, message)
}

fn expected(root: &Value, schema: &Value, instance: &Value, pointer: String) -> Complaint {
    let message = format!("expected {}, got {}", describe(root, schema), quote(instance));
    let format = schema.get("format").and_then(Value::as_str).filter(|format| *format != "assay-name");
    let because = format.zip(instance.as_str()).and_then(|(format, text)| units::check(format, text).err());
    match because {
        Some(because) => Complaint::at_value(pointer, message).with_help(because),
        None => Complaint::at_value(pointer, message),
    }
}

/// Errors of the alternative that was meant, or one error that names them all.
fn alternatives(
    root: &Value,
    schema: &Value,
    error: &ValidationError<'_>,
    context: &[Vec<ValidationError<'static>>],
    pointer: &str,
) -> Vec<Complaint> {
    let branches = ["oneOf", "anyOf"].iter().find_map(|keyword| schema.get(keyword)?.as_array());
    let Some(branches) = branches else {
        return vec![Complaint::at_value(pointer, error.to_string())];
    };
    let instance = error.instance().as_ref();
    if let Some(meant) = branch_for(root, branches, instance)
        && let Some(index) = branches.iter().position(|branch| std::ptr::eq(branch, meant))
        && let Some(errors) = context.get(index)
    {
        return errors.iter().flat_map(|error| explain(root, error)).collect();
    }
    if let Some((tag, tags)) = tags(root, branches)
        && instance.is_object()
    {
        let allowed: Vec<_> = tags.iter().map(|tag| quote(tag)).collect();
        let allowed = format!("one of {}", allowed.join(", "));
        return vec![match instance.get(&tag) {
            Some(given) => {
                let message = format!("expected {allowed}, got {}", quote(given));
                Complaint::at_value(format!("{pointer}/{}", escape(&tag)), message)
            }
            None => Complaint::at_value(pointer, format!("missing key `{tag}`"))
                .with_help(format!("`{tag}` is {allowed}")),
        }];
    }
    vec![expected(root, schema, instance, pointer.to_owned())]
}

/// The key that tells alternatives apart, and its value in each.
fn tags<'a>(root: &'a Value, branches: &'a [Value]) -> Option<(String, Vec<&'a Value>)> {
    let constants = |branch: &'a Value| resolve(root, branch).get("properties").and_then(Value::as_object);
    let first = constants(branches.first()?)?;
    first.iter().filter(|(_, property)| property.get("const").is_some()).find_map(|(key, _)| {
        let tags: Option<Vec<_>> =
            branches.iter().map(|branch| constants(branch)?.get(key)?.get("const")).collect();
        Some((key.clone(), tags?))
    })
}

/// What a schema asks for, to stand after "expected".
fn describe(root: &Value, schema: &Value) -> String {
    let schema = resolve(root, schema);
    let text = |key: &str| schema.get(key).and_then(Value::as_str);
    if let Some(example) = text("format").and_then(units::example) {
        return example.to_owned();
    }
    if let Some(options) = schema.get("enum").and_then(Value::as_array) {
        let options: Vec<_> = options.iter().map(quote).collect();
        return format!("one of {}", options.join(", "));
    }
    if let Some(constant) = schema.get("const") {
        return quote(constant);
    }
    for keyword in ["oneOf", "anyOf"] {
        if let Some(branches) = schema.get(keyword).and_then(Value::as_array) {
            let branches: Vec<_> = branches.iter().map(|branch| describe(root, branch)).collect();
            return branches.join(" or ");
        }
    }
    if let Some(pattern) = text("pattern") {
        return format!("a text that matches {pattern}");
    }
    match text("type") {
        Some("integer") => format!("a whole number{}", bounds(schema)),
        Some("number") => format!("a number{}", bounds(schema)),
        Some("string") => "a text in quotes".to_owned(),
        Some("boolean") => "true or false".to_owned(),
        Some("array") => match schema.get("items") {
            Some(items) => format!("a list, each {}", describe(root, items)),
            None => "a list".to_owned(),
        },
        Some("object") => match keys(schema) {
            keys if keys.is_empty() => "a table".to_owned(),
            keys => format!("a table with {}", keys.join(", ")),
        },
        _ => "another value".to_owned(),
    }
}

fn bounds(schema: &Value) -> String {
    let bound = |key: &str| schema.get(key).filter(|bound| bound.is_number());
    let low = bound("minimum").map(|low| format!(" from {low}"));
    let low = low.or_else(|| bound("exclusiveMinimum").map(|low| format!(" above {low}")));
    let high = bound("maximum").map(|high| format!(" to {high}"));
    let high = high.or_else(|| bound("exclusiveMaximum").map(|high| format!(" below {high}")));
    match (low, high) {
        (None, Some(high)) => high.replace(" to ", " of at most "),
        (Some(low), None) => low.replace(" from ", " of at least "),
        (low, high) => low.unwrap_or_default() + &high.unwrap_or_default(),
    }
}

/// A value as TOML would show it, shortened.
pub(super) fn quote(value: &Value) -> String {
    let shown = match value {
        Value::Object(_) => return "a table".to_owned(),
        Value::Array(_) => return "a list".to_owned(),
        other => other.to_string(),
    };
    match shown.chars().count() > LONGEST_QUOTE {
        true => format!("{}…", shown.chars().take(LONGEST_QUOTE).collect::<String>()),
        false => shown,
    }
}
