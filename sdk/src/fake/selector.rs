//! Label selectors, as far as tests need them: `key=value`, `key!=value`, `key`, `!key`,
//! `key in (a, b)`, joined by commas, and `name=…`.

use crate::bindings::imports::types::Label;
use crate::failure::{Failure, Result};

/// Labels written as `key=value,key=value`.
pub(super) fn labels(text: &str) -> Vec<Label> {
    text.split(',')
        .filter_map(|pair| pair.split_once('='))
        .map(|(key, value)| Label { key: key.trim().to_owned(), value: value.trim().to_owned() })
        .collect()
}

/// Does the selector choose what has this name and these labels?
pub(super) fn matches(selector: &str, name: &str, labels: &[Label]) -> Result<bool> {
    for requirement in split(selector) {
        if !holds(requirement.trim(), name, labels)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Splits at commas outside of parentheses.
fn split(selector: &str) -> Vec<&str> {
    let mut depth = 0;
    selector
        .split(|c: char| {
            match c {
                '(' => depth += 1,
                ')' => depth -= 1,
                _ => {}
            }
            c == ',' && depth == 0
        })
        .filter(|part| !part.trim().is_empty())
        .collect()
}

fn holds(requirement: &str, name: &str, labels: &[Label]) -> Result<bool> {
    let value = |key: &str| match key.trim() {
        "name" => Some(name),
        key => labels.iter().find(|label| label.key == key).map(|label| label.value.as_str()),
    };
    if let Some((key, set)) = requirement.split_once(" in ") {
        let set = set.trim().trim_start_matches('(').trim_end_matches(')');
        return Ok(value(key).is_some_and(|value| set.split(',').any(|each| each.trim() == value)));
    }
    if let Some((key, wanted)) = requirement.split_once("!=") {
        return Ok(value(key) != Some(wanted.trim()));
    }
    if let Some((key, wanted)) = requirement.split_once('=') {
        return Ok(value(key) == Some(wanted.trim_start_matches('=').trim()));
    }
    if requirement.contains(' ') {
        return Err(Failure::Invalid(format!("the fake host does not know the selector `{requirement}`")));
    }
    match requirement.strip_prefix('!') {
        Some(key) => Ok(value(key).is_none()),
        None => Ok(value(requirement).is_some()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chooses_by_labels_and_name() {
        let labels = labels("app=postgres,tier=db");
        for (selector, expected) in [
            ("app=postgres", true),
            ("app=redis", false),
            ("app in (redis, postgres),tier=db", true),
            ("app!=redis,!canary", true),
            ("canary", false),
            ("name=pg-0", true),
            ("name=pg-1", false),
            ("", true),
        ] {
            assert_eq!(matches(selector, "pg-0", &labels), Ok(expected), "{selector}");
        }
    }
}
