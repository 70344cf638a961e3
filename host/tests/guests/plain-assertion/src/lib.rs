//! A well-behaved assertion, for the host's tests: promises a share of successes.

use assay_sdk::observations::{self, Filter};
use assay_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
struct Config {
    /// At least this share of requests succeeds.
    success_rate: Percent,
    /// Over this stretch.
    span: Stretch,
}

impl Default for Config {
    fn default() -> Config {
        Config { success_rate: Percent::from_ratio(0.9), span: Stretch::Whole }
    }
}

struct Plain {
    config: Config,
}

impl Assertion for Plain {
    type Config = Config;

    fn new(config: Config) -> Self {
        Plain { config }
    }

    fn evaluate(&mut self, moment: Moment) -> Result<Vec<Verdict>> {
        if moment == Moment::SoFar {
            return Ok(Vec::new());
        }
        let totals = observations::summary(&Filter::users(), &self.config.span.span(), 0.0)?;
        let promised = self.config.success_rate.ratio();
        let verdict = Verdict::at_least(
            "success rate",
            totals.success_ratio().map(Measure::Ratio),
            Measure::Ratio(promised),
        )
        .of_ratio(promised, totals.requests)
        .because(format!("{} requests {}", totals.requests, self.config.span.words()));
        Ok(vec![verdict])
    }
}

assay_sdk::export!(assertion Plain);
