//! What a plugin says of itself, checked.

use jsonschema::Draft;

use super::text::cut_to;

/// What every plugin says of itself.
#[derive(Debug, Clone)]
pub struct About {
    /// Kebab-case.
    pub name: String,
    /// The plugin's own version.
    pub version: String,
    /// One line.
    pub summary: String,
    /// JSON Schema of its config. It is one: that was tried.
    pub config_schema: String,
    pub wishes: Vec<Wish>,
}

/// A capability that the plugin would like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// The grant's key in the run config.
    pub capability: String,
    pub reason: String,
}

/// What a plugin says of itself makes no sense.
#[derive(Debug, thiserror::Error)]
pub enum AboutError {
    #[error("its name is '{0}'; allowed are 1 to 64 characters of a-z, 0-9 and '-'")]
    Name(String),
    #[error("its version is '{0}'; allowed is a semantic version such as 1.2.0")]
    Version(String),
    #[error("its config's schema is of no use: {0}")]
    Schema(String),
}

impl About {
    /// Checks and bounds what the plugin said.
    pub(crate) fn new(
        name: String,
        version: String,
        summary: String,
        config_schema: String,
        wishes: Vec<Wish>,
    ) -> Result<Self, AboutError> {
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if name.is_empty() || name.len() > 64 || !name.bytes().all(fits) {
            return Err(AboutError::Name(cut_to(name, 100)));
        }
        if !is_semantic(&version) {
            return Err(AboutError::Version(cut_to(version, 100)));
        }
        is_schema(&config_schema).map_err(|problem| AboutError::Schema(cut_to(problem, 500)))?;
        let wishes = wishes
            .into_iter()
            .take(20)
            .map(|Wish { capability, reason }| Wish {
                capability: one_line(capability),
                reason: one_line(reason),
            })
            .collect();
        Ok(Self { name, version, summary: one_line(summary), config_schema, wishes })
    }
}

fn one_line(text: String) -> String {
    cut_to(text.split_whitespace().collect::<Vec<_>>().join(" "), 300)
}

/// Can configs be checked against it? References that lead out of it cannot be followed.
fn is_schema(text: &str) -> Result<(), String> {
    let schema = serde_json::from_str(text).map_err(|error| format!("it is not JSON: {error}"))?;
    let built = jsonschema::options().with_draft(Draft::Draft202012).offline().build(&schema);
    built.map(drop).map_err(|error| format!("it is no JSON Schema: {error}"))
}

/// Three numbers, and perhaps a pre-release or build.
fn is_semantic(version: &str) -> bool {
    let numbers = version.split(['-', '+']).next().unwrap_or_default();
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    version.len() <= 64
        && version.bytes().all(|byte| byte.is_ascii_graphic())
        && numbers.split('.').count() == 3
        && numbers.split('.').all(is_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn describe(name: &str, version: &str, schema: &str) -> Result<About, AboutError> {
        let summary = "Kills\n  pods.".to_owned();
        About::new(name.to_owned(), version.to_owned(), summary, schema.to_owned(), Vec::new())
    }

    fn about(name: &str, version: &str) -> Result<About, AboutError> {
        describe(name, version, "{}")
    }

    #[test]
    fn sense_is_accepted() {
        assert_eq!(about("pod-kill", "0.1.0-rc.1").expect("fine").summary, "Kills pods.");
    }

    #[test]
    fn nonsense_is_named() {
        insta::assert_snapshot!(
            about("Pod Kill", "0.1.0").expect_err("bad"),
            @"its name is 'Pod Kill'; allowed are 1 to 64 characters of a-z, 0-9 and '-'"
        );
        insta::assert_snapshot!(
            about("pod-kill", "1.0").expect_err("bad"),
            @"its version is '1.0'; allowed is a semantic version such as 1.2.0"
        );
        let refused = |schema| describe("pod-kill", "0.1.0", schema).expect_err("bad").to_string();
        assert!(refused("{").starts_with("its config's schema is of no use: it is not JSON: "));
        assert!(
            refused(r#"{"type": 3}"#).starts_with("its config's schema is of no use: it is no JSON Schema: ")
        );
    }
}
