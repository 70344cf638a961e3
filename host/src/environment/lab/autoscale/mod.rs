//! How many instances a workload should have: the algorithm that Kubernetes documents for version 2 of its
//! HorizontalPodAutoscaler, as a function of what is known.
//!
//! Each metric proposes a count ([`proposal`]) and the largest one wins; what was recommended lately and
//! how much was changed lately bound how far the count goes at once ([`history`]). Nothing here reads a clock
//! or touches an instance: moments are lengths of time since any fixed one, and `init/autoscale.rs` brings
//! the figures and carries out the decision. What the algorithm decides is held by hand-computed cases, one
//! file each, in `cases/`.

mod history;
mod proposal;
mod rules;

use std::time::Duration;

use history::History;
pub(super) use proposal::{Pod, Presence, Usage};
pub(super) use rules::{Change, Direction, Policy, Resource, Rules, Select, Settings, Size, Target};

/// One workload's autoscaler: what is wanted of it, and what it remembers.
#[derive(Debug)]
pub(super) struct Autoscaler {
    pub(super) size: Size,
    settings: Settings,
    history: History,
}

/// What is known when it is asked.
pub(super) struct Situation<'a> {
    pub(super) now: Duration,
    /// How many instances the workload is to have as things are.
    pub(super) current: u32,
    pub(super) pods: &'a [Pod],
    /// What one instance requests, in thousandths of a processor and bytes.
    pub(super) request: &'a dyn Fn(Resource) -> Option<u64>,
}

/// What follows from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Decision {
    pub(super) desired: u32,
    /// Why, in the words of Kubernetes' own events and conditions.
    pub(super) because: String,
}

impl Autoscaler {
    pub(super) fn new(size: Size, settings: Settings) -> Self {
        Self { size, settings, history: History::default() }
    }

    /// Decides, and remembers what it decided.
    ///
    /// Fails if the metrics allow no decision; the count then stays as it is.
    pub(super) fn decide(&mut self, situation: &Situation<'_>) -> Result<Decision, String> {
        let (now, current) = (situation.now, situation.current);
        self.history.begin(now, current);
        let decision = if current == 0 && self.size.min > 0 {
            let because = "scaling is disabled since the replica count of the target is zero";
            return Ok(Decision { desired: 0, because: because.to_owned() });
        } else if current > self.size.max {
            let because = "current number of replicas above the maximum".to_owned();
            Decision { desired: self.size.max, because }
        } else if current < self.size.min {
            let because = "current number of replicas below the minimum".to_owned();
            Decision { desired: self.size.min, because }
        } else {
            let (proposed, metric) = self.propose(situation)?;
            let direction = Direction::between(current, proposed);
            let (stabilized, held) = self.history.stabilize(&self.size, now, current, proposed);
            let (desired, limited) = self.history.limit(&self.size, now, current, stabilized);
            let mut because = match direction {
                Some(Direction::Up) => format!("{metric} above target"),
                Some(Direction::Down) => "all metrics below target".to_owned(),
                None => "all metrics within the tolerance of their targets".to_owned(),
            };
            for bound in [held, limited].into_iter().flatten() {
                because += "; ";
                because += bound;
            }
            Decision { desired, because }
        };
        self.history.changed(&self.size, now, current, decision.desired);
        Ok(decision)
    }

    /// The largest count that any metric proposes, and which one it was.
    fn propose(&self, situation: &Situation<'_>) -> Result<(u32, String), String> {
        let mut largest: Option<(u32, Resource)> = None;
        let mut unknown = None;
        for target in &self.size.targets {
            match proposal::of(*target, &self.settings, situation) {
                Ok(count) if largest.is_none_or(|(before, _)| count > before) => {
                    largest = Some((count, target.resource));
                }
                Ok(_) => {}
                Err(because) => unknown = unknown.or(Some(because)),
            }
        }
        match (largest, unknown) {
            // A metric that is not known might ask for more: it keeps the others from taking away, but not
            // from adding.
            (Some((count, _)), Some(because)) if count < situation.current => Err(because),
            (Some((count, resource)), _) => Ok((count, resource.name().to_owned())),
            (None, because) => Err(because.unwrap_or_else(|| "there is no metric".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests;
