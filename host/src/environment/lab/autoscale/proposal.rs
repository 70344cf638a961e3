//! What one metric asks for.
//!
//! The count is that of the measured instances times what they use over what they should, rounded up. Who is
//! not measured is assumed to make the change smaller: as idle where instances would be added, as busy where
//! they would be taken away; and if so the direction would turn, nothing changes.

use std::time::Duration;

use super::{Resource, Settings, Situation, Target};

/// One instance, as a metrics server and its readiness show it.
#[derive(Debug, Clone)]
pub(in super::super) struct Pod {
    pub(in super::super) presence: Presence,
    /// When it came to its node.
    pub(in super::super) started: Option<Duration>,
    pub(in super::super) ready: bool,
    /// Since when that is so.
    pub(in super::super) since: Duration,
    /// Absent: not measured yet, or not any more.
    pub(in super::super) usage: Option<Usage>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Presence {
    /// Nothing of it has run so far.
    Pending,
    Running,
    /// It counts no more.
    Going,
}

/// What it used in the stretch of time that ended when this was taken.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Usage {
    pub(in super::super) taken: Duration,
    pub(in super::super) window: Duration,
    /// Thousandths of a processor, mean over the window.
    pub(in super::super) cpu: u64,
    /// Bytes, when this was taken.
    pub(in super::super) memory: u64,
}

/// How an instance counts for one metric.
enum Standing {
    Measured(u64),
    Unready,
    Missing,
    Ignored,
}

impl Pod {
    fn standing(&self, resource: Resource, settings: &Settings, now: Duration) -> Standing {
        match (self.presence, self.usage) {
            (Presence::Going, _) => Standing::Ignored,
            (Presence::Pending, _) => Standing::Unready,
            (Presence::Running, None) => Standing::Missing,
            (Presence::Running, Some(usage)) => match resource {
                // Memory tells the truth from the start.
                Resource::Memory => Standing::Measured(usage.memory),
                Resource::Cpu if self.is_warming_up(&usage, settings, now) => Standing::Unready,
                Resource::Cpu => Standing::Measured(usage.cpu),
            },
        }
    }

    /// Is its processor use still that of its start?
    fn is_warming_up(&self, usage: &Usage, settings: &Settings, now: Duration) -> bool {
        let Some(started) = self.started else { return true };
        if now < started + settings.cpu_initialization_period {
            !self.ready || usage.taken < self.since + usage.window
        } else {
            // Not ready, and never was: what it says of its readiness is from right after its start.
            !self.ready && self.since < started + settings.initial_readiness_delay
        }
    }
}

/// The count that one metric proposes.
pub(super) fn of(target: Target, settings: &Settings, situation: &Situation<'_>) -> Result<u32, String> {
    let resource = target.resource;
    let request = (situation.request)(resource)
        .filter(|request| *request > 0)
        .ok_or_else(|| format!("{}: there is no request", resource.name()))?;
    let (mut measured, mut unready, mut missing) = (Vec::new(), 0, 0);
    for pod in situation.pods {
        match pod.standing(resource, settings, situation.now) {
            Standing::Measured(used) => measured.push(used),
            Standing::Unready => unready += 1,
            Standing::Missing => missing += 1,
            Standing::Ignored => {}
        }
    }
    if measured.is_empty() {
        return Err(format!("{}: no instance that is ready is measured", resource.name()));
    }
    let load = Load { target, request };
    let ratio = load.ratio(&measured);
    let fill = |used: u64, count: usize| std::iter::repeat_n(used, count);
    let mut assumed = measured.clone();
    if ratio > 1.0 {
        assumed.extend(fill(0, missing + unready));
    } else if ratio < 1.0 {
        let busy = u128::from(request) * u128::from(target.utilization.max(100)) / 100;
        let busy = u64::try_from(busy).unwrap_or(u64::MAX);
        assumed.extend(fill(busy, missing));
    }
    let again = load.ratio(&assumed);
    let turned = (ratio < 1.0 && again > 1.0) || (ratio > 1.0 && again < 1.0);
    if turned || is_within(again, settings.tolerance) {
        return Ok(situation.current);
    }
    let count = load.count(&assumed);
    let turned = (again < 1.0 && count > situation.current) || (again > 1.0 && count < situation.current);
    // Without assumptions the measured count as they are, also where there are fewer of them than there
    // should be.
    let assuming = assumed.len() > measured.len();
    Ok(if assuming && turned { situation.current } else { count })
}

/// What is used against what should be.
struct Load {
    target: Target,
    request: u64,
}

impl Load {
    /// Mean use in whole percent of the request, as Kubernetes cuts it.
    fn utilization(&self, used: &[u64]) -> u64 {
        let requested = u128::from(self.request) * used.len() as u128;
        let used: u128 = used.iter().copied().map(u128::from).sum();
        u64::try_from(used * 100 / requested).unwrap_or(u64::MAX)
    }

    fn ratio(&self, used: &[u64]) -> f64 {
        self.utilization(used) as f64 / f64::from(self.target.utilization)
    }

    /// Rounded up, in whole numbers: in binary fractions 10 × 1.1 is a hair above 11.
    fn count(&self, used: &[u64]) -> u32 {
        let count = u128::from(self.utilization(used)) * used.len() as u128;
        u32::try_from(count.div_ceil(u128::from(self.target.utilization))).unwrap_or(u32::MAX)
    }
}

fn is_within(ratio: f64, tolerance: f64) -> bool {
    // 1.1 − 1 is a hair above 0.1 in binary fractions.
    (ratio - 1.0).abs() <= tolerance + 1e-9
}
