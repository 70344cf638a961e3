//! Gets one path of the target, again and again: the first run against any site, and the smallest
//! behavior there is.

use assay_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
struct Config {
    /// The path, which begins with `/`.
    path: String,
    /// A text that the answer's body must hold; absent: any body will do.
    #[serde(skip_serializing_if = "Option::is_none")]
    contains: Option<String>,
}

impl Default for Config {
    fn default() -> Config {
        Config { path: "/".to_owned(), contains: None }
    }
}

struct Visitor {
    config: Config,
}

impl Behavior for Visitor {
    type Config = Config;

    fn tasks(_: &Config) -> Tasks<Self> {
        Tasks::new().group("get", 1, [Task::new("get", Self::get)])
    }

    fn validate(config: &Config) -> Vec<ConfigError> {
        match config.path.starts_with('/') {
            true => Vec::new(),
            false => vec![ConfigError::at("/path", "expected a path that begins with `/`")],
        }
    }

    fn start(config: Config, _: User) -> Result<Self> {
        Ok(Visitor { config })
    }
}

impl Visitor {
    fn get(&mut self) -> Result<()> {
        let mut request = http::get(&self.config.path);
        if let Some(text) = &self.config.contains {
            request = request.expect_body(text);
        }
        request.visit()
    }
}

assay_sdk::export!(behavior Visitor);

#[cfg(test)]
mod tests {
    use assay_sdk::fake::FakeHost;

    use super::*;

    #[test]
    fn it_gets_its_path() {
        let host = FakeHost::start();
        host.http("GET", "/catalogue", 200, "rings");
        let config = Config { path: "/catalogue".to_owned(), contains: None };
        let mut visitor = Visitor::start(config, host.user(0)).expect("starts");
        visitor.get().expect("gets");
    }

    #[test]
    fn a_path_is_not_a_url() {
        let config = Config { path: "http://elsewhere.test/".to_owned(), contains: None };
        assert_eq!(Visitor::validate(&config).len(), 1);
    }
}
