//! Label selectors as Kubernetes has them, equality and sets, plus `name=…`.

use std::{fmt, str::FromStr};

use crate::observe::Labels;

/// `app=web,tier in (app, db),!canary`: all requirements must hold. The empty selector matches
/// everything. The key `name` stands for the thing's own name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    text: String,
    requirements: Vec<Requirement>,
}

/// One condition on a thing's labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Requirement {
    In { key: String, values: Vec<String> },
    NotIn { key: String, values: Vec<String> },
    Exists { key: String },
    Missing { key: String },
}

/// A selector that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{selector}' is not a label selector: {because}; allowed are k=v, k!=v, k in (a, b), k notin (a, b), k and !k, joined by commas"
)]
pub struct SelectorError {
    selector: String,
    because: String,
}

impl Selector {
    /// The empty selector.
    pub fn everything() -> Self {
        Self { text: String::new(), requirements: Vec::new() }
    }

    /// Its conditions: all must hold.
    pub(super) fn requirements(&self) -> &[Requirement] {
        &self.requirements
    }

    /// Does a thing of this name with these labels match?
    pub fn matches(&self, name: &str, labels: &Labels) -> bool {
        let value = |key: &str| match key {
            "name" => Some(name),
            key => labels.get(key).map(String::as_str),
        };
        self.requirements.iter().all(|requirement| match requirement {
            Requirement::In { key, values } => {
                value(key).is_some_and(|value| values.iter().any(|one| one == value))
            }
            // As in Kubernetes, a thing without the label matches.
            Requirement::NotIn { key, values } => {
                value(key).is_none_or(|value| values.iter().all(|one| one != value))
            }
            Requirement::Exists { key } => value(key).is_some(),
            Requirement::Missing { key } => value(key).is_none(),
        })
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Selector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let requirements = split_outside_parentheses(text)
            .into_iter()
            .filter(|part| !part.trim().is_empty())
            .map(|part| requirement(part.trim()))
            .collect::<Result<_, _>>()
            .map_err(|because| SelectorError { selector: text.to_owned(), because })?;
        Ok(Self { text: text.to_owned(), requirements })
    }
}

fn split_outside_parentheses(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0_u32, 0);
    for (index, character) in text.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(&text[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

fn requirement(part: &str) -> Result<Requirement, String> {
    if let Some((key, rest)) = part.split_once(" notin ") {
        return Ok(Requirement::NotIn { key: label_key(key)?, values: value_set(rest)? });
    }
    if let Some((key, rest)) = part.split_once(" in ") {
        return Ok(Requirement::In { key: label_key(key)?, values: value_set(rest)? });
    }
    if let Some((key, value)) = part.split_once("!=") {
        return Ok(Requirement::NotIn { key: label_key(key)?, values: vec![label_value(value)?] });
    }
    if let Some((key, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
        return Ok(Requirement::In { key: label_key(key)?, values: vec![label_value(value)?] });
    }
    match part.strip_prefix('!') {
        Some(key) => Ok(Requirement::Missing { key: label_key(key)? }),
        None => Ok(Requirement::Exists { key: label_key(part)? }),
    }
}

fn value_set(text: &str) -> Result<Vec<String>, String> {
    let inner = text.trim().strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
    inner.ok_or_else(|| format!("'{}' is not a set", text.trim()))?.split(',').map(label_value).collect()
}

fn label_key(text: &str) -> Result<String, String> {
    let key = text.trim();
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    match !key.is_empty() && key.chars().all(fits) {
        true => Ok(key.to_owned()),
        false => Err(format!("'{key}' is not a label key")),
    }
}

fn label_value(text: &str) -> Result<String, String> {
    let value = text.trim();
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    match value.chars().all(fits) {
        true => Ok(value.to_owned()),
        false => Err(format!("'{value}' is not a label value")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(selector: &str, labels: &[(&str, &str)]) -> bool {
        let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        selector.parse::<Selector>().expect("parses").matches("db-0", &labels)
    }

    #[test]
    fn equality_sets_presence_and_names() {
        let labels = [("app", "db"), ("tier", "data")];
        assert!(matches("", &labels));
        assert!(matches("app=db,tier in (data, cache)", &labels));
        assert!(matches("app==db,!canary", &labels));
        assert!(matches("canary!=yes,canary notin (yes)", &labels));
        assert!(matches("name=db-0", &labels));
        assert!(!matches("name=db-1", &labels));
        assert!(!matches("app", &[]));
        assert!(!matches("tier notin (data)", &labels));
    }

    #[test]
    fn malformed_selectors_say_what_is_allowed() {
        for text in ["app in db", "=db", "a b", "app=d b", "app=(x"] {
            let error = text.parse::<Selector>().expect_err(text).to_string();
            assert!(error.contains("is not a label selector"), "{error}");
        }
    }
}
