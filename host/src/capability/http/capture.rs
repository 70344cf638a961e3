//! Regular expressions that the host runs for its guests, on the bodies that it holds.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use regex::bytes::{Regex, RegexBuilder};

/// Longest expression, in bytes.
const LONGEST: usize = 1024;
/// Most bytes that one compiled expression may take.
const SIZE: usize = 1 << 20;
/// Compiled expressions that are kept. All users of a behavior ask for the same few.
const KEPT: usize = 256;

type Compiled = Result<Arc<Regex>, Arc<str>>;

static COMPILED: LazyLock<Mutex<HashMap<String, Compiled>>> = LazyLock::new(Mutex::default);

/// The first match: group 1 if there is one, else the whole match. The error is a finding's text.
pub(super) fn first(pattern: &str, body: &[u8]) -> Result<Option<String>, String> {
    if pattern.len() > LONGEST {
        let length = pattern.len();
        return Err(format!("capture: an expression of {length} bytes; at most {LONGEST} are allowed"));
    }
    let regex = compiled(pattern).map_err(|because| because.to_string())?;
    let found = regex.captures(body).and_then(|captures| captures.get(1).or_else(|| captures.get(0)));
    Ok(found.map(|found| String::from_utf8_lossy(found.as_bytes()).into_owned()))
}

fn compiled(pattern: &str) -> Compiled {
    let mut kept = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(compiled) = kept.get(pattern) {
        return compiled.clone();
    }
    let compiled = match RegexBuilder::new(pattern).size_limit(SIZE).dfa_size_limit(SIZE).build() {
        Ok(regex) => Ok(Arc::new(regex)),
        Err(error) => Err(Arc::from(format!("capture: {error}"))),
    };
    if kept.len() >= KEPT {
        kept.clear();
    }
    kept.insert(pattern.to_owned(), compiled.clone());
    compiled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn group_one_else_the_whole_match() {
        let body = br#"<input name="csrf" value="s3cret">"#;
        assert_eq!(first(r#"name="csrf" value="([^"]+)""#, body), Ok(Some("s3cret".to_owned())));
        assert_eq!(first("s3[a-z]+", body), Ok(Some("s3cret".to_owned())));
        assert_eq!(first("nothing", body), Ok(None));
    }

    #[test]
    fn bad_and_huge_expressions_answer_why() {
        assert!(first("(", b"").is_err_and(|text| text.starts_with("capture: regex parse error")));
        assert!(first("(a{1000}){1000}", b"").is_err_and(|text| text.contains("size limit")));
        assert!(first(&"a".repeat(2000), b"").is_err_and(|text| text.contains("at most 1024")));
    }
}
