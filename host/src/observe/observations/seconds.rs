//! The load, second by second.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::Arc,
};

use super::spans::SECOND;
use crate::observe::{
    EndpointInterval, ErrorClass, Interval, Nanos, Sparse, Stretch,
    histogram::{Histogram, Packed},
    spool::Spool,
};

/// All seconds that were told.
#[derive(Debug, Clone, Default)]
pub(super) struct Seconds {
    told: BTreeMap<u64, Arc<Second>>,
    /// Where their histograms are.
    spool: Arc<Spool>,
}

/// One second of load.
#[derive(Debug, Clone, Default)]
pub(super) struct Second {
    pub(super) users: u32,
    pub(super) in_flight: u32,
    pub(super) late: u64,
    pub(super) dropped: u64,
    /// Of the generator: thousandths of a processor, lag, sends that left late, and what it had
    /// nothing left for.
    pub(super) cpu: u64,
    pub(super) lag: Nanos,
    pub(super) late_sends: u64,
    pub(super) shortages: u64,
    /// By endpoint.
    rows: Vec<Row>,
    stretches: Vec<Stretch>,
}

/// One second of one endpoint.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) endpoint: u32,
    pub(super) successes: u64,
    pub(super) failures: Box<[(ErrorClass, u64)]>,
    pub(super) statuses: Box<[(u16, u64)]>,
    pub(super) sent: u64,
    pub(super) received: u64,
    service: Packed,
    /// Absent where it is the same as `service`, as it is wherever nothing was late.
    response: Option<Packed>,
    failed: Packed,
}

impl Row {
    fn of(interval: &EndpointInterval, spool: &Arc<Spool>) -> Self {
        let pack = |sparse: &Sparse| Packed::of(sparse, spool);
        let same = |sparse: &Sparse| *sparse == interval.service;
        Self {
            endpoint: interval.endpoint,
            successes: interval.successes,
            failures: interval.failures.clone().into_boxed_slice(),
            statuses: interval.statuses.clone().into_boxed_slice(),
            sent: interval.bytes_sent,
            received: interval.bytes_received,
            service: pack(&interval.service),
            response: (!same(&interval.response)).then(|| pack(&interval.response)),
            failed: pack(&interval.failed),
        }
    }

    pub(super) fn failed(&self) -> u64 {
        self.failures.iter().fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }

    pub(super) fn add_service(&self, histogram: &mut Histogram<u64>) {
        self.service.add_to(histogram);
    }

    pub(super) fn add_response(&self, histogram: &mut Histogram<u64>) {
        self.response.as_ref().unwrap_or(&self.service).add_to(histogram);
    }

    pub(super) fn add_failed(&self, histogram: &mut Histogram<u64>) {
        self.failed.add_to(histogram);
    }
}

impl Second {
    pub(super) fn rows(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter()
    }

    /// The rows of some endpoints. Found one by one, because reports ask for each of many alone.
    pub(super) fn rows_of<'a>(&'a self, selected: &'a BTreeSet<u32>) -> impl Iterator<Item = &'a Row> {
        selected.iter().flat_map(|endpoint| {
            let start = self.rows.partition_point(|row| row.endpoint < *endpoint);
            self.rows[start..].iter().take_while(move |row| row.endpoint == *endpoint)
        })
    }
}

impl Seconds {
    /// Adds what one teller has to say of a second; several may.
    pub(super) fn add(&mut self, interval: &Interval) {
        let second = Arc::make_mut(self.told.entry(interval.second).or_default());
        second.users = second.users.saturating_add(interval.users);
        second.in_flight = second.in_flight.saturating_add(interval.in_flight);
        second.late = second.late.saturating_add(interval.late);
        second.dropped = second.dropped.saturating_add(interval.dropped);
        second.cpu = second.cpu.max(interval.generator.cpu);
        second.lag = second.lag.max(interval.generator.lag_p99);
        second.late_sends = second.late_sends.saturating_add(interval.generator.late_sends);
        second.shortages = second.shortages.saturating_add(interval.generator.shortages);
        second.rows.extend(interval.endpoints.iter().map(|interval| Row::of(interval, &self.spool)));
        second.rows.sort_by_key(|row| row.endpoint);
        second.stretches.extend(interval.stretches.iter().cloned());
    }

    /// The latest second that was told.
    pub(super) fn last(&self) -> Option<u64> {
        self.told.last_key_value().map(|(second, _)| *second)
    }

    /// The told ones of a range, ascending.
    pub(super) fn within(&self, range: Range<u64>) -> impl Iterator<Item = (u64, &Second)> {
        // A map panics when asked for a range that ends before it starts.
        let range = range.start..range.end.max(range.start);
        self.told.range(range).map(|(at, second)| (*at, second.as_ref()))
    }

    pub(super) fn stretches(&self, from: Nanos) -> impl Iterator<Item = &Stretch> {
        // A stretch is told with the second in which its last request ended.
        self.told
            .range(from / SECOND..)
            .flat_map(|(_, second)| &second.stretches)
            .filter(move |stretch| stretch.last_ended >= from)
    }
}
