//! Values: what of a platform can be set without being another one, such as how its database replicates.
//!
//! The stack file names each of them and says what it is unless told otherwise; an overlay may tell otherwise
//! and may name no others.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Value;

/// By name. What files are made of sees them as `values`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub(super) struct Values(BTreeMap<String, Value>);

impl Values {
    /// Says the first value that is none. Names are what an expression in a template can say.
    pub(super) fn check(&self) -> Result<(), String> {
        for (name, value) in &self.0 {
            let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            if !name.starts_with(|first: char| first.is_ascii_lowercase()) || !name.chars().all(fits) {
                return Err(format!(
                    "{name}: the name has to begin with a letter, and allowed are a-z, 0-9 and _"
                ));
            }
            if matches!(value, Value::Array(_) | Value::Table(_) | Value::Datetime(_)) {
                return Err(format!("{name}: allowed are a text, a number, true and false"));
            }
        }
        Ok(())
    }

    /// As templates see them.
    pub(super) fn seen(&self) -> minijinja::Value {
        let seen = |value: &Value| match value {
            Value::String(text) => text.as_str().into(),
            Value::Integer(number) => (*number).into(),
            Value::Float(number) => (*number).into(),
            Value::Boolean(is) => (*is).into(),
            // What is none was refused.
            Value::Datetime(_) | Value::Array(_) | Value::Table(_) => minijinja::Value::UNDEFINED,
        };
        let seen = self.0.iter().map(|(name, value)| (name.as_str(), seen(value)));
        seen.collect::<BTreeMap<_, _>>().into()
    }

    /// Sets some of them otherwise, each to something of its own kind.
    pub(super) fn set(&mut self, others: Self) -> Result<(), String> {
        for (name, other) in others.0 {
            match self.0.get_mut(&name) {
                Some(value) if value.same_type(&other) => *value = other,
                Some(value) => {
                    let (is, was) = (other.type_str(), value.type_str());
                    return Err(format!("{name}: {other} is of type {is} and not of type {was} as"));
                }
                None => return Err(format!("{name}: there is none")),
            }
        }
        Ok(())
    }
}
