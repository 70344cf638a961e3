//! When everything is planned to happen, and what `--time-scale` does to it.

use std::time::Duration;

use super::model::{FaultConfig, PhaseConfig, Ramp, RunConfig};
use crate::observe::{Nanos, PlannedFault, PlannedPhase, nanos};

/// When a fault strikes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moment {
    /// So long after the start of a phase.
    In { phase: String, offset: Duration },
    /// So long after another fault is over: reverted, and the target steady again.
    After { fault: String, offset: Duration },
}

impl Moment {
    fn offset_mut(&mut self) -> &mut Duration {
        match self {
            Self::In { offset, .. } | Self::After { offset, .. } => offset,
        }
    }
}

impl RunConfig {
    /// The same run, `scale` times as short: ramps, phases and the moments of faults. Think time,
    /// timeouts, durations and bounds of faults, and the promises, stay.
    pub fn scaled(mut self, scale: f64) -> Self {
        let shorter = |duration: Duration| Duration::from_secs_f64(duration.as_secs_f64() / scale);
        for phase in &mut self.phases {
            phase.duration = shorter(phase.duration);
            phase.ramp = match phase.ramp {
                Ramp::Over(duration) => Ramp::Over(shorter(duration)),
                Ramp::Rate(rate) => Ramp::Rate(rate * scale),
            };
        }
        for fault in &mut self.faults {
            let offset = fault.moment.offset_mut();
            *offset = shorter(*offset);
        }
        self.time_scale *= scale;
        self
    }

    /// The phases in order, from the begin of the load.
    pub fn planned_phases(&self) -> Vec<PlannedPhase> {
        let mut start = Duration::ZERO;
        self.phases
            .iter()
            .map(|phase| {
                let end = start.saturating_add(phase.duration);
                let planned = PlannedPhase {
                    name: phase.name.clone(),
                    start: nanos(start),
                    end: nanos(end),
                    users: phase.users,
                    rate: phase.arrivals.map(|arrivals| arrivals.rate),
                };
                start = end;
                planned
            })
            .collect()
    }

    /// The faults by the moment they strike, from the begin of the load.
    pub fn planned_faults(&self) -> Vec<PlannedFault> {
        let phases = self.planned_phases();
        let mut faults: Vec<_> = self
            .faults
            .iter()
            .map(|fault| PlannedFault {
                name: fault.name.clone(),
                plugin: fault.uses.plugin.clone(),
                at: self.earliest(fault, &phases),
                after: match &fault.moment {
                    Moment::In { .. } => None,
                    Moment::After { fault, .. } => Some(fault.clone()),
                },
                recover_within: Some(nanos(fault.recover_within)),
                requirement: fault.requirement.clone(),
            })
            .collect();
        faults.sort_by_key(|fault| fault.at);
        faults
    }

    /// When a fault strikes at the earliest: one that waits for another cannot before that one has
    /// struck, lasted, and left the target steady.
    fn earliest(&self, fault: &FaultConfig, phases: &[PlannedPhase]) -> Nanos {
        let (start, offset) = match &fault.moment {
            Moment::In { phase, offset } => {
                (phases.iter().find(|one| one.name == *phase).map_or(0, |phase| phase.start), offset)
            }
            Moment::After { fault, offset } => {
                let over = self.faults.iter().find(|one| one.name == *fault).map_or(0, |first| {
                    let least = first.duration.unwrap_or_default().saturating_add(self.steady.hold);
                    self.earliest(first, phases).saturating_add(nanos(least))
                });
                (over, offset)
            }
        };
        start.saturating_add(nanos(*offset))
    }

    /// How long the load is planned to last.
    pub fn load_duration(&self) -> Duration {
        self.phases.iter().fold(Duration::ZERO, |sum, phase| sum.saturating_add(phase.duration))
    }
}

impl PhaseConfig {
    /// How long the ramp takes after that phase, or as the first one.
    pub fn ramp_duration(&self, before: Option<&Self>) -> Duration {
        let difference = match self.arrivals {
            Some(wanted) => {
                wanted.rate - before.and_then(|before| before.arrivals).map_or(0.0, |had| had.rate)
            }
            None => f64::from(self.users) - before.map_or(0.0, |before| f64::from(before.users)),
        };
        match self.ramp {
            Ramp::Over(duration) => duration,
            // Rates are positive, so the quotient is finite.
            Ramp::Rate(rate) => Duration::try_from_secs_f64(difference.abs() / rate).unwrap_or(Duration::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{
        LoadOptions,
        model::ArrivalsConfig,
        testing::{RIGHT, load_text},
    };
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn config(time_scale: Option<f64>) -> RunConfig {
        load_text(RIGHT, &LoadOptions { time_scale, ..LoadOptions::default() }).expect("right")
    }

    #[test]
    fn phases_follow_each_other_and_faults_strike_inside() {
        let config = config(None);
        let phases: Vec<_> =
            config.planned_phases().iter().map(|phase| (phase.start / SECOND, phase.end / SECOND)).collect();
        assert_eq!(phases, [(0, 60), (60, 180)]);
        let faults = config.planned_faults();
        assert_eq!((faults[0].at / SECOND, faults[0].plugin.as_str()), (90, "other-kill"));
        assert_eq!(faults[0].requirement.as_deref(), Some("29"));
        assert_eq!(config.load_duration(), Duration::from_mins(3));
    }

    #[test]
    fn a_shortened_run_keeps_its_promises_and_pauses() {
        let whole = config(None);
        let short = config(Some(10.0));
        assert_eq!(short.time_scale, 10.0);
        assert_eq!(short.load_duration(), Duration::from_secs(18));
        assert_eq!(short.phases[0].ramp, Ramp::Over(Duration::from_secs(1)));
        assert_eq!(short.phases[1].ramp, Ramp::Rate(20.0));
        assert_eq!(short.planned_faults()[0].at, 9 * SECOND);
        assert_eq!(short.faults[0].recover_within, whole.faults[0].recover_within);
        assert_eq!(short.behaviors[0].pace, whole.behaviors[0].pace);
        assert_eq!(short.steady.hold, whole.steady.hold);
        assert_eq!(short.stop_timeout, whole.stop_timeout);
    }

    #[test]
    fn a_rate_ramps_from_the_users_before() {
        let config = config(None);
        let [warm, peak] = &config.phases[..] else { panic!("two phases") };
        assert_eq!(peak.ramp_duration(Some(warm)), Duration::from_secs(20));
        assert_eq!(peak.ramp_duration(None), Duration::from_secs(25));
        let at =
            |rate| PhaseConfig { arrivals: Some(ArrivalsConfig { rate, max_late: None }), ..peak.clone() };
        assert_eq!(at(30.0).ramp_duration(Some(warm)), Duration::from_secs(15), "a closed phase has no rate");
        assert_eq!(at(30.0).ramp_duration(Some(&at(40.0))), Duration::from_secs(5));
    }
}
