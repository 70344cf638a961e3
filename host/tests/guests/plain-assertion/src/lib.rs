//! A well-behaved assertion, for the host's tests: promises a share of successes, and that it is watched for long
//! enough beyond the load.

use assay_sdk::observations::{self, Filter, Metric, Nanos, Span};
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
    /// Something is to be known of so long after the load.
    #[serde(skip_serializing_if = "Option::is_none")]
    beyond: Option<Period>,
}

impl Default for Config {
    fn default() -> Config {
        Config { success_rate: Percent::from_ratio(0.9), span: Stretch::Whole, beyond: None }
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
        let beyond = self.beyond()?;
        if moment == Moment::SoFar {
            return Ok(beyond.into_iter().filter(|verdict| verdict.shortage.is_some()).collect());
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
        Ok([verdict].into_iter().chain(beyond).collect())
    }
}

impl Plain {
    fn beyond(&self) -> Result<Option<Verdict>> {
        let Some(needed) = self.config.beyond else { return Ok(None) };
        let last = |span| observations::series(&Filter::probe(), &span, Metric::Requests, SECOND);
        let ended = last(Span::Whole)?.last().map_or(0, |point| point.at + SECOND);
        let watched = last(Span::Between((ended, Nanos::MAX)))?.last().map_or(ended, |point| point.at);
        let had = Measure::Duration(watched.saturating_sub(ended));
        Ok(Some(Verdict::kept("watched beyond the load").needs(Measure::Duration(needed.nanos()), had)))
    }
}

const SECOND: Nanos = 1_000_000_000;

assay_sdk::export!(assertion Plain);
