//! What the promises are.

use std::collections::BTreeMap;

use assay_sdk::observations::{Filter, Latency};
use assay_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// From where latency counts.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum From {
    /// From the intended start of the request, so that a stalled generator or target hides nothing.
    #[default]
    Response,
    /// From its actual send.
    Service,
}

/// Every promise that is present is judged.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct Config {
    /// At least this share of requests, and of one-second windows, is good.
    pub(crate) availability: Option<Percent>,
    /// At least this share of requests succeeds.
    pub(crate) success_rate: Option<Percent>,
    /// Mean latency of successes, at most.
    pub(crate) mean: Option<Period>,
    /// 50th percentile of the latency of successes, at most.
    pub(crate) p50: Option<Period>,
    /// 90th percentile of the latency of successes, at most.
    pub(crate) p90: Option<Period>,
    /// 95th percentile of the latency of successes, at most.
    pub(crate) p95: Option<Period>,
    /// 99th percentile of the latency of successes, at most.
    pub(crate) p99: Option<Period>,
    /// Slowest success, at most.
    pub(crate) max: Option<Period>,
    /// At least so many requests.
    pub(crate) requests: Option<u64>,
    /// The time that `requests` is promised for. Over a shorter one, fewer requests say nothing.
    pub(crate) requests_in: Option<Period>,
    /// The busiest second has at least so many requests.
    pub(crate) peak_rate: Option<Rate>,
    /// The stretch that is judged.
    pub(crate) span: Stretch,
    /// Only the requests of this behavior.
    pub(crate) behavior: Option<String>,
    /// Only the requests of this task group.
    pub(crate) group: Option<String>,
    /// Which latency the percentiles are of; mean and max are of response time.
    pub(crate) latency: From,
    /// Up to this share of failures a one-second window is still good.
    pub(crate) good_window: Percent,
    /// The reader's own numbering, by promise: `{ p95 = "12" }`.
    pub(crate) requirements: BTreeMap<String, String>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            availability: None,
            success_rate: None,
            mean: None,
            p50: None,
            p90: None,
            p95: None,
            p99: None,
            max: None,
            requests: None,
            requests_in: None,
            peak_rate: None,
            span: Stretch::OutsideFaults,
            behavior: None,
            group: None,
            latency: From::Response,
            good_window: Percent::from_ratio(0.0),
            requirements: BTreeMap::new(),
        }
    }
}

impl Config {
    pub(crate) fn errors(&self) -> Vec<ConfigError> {
        let mut errors = Vec::new();
        let shares = [
            ("availability", self.availability),
            ("success-rate", self.success_rate),
            ("good-window", Some(self.good_window)),
        ];
        for (key, share) in shares {
            if let Some(share) = share.filter(|share| share.ratio() > 1.0) {
                let message = format!("{share} is more than 100%; expected a share such as \"99.9%\"");
                errors.push(ConfigError::at(format!("/{key}"), message));
            }
        }
        let promises = self.promises();
        if promises.is_empty() {
            errors.push(ConfigError::at("", "no promise; expected one or more, e.g. p95 = \"2s\""));
        }
        for key in self.requirements.keys().filter(|key| !promises.contains(&key.as_str())) {
            let message = format!("there is no promise `{key}`; there are: {}", promises.join(", "));
            errors.push(ConfigError::at(format!("/requirements/{key}"), message));
        }
        if self.requests_in.is_some() && self.requests.is_none() {
            errors.push(ConfigError::at("/requests-in", "says how long `requests` takes, which is missing"));
        }
        if self.latency == From::Service && (self.mean.is_some() || self.max.is_some()) {
            let message = "mean and max are known of response times only; promise percentiles here";
            errors.push(ConfigError::at("/latency", message));
        }
        errors
    }

    /// The keys of the promises that were made.
    fn promises(&self) -> Vec<&'static str> {
        let periods = [
            ("mean", self.mean),
            ("p50", self.p50),
            ("p90", self.p90),
            ("p95", self.p95),
            ("p99", self.p99),
            ("max", self.max),
        ];
        let mut keys: Vec<_> =
            periods.iter().filter(|(_, bound)| bound.is_some()).map(|(key, _)| *key).collect();
        keys.extend(self.availability.map(|_| "availability"));
        keys.extend(self.success_rate.map(|_| "success-rate"));
        keys.extend(self.requests.map(|_| "requests"));
        keys.extend(self.peak_rate.map(|_| "peak-rate"));
        keys
    }

    /// The percentiles that were promised.
    pub(crate) fn percentiles(&self) -> Vec<(&'static str, f64, Period)> {
        let all = [
            ("p50", 50.0, self.p50),
            ("p90", 90.0, self.p90),
            ("p95", 95.0, self.p95),
            ("p99", 99.0, self.p99),
        ];
        all.into_iter().filter_map(|(key, percent, bound)| Some((key, percent, bound?))).collect()
    }

    pub(crate) fn filter(&self) -> Filter {
        Filter { behavior: self.behavior.clone(), group: self.group.clone(), ..Filter::users() }
    }

    /// Whose requests, for subjects: "", " of jewelry-shop", " of jewelry-shop, group pos".
    pub(crate) fn whose(&self) -> String {
        match (&self.behavior, &self.group) {
            (None, None) => String::new(),
            (Some(behavior), None) => format!(" of {behavior}"),
            (None, Some(group)) => format!(" of group {group}"),
            (Some(behavior), Some(group)) => format!(" of {behavior}, group {group}"),
        }
    }

    pub(crate) fn latency_name(&self) -> &'static str {
        match self.latency {
            From::Response => "response time",
            From::Service => "service time",
        }
    }

    pub(crate) fn latency(&self) -> Latency {
        match self.latency {
            From::Response => Latency::Response,
            From::Service => Latency::Service,
        }
    }

    pub(crate) fn requirement(&self, promise: &str) -> Option<String> {
        self.requirements.get(promise).cloned()
    }
}
