//! The error budget: what a promise of availability allows, and who spent it.

use assay_sdk::observations::{self, Filter, Span, Totals};
use assay_sdk::prelude::*;

/// What counts as spending.
#[derive(Clone, Copy)]
pub(crate) enum By {
    Request,
    Time,
}

impl By {
    fn spent(self, totals: &Totals) -> u64 {
        match self {
            By::Request => totals.failures,
            By::Time => totals.bad_windows,
        }
    }

    fn whole(self, totals: &Totals) -> u64 {
        match self {
            By::Request => totals.requests,
            By::Time => totals.windows(),
        }
    }

    fn unit(self) -> &'static str {
        match self {
            By::Request => "failures",
            By::Time => "bad seconds",
        }
    }
}

/// What the budget was, what was spent of it in the span, and by which faults of the run.
pub(crate) fn sentence(
    by: By,
    promised: f64,
    in_span: &Totals,
    filter: &Filter,
    span: &Span,
    good_window: f64,
) -> Result<String> {
    let allowed = numbers::rounded((1.0 - promised) * by.whole(in_span) as f64, 1);
    let spent = by.spent(in_span);
    let unit = by.unit();
    let mut sentence = format!("error budget: {allowed} {unit} allowed, {spent} seen");
    let mut by_faults = Vec::new();
    for fault in observations::faults().into_iter().filter(|fault| fault.struck.is_some()) {
        let of_fault = observations::summary(filter, &Span::Fault(fault.name.clone()), good_window)?;
        by_faults.push((fault.name, by.spent(&of_fault)));
    }
    if by_faults.is_empty() {
        return Ok(sentence);
    }
    let listed: Vec<_> = by_faults.iter().map(|(name, count)| format!("{name} {count}")).collect();
    match span {
        Span::OutsideFaults => {
            sentence += &format!("; not counted, during faults: {}", listed.join(", "));
        }
        Span::Whole => {
            let faults: u64 = by_faults.iter().map(|(_, count)| count).sum();
            let elsewhere = spent.saturating_sub(faults);
            sentence += &format!("; spent by {}, elsewhere {elsewhere}", listed.join(", "));
        }
        Span::Phase(_) | Span::Fault(_) | Span::Between(_) => {}
    }
    Ok(sentence)
}
