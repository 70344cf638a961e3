//! Data loss: is every write that the target confirmed still there after the run, once, and nothing that
//! it refused?
//!
//! Writes that were neither confirmed nor refused may be there or not, and both are right.

use assay_sdk::observations::{self, AuditSeen, CheckSeen, Span};
use assay_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
struct Config {
    /// Only the writes of these behaviors; without it, of all that keep a ledger. The probe's are under
    /// `probe`.
    only: Option<Vec<String>>,
    /// Confirmed writes that may be missing.
    lost: u64,
    /// RPO: how much time may lie between the first and the last confirmation of what is missing.
    rpo: Option<Period>,
    /// Writes that may be there more than once.
    duplicated: u64,
    /// Writes that may be there although they were refused.
    phantom: u64,
    /// How often users may find that the target has forgotten who they are. Without it that is reported and no
    /// promise.
    sessions: Option<u64>,
}

struct DataLoss {
    config: Config,
}

impl Assertion for DataLoss {
    type Config = Config;

    fn new(config: Config) -> Self {
        DataLoss { config }
    }

    fn evaluate(&mut self, moment: Moment) -> Result<Vec<Verdict>> {
        // What is there is known once the run is over.
        if moment == Moment::SoFar {
            return Ok(Vec::new());
        }
        let audits = observations::audits();
        let is_meant = |audit: &&AuditSeen| match &self.config.only {
            Some(only) => only.contains(&audit.behavior),
            None => true,
        };
        let sessions = self.config.sessions.map(sessions).transpose()?;
        let mut verdicts: Vec<_> =
            audits.iter().filter(is_meant).flat_map(|audit| self.judge(audit)).collect();
        for name in self.config.only.iter().flatten() {
            if !audits.iter().any(|audit| audit.behavior == *name) {
                verdicts.push(Verdict::inconclusive(
                    subject(name, "confirmed writes lost"),
                    "nothing of this name was audited",
                ));
            }
        }
        if verdicts.is_empty() {
            verdicts.push(Verdict::inconclusive("data loss", "nothing was audited"));
        }
        verdicts.extend(sessions);
        Ok(verdicts)
    }
}

impl DataLoss {
    fn judge(&self, audit: &AuditSeen) -> Vec<Verdict> {
        let lost = subject(&audit.behavior, "confirmed writes lost");
        if let Some(failure) = &audit.failure {
            return vec![Verdict::inconclusive(lost, format!("the audit was not completed: {failure}"))];
        }
        if audit.confirmed == 0 {
            return vec![Verdict::inconclusive(lost, "no write was confirmed")];
        }
        let at_most = |what: &str, count: u64, allowed: u64| {
            Verdict::at_most(
                subject(&audit.behavior, what),
                Some(Measure::Count(count)),
                Measure::Count(allowed),
            )
        };
        let AuditSeen { attempted, confirmed, rejected, indeterminate, .. } = audit;
        let mut because = format!(
            "of {confirmed} confirmed; {attempted} attempted, {rejected} rejected, {indeterminate} indeterminate"
        );
        if let Some(first) = audit.lost_keys.first() {
            because += &format!("; the first of them is {first}");
        }
        let mut verdicts =
            vec![at_most("confirmed writes lost", audit.lost, self.config.lost).because(because)];
        if let Some(rpo) = self.config.rpo {
            // Nothing lost is no time lost.
            let span = Measure::Duration(audit.lost_span.unwrap_or(0));
            let verdict = Verdict::at_most(subject(&audit.behavior, "RPO"), Some(span), rpo.into());
            verdicts.push(verdict.because("from the first confirmation of a lost write to the last"));
        }
        verdicts.push(
            at_most("writes duplicated", audit.duplicated, self.config.duplicated)
                .because("there more than once"),
        );
        verdicts.push(
            at_most("phantom writes", audit.phantom, self.config.phantom).because("refused, yet there"),
        );
        verdicts
    }
}

/// What behaviors whose users sign in tell of it, and during which faults they were signed out.
fn sessions(allowed: u64) -> Result<Verdict> {
    const SUBJECT: &str = "sessions lost";
    let told = |span: &Span| -> Result<Option<CheckSeen>> {
        Ok(observations::checks(span)?.into_iter().find(|check| check.name == metrics::STILL_SIGNED_IN))
    };
    let Some(all) = told(&Span::Whole)? else {
        return Ok(Verdict::inconclusive(SUBJECT, "no behavior told whether its users were still signed in"));
    };
    let mut because = format!("in {} answers that showed it", all.passed + all.failed);
    for fault in observations::faults().iter().filter(|fault| fault.struck.is_some()) {
        if let Some(during) = told(&Span::Fault(fault.name.clone()))?.filter(|during| during.failed > 0) {
            because += &format!("; {} of them during {}", during.failed, fault.name);
        }
    }
    Ok(Verdict::at_most(SUBJECT, Some(Measure::Count(all.failed)), Measure::Count(allowed)).because(because))
}

fn subject(behavior: &str, what: &str) -> String {
    format!("{behavior}: {what}")
}

assay_sdk::export!(assertion DataLoss);

#[cfg(test)]
mod tests;
