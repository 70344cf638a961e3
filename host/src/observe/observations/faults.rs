//! One fault, from its aim to the steady state after it.

use schemars::JsonSchema;
use serde::Serialize;

use crate::observe::{Bite, FaultChange, Nanos, Outage, OutageSeen, PlannedFault, Victim, When};

/// What is known of one fault.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct FaultSeen {
    pub name: String,
    pub plugin: String,
    pub requirement: Option<String>,
    /// Its promise.
    pub recover_within: Option<Nanos>,
    /// When it was to strike, counted from the start of load.
    pub planned_at: Option<Nanos>,
    /// False for what shapes the whole run.
    pub planned: bool,
    /// Absent if it never struck; then `because` says why.
    pub struck: Option<Nanos>,
    pub because: String,
    pub means: String,
    pub victims: Vec<Victim>,
    pub effect: Bite,
    pub probed: String,
    /// When the component had taken all of its steps.
    pub complete: Option<Nanos>,
    /// Why its plugin could not be asked for recovery when watching ended, if it could not.
    pub trouble: Option<String>,
    pub steps: Vec<StepSeen>,
    /// As users saw it: `(all)` first, then by group.
    pub users: Vec<OutageSeen>,
    pub probe: Option<OutageSeen>,
    pub reverted: Option<Nanos>,
    pub revert_failure: Option<String>,
    /// First steady check passed after the revert.
    pub steady_again: Option<Nanos>,
}

/// A step on the way back.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct StepSeen {
    pub name: String,
    pub at: When,
    pub detail: String,
}

impl FaultSeen {
    pub(super) fn planned(plan: &PlannedFault) -> Self {
        Self {
            plugin: plan.plugin.clone(),
            requirement: plan.requirement.clone(),
            recover_within: plan.recover_within,
            planned_at: Some(plan.at),
            planned: true,
            because: "its moment did not come".to_owned(),
            ..Self::unplanned(&plan.name)
        }
    }

    pub(super) fn unplanned(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            plugin: String::new(),
            requirement: None,
            recover_within: None,
            planned_at: None,
            planned: false,
            struck: None,
            because: String::new(),
            means: String::new(),
            victims: Vec::new(),
            effect: Bite::NotYet,
            probed: String::new(),
            complete: None,
            trouble: None,
            steps: Vec::new(),
            users: Vec::new(),
            probe: None,
            reverted: None,
            revert_failure: None,
            steady_again: None,
        }
    }

    pub(super) fn apply(&mut self, at: Nanos, change: &FaultChange) {
        match change {
            FaultChange::Skipped { because } => self.because.clone_from(because),
            FaultChange::Aimed { victims } => self.victims.clone_from(victims),
            FaultChange::Injected { means } => {
                self.struck = Some(at);
                self.means.clone_from(means);
                self.because.clear();
            }
            FaultChange::Effect { bite, probed } => {
                self.effect = *bite;
                self.probed.clone_from(probed);
            }
            FaultChange::Step { name, at, detail } => {
                let step = StepSeen { name: name.clone(), at: at.clone(), detail: detail.clone() };
                // A plugin is asked again and again, and may tell again what it told before.
                match self.steps.iter_mut().find(|known| known.name == step.name) {
                    Some(known) => *known = step,
                    None => self.steps.push(step),
                }
            }
            FaultChange::Complete => {
                self.complete.get_or_insert(at);
            }
            FaultChange::Blind { because } => self.trouble = Some(because.clone()),
            FaultChange::Seen { users, probe } => {
                self.users.clone_from(users);
                self.probe.clone_from(probe);
            }
            FaultChange::Reverted => {
                self.reverted.get_or_insert(at);
            }
            FaultChange::RevertFailed { because } => self.revert_failure = Some(because.clone()),
            FaultChange::SteadyAgain => {
                self.steady_again.get_or_insert(at);
            }
        }
    }

    /// Struck, and not yet steady again.
    pub fn in_flight(&self) -> bool {
        self.struck.is_some() && self.steady_again.is_none() && self.revert_failure.is_none()
    }

    /// From the strike to the component's last step.
    pub fn component_recovery(&self) -> Option<Nanos> {
        Some(self.complete?.saturating_sub(self.struck?))
    }

    /// What all users together saw.
    pub fn all_users(&self) -> Option<&OutageSeen> {
        self.users.first()
    }

    /// Did component and users recover before anything was reverted? Of users, those of all groups
    /// together are asked: a single group may send too little to be known as back by then.
    pub fn unaided(&self) -> bool {
        let (Some(struck), Some(complete)) = (self.struck, self.complete) else { return false };
        let reverted = self.reverted.unwrap_or(Nanos::MAX);
        let users_back = self.all_users().is_none_or(|seen| match seen.outage {
            Outage::Ended(after) => struck.saturating_add(after) <= reverted,
            Outage::NotEnded(_) => false,
            Outage::NotSeen | Outage::Unknown => true,
        });
        complete <= reverted && users_back
    }
}
