//! `[probe]`: what reads and writes all the time beside the load.

use super::{
    behaviors::THINK_TIME,
    checks::Checks,
    file::{MOST_PROBES, ProbeTable},
    model::{BehaviorConfig, Pace, ProbeConfig},
    resolve::uses,
};

/// As what the probe's requests and writes are known.
const NAME: &str = "probe";

pub(super) fn probe(
    checks: &mut Checks<'_>,
    table: Option<ProbeTable>,
    behaviors: &[BehaviorConfig],
) -> Option<ProbeConfig> {
    let table = table?;
    if let Some(index) = behaviors.iter().position(|behavior| behavior.name == NAME) {
        let message = format!("a behavior cannot be called `{NAME}` beside the probe");
        checks.refuse(&format!("/behaviors/{index}"), message, "give it another `name`");
    }
    let rate = table.rate.0;
    // Two tasks so often: a second's starts find a user each, even if none is answered in time.
    let enough = (2.0 * rate).ceil().clamp(2.0, f64::from(MOST_PROBES)) as u32;
    Some(ProbeConfig {
        behavior: BehaviorConfig {
            name: NAME.to_owned(),
            uses: uses(table.plugin.0, table.config, NAME),
            share: 100.0,
            mix: None,
            pace: Pace::Think(THINK_TIME),
        },
        rate,
        users: table.users.unwrap_or(enough),
    })
}
