//! A second's samples into the rows of its interval. Pure, and the same for any order of samples.

use std::collections::BTreeMap;

use crate::observe::{ALL_GROUPS, Endpoint, EndpointInterval, ErrorClass, Stretch};

use super::{
    Sample,
    sparse::sparse,
    stretches::{Outcome, stretches},
};

/// One endpoint's figures while they are gathered.
#[derive(Default)]
struct Row {
    failures: BTreeMap<ErrorClass, u64>,
    statuses: BTreeMap<u16, u64>,
    bytes_sent: u64,
    bytes_received: u64,
    service: Vec<u64>,
    response: Vec<u64>,
    failed: Vec<u64>,
}

/// Rows by endpoint, and stretches by group. `endpoints` is all that were ever told, by index.
pub(super) fn fold(samples: &[Sample], endpoints: &[Endpoint]) -> (Vec<EndpointInterval>, Vec<Stretch>) {
    let mut rows: BTreeMap<u32, Row> = BTreeMap::new();
    let mut groups: BTreeMap<(&str, bool), Vec<Outcome>> = BTreeMap::new();
    for sample in samples {
        let row = rows.entry(sample.endpoint).or_default();
        row.bytes_sent += sample.bytes_sent;
        row.bytes_received += sample.bytes_received;
        if let Some(status) = sample.status {
            *row.statuses.entry(status).or_default() += 1;
        }
        match sample.failure {
            None => {
                row.service.push(sample.service());
                row.response.push(sample.response());
            }
            Some(class) => {
                row.failed.push(sample.service());
                *row.failures.entry(class).or_default() += 1;
            }
        }
        if let Some(endpoint) = usize::try_from(sample.endpoint).ok().and_then(|index| endpoints.get(index)) {
            let outcome =
                Outcome { ended: sample.ended, sent: sample.sent, success: sample.failure.is_none() };
            for group in [ALL_GROUPS, &endpoint.group] {
                groups.entry((group, endpoint.probe)).or_default().push(outcome);
            }
        }
    }

    let rows = rows.into_iter().map(|(endpoint, row)| EndpointInterval {
        endpoint,
        successes: row.service.len() as u64,
        failures: row.failures.into_iter().collect(),
        statuses: row.statuses.into_iter().collect(),
        bytes_sent: row.bytes_sent,
        bytes_received: row.bytes_received,
        service: sparse(row.service),
        response: sparse(row.response),
        failed: sparse(row.failed),
    });
    let stretches =
        groups.iter_mut().flat_map(|((group, probe), outcomes)| stretches(group, *probe, outcomes));
    (rows.collect(), stretches.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(group: &str, name: &str) -> Endpoint {
        Endpoint {
            behavior: "visitor".to_owned(),
            group: group.to_owned(),
            task: "browse".to_owned(),
            name: name.to_owned(),
            probe: false,
        }
    }

    fn sample(endpoint: u32, ended: u64, failure: Option<ErrorClass>) -> Sample {
        Sample {
            endpoint,
            status: failure.is_none().then_some(200),
            failure,
            intended: ended - 7_000,
            sent: ended - 5_000,
            ended,
            bytes_sent: 10,
            bytes_received: 100,
        }
    }

    #[test]
    fn every_sample_is_in_one_row() {
        let endpoints = [endpoint("catalogue", "GET /a"), endpoint("sale", "POST /b")];
        let samples = [
            sample(0, 10_000, None),
            sample(1, 20_000, Some(ErrorClass::Refused)),
            sample(0, 30_000, None),
            sample(1, 40_000, Some(ErrorClass::Refused)),
            sample(1, 50_000, Some(ErrorClass::Timeout)),
        ];
        let (rows, stretches) = fold(&samples, &endpoints);
        insta::assert_debug_snapshot!((rows, stretches));
    }
}
