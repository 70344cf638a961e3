//! Service levels: availability, success, latency and load over a stretch of the run.
//!
//! Latency is over successes and never shown without the success rate. Availability is judged by
//! request and by time, because under a closed model an outage lets users send less and flatters
//! the first.

mod budget;
mod config;

use assay_sdk::observations::{self, Filter, Span, Totals};
use assay_sdk::prelude::*;

use crate::budget::By;
use crate::config::Config;

struct Sla {
    config: Config,
}

impl Assertion for Sla {
    type Config = Config;

    fn validate(config: &Config) -> Vec<ConfigError> {
        config.errors()
    }

    fn new(config: Config) -> Self {
        Sla { config }
    }

    fn evaluate(&mut self, moment: Moment) -> Result<Vec<Verdict>> {
        let (filter, span) = (self.config.filter(), self.config.span.span());
        let totals = observations::summary(&filter, &span, self.config.good_window.ratio())?;
        if moment == Moment::SoFar {
            // Of all promises only this one cannot be mended by what is still to come.
            return Ok(self.max(&totals).into_iter().filter(|it| it.outcome == Outcome::Broken).collect());
        }
        let mut verdicts = self.availability(&totals, &filter, &span)?;
        verdicts.extend(self.success_rate(&totals));
        verdicts.extend(self.mean(&totals));
        verdicts.extend(self.percentiles(&totals, &filter, &span)?);
        verdicts.extend(self.max(&totals));
        verdicts.extend(self.requests(&totals));
        verdicts.extend(self.peak_rate(&totals));
        Ok(verdicts)
    }
}

impl Sla {
    fn availability(&self, totals: &Totals, filter: &Filter, span: &Span) -> Result<Vec<Verdict>> {
        let Some(promised) = self.config.availability.map(Percent::ratio) else { return Ok(Vec::new()) };
        let good_window = self.config.good_window.ratio();
        let ways = [
            ("request", By::Request, totals.success_ratio(), totals.requests),
            ("time", By::Time, totals.good_time_ratio(), totals.windows()),
        ];
        let mut verdicts = Vec::new();
        for (name, by, measured, samples) in ways {
            let counted = match by {
                By::Request => format!("{samples} requests"),
                By::Time if totals.empty_windows == 0 => format!("{samples} seconds"),
                By::Time => {
                    format!("{samples} seconds, and {} unknown for want of requests", totals.empty_windows)
                }
            };
            let budget = budget::sentence(by, promised, totals, filter, span, good_window)?;
            verdicts.push(
                Verdict::at_least(
                    format!("availability by {name}{}", self.config.whose()),
                    measured.map(Measure::Ratio),
                    Measure::Ratio(promised),
                )
                .of_ratio(promised, samples)
                .because(format!("{counted} {}; {budget}", self.config.span.words()))
                .requirement(self.config.requirement("availability")),
            );
        }
        Ok(verdicts)
    }

    fn success_rate(&self, totals: &Totals) -> Option<Verdict> {
        let promised = self.config.success_rate?.ratio();
        let errors: Vec<_> =
            totals.errors.iter().take(3).map(|(class, count)| format!("{class} {count}")).collect();
        let most = if errors.is_empty() { String::new() } else { format!(" (most: {})", errors.join(", ")) };
        let because = format!(
            "{} failures{most} of {} requests {}",
            totals.failures,
            totals.requests,
            self.config.span.words()
        );
        Some(
            Verdict::at_least(
                format!("success rate{}", self.config.whose()),
                totals.success_ratio().map(Measure::Ratio),
                Measure::Ratio(promised),
            )
            .of_ratio(promised, totals.requests)
            .because(because)
            .requirement(self.config.requirement("success-rate")),
        )
    }

    fn mean(&self, totals: &Totals) -> Option<Verdict> {
        let bound = self.config.mean?;
        let subject = format!("mean of response time{}", self.config.whose());
        Some(self.latency(subject, "mean", totals.mean, bound, totals))
    }

    fn max(&self, totals: &Totals) -> Option<Verdict> {
        let bound = self.config.max?;
        let subject = format!("maximum of response time{}", self.config.whose());
        Some(self.latency(subject, "max", totals.max, bound, totals))
    }

    fn percentiles(&self, totals: &Totals, filter: &Filter, span: &Span) -> Result<Vec<Verdict>> {
        let promised = self.config.percentiles();
        if promised.is_empty() {
            return Ok(Vec::new());
        }
        let asked: Vec<f64> = promised.iter().map(|(_, percent, _)| *percent).collect();
        let measured = observations::percentiles(filter, span, self.config.latency(), &asked)?;
        let verdicts = promised.into_iter().zip(measured).map(|((key, percent, bound), measured)| {
            let subject = format!("{key} of {}{}", self.config.latency_name(), self.config.whose());
            self.latency(subject, key, measured, bound, totals).of_percentile(percent, totals.successes)
        });
        Ok(verdicts.collect())
    }

    fn latency(
        &self,
        subject: String,
        promise: &str,
        measured: Option<u64>,
        bound: Period,
        totals: &Totals,
    ) -> Verdict {
        let rate = totals.success_ratio().map_or("no requests".to_owned(), numbers::percent);
        let mut because =
            format!("{} successes {}, success rate {rate}", totals.successes, self.config.span.words());
        let generator = observations::generator();
        if generator.bottleneck {
            because += &format!("; the load generator held the load back: {}", generator.because);
        }
        Verdict::at_most(subject, measured.map(Measure::Duration), bound.into())
            .because(because)
            .requirement(self.config.requirement(promise))
    }

    fn requests(&self, totals: &Totals) -> Option<Verdict> {
        let promised = self.config.requests?;
        let verdict = Verdict::at_least(
            format!("requests{}", self.config.whose()),
            Some(Measure::Count(totals.requests)),
            Measure::Count(promised),
        )
        .because(format!("in {} {}", numbers::duration(totals.covered), self.config.span.words()))
        .requirement(self.config.requirement("requests"));
        match self.config.requests_in {
            // The last second of a phase may be cut off.
            Some(window) if totals.requests < promised => Some(verdict.needs(
                window.into(),
                Measure::Duration(totals.covered.saturating_add(1_000_000_000).min(window.nanos())),
            )),
            _ => Some(verdict),
        }
    }

    fn peak_rate(&self, totals: &Totals) -> Option<Verdict> {
        let promised = self.config.peak_rate?;
        let measured = (totals.requests > 0).then_some(Measure::Rate(totals.peak_rate));
        Some(
            Verdict::at_least(
                format!("peak rate{}", self.config.whose()),
                measured,
                Measure::Rate(promised.a_second()),
            )
            .because(format!("the busiest second {}", self.config.span.words()))
            .requirement(self.config.requirement("peak-rate")),
        )
    }
}

assay_sdk::export!(assertion Sla);

#[cfg(test)]
mod tests;
