//! A well-behaved behavior, for the host's tests: one task reads, one writes and keeps the ledger.

use std::time::Duration;

use assay_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A row of a feed.
#[derive(Deserialize)]
struct Row {
    word: String,
}

#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
struct Config {
    /// What `read` gets.
    path: String,
    /// What `write` posts its key to, as the form field `key`.
    write_path: String,
    /// What `audit` reads keys from, one a line, a page per request with `?after=KEY`. None: an
    /// empty page.
    audit_path: Option<String>,
    /// What `start` gets, if anything.
    start_path: Option<String>,
    /// The feed whose next row `read` sends along, by its column `word`, if any.
    feed: Option<String>,
    /// How long each task waits first.
    wait: Period,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            path: "/".to_owned(),
            write_path: "/write".to_owned(),
            audit_path: None,
            start_path: None,
            feed: None,
            wait: Period::new(Duration::ZERO),
        }
    }
}

struct Plain {
    config: Config,
    user: User,
    written: u64,
}

impl Behavior for Plain {
    type Config = Config;

    fn tasks(_: &Config) -> Tasks<Self> {
        Tasks::new().group("reading", 3, [Task::new("read", Self::read)]).group(
            "writing",
            1,
            [Task::new("write", Self::write).writes()],
        )
    }

    fn validate(config: &Config) -> Vec<ConfigError> {
        match config.path.starts_with('/') {
            true => Vec::new(),
            false => vec![ConfigError::at("/path", "expected a path that begins with `/`")],
        }
    }

    fn start(config: Config, user: User) -> Result<Self> {
        if let Some(path) = &config.start_path {
            http::get(path).name("start").visit()?;
        }
        log::info(&format!("user {} of run {} starts", user.id, user.run));
        Ok(Plain { config, user, written: 0 })
    }

    fn stop(&mut self) {
        log::info(&format!("user {} leaves", self.user.id));
    }

    fn audit(&mut self, after: Option<&str>) -> Result<AuditPage> {
        let Some(path) = &self.config.audit_path else {
            return Ok(AuditPage { keys: Vec::new(), next: None });
        };
        let url = after.map_or_else(|| path.clone(), |after| format!("{path}?after={after}"));
        let keys: Vec<String> =
            http::get(url).name("audit").send()?.expected()?.text().lines().map(str::to_owned).collect();
        let next = keys.last().cloned();
        Ok(AuditPage { keys, next })
    }
}

impl Plain {
    fn read(&mut self) -> Result<()> {
        self.wait()?;
        let url = match &self.config.feed {
            Some(feed) => {
                let row: Row = feed::next(feed)?;
                format!("{}?user={}&word={}", self.config.path, self.user.id, row.word)
            }
            None => self.config.path.clone(),
        };
        let answer = http::get(url).send()?;
        metrics::check("answered as expected", answer.is_expected());
        answer.expected().map(drop)
    }

    fn write(&mut self) -> Result<()> {
        self.wait()?;
        self.written += 1;
        let write = ledger::attempt(format!("{}-{}-{}", self.user.run, self.user.id, self.written));
        let answer = http::post(&self.config.write_path).form([("key", write.key())]).send()?;
        match answer.status() {
            200..=299 => write.confirm(),
            400..=499 => write.reject(),
            _ => {}
        }
        answer.expected().map(drop)
    }

    fn wait(&self) -> Result<()> {
        match self.config.wait.duration() {
            Duration::ZERO => Ok(()),
            wait => clock::sleep(wait),
        }
    }
}

assay_sdk::export!(behavior Plain);
