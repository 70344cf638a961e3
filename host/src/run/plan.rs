//! What a run would do, and whether it may start: asked by `host plan`, and by every run before it
//! touches anything.

use std::{fmt::Write as _, sync::Arc, time::Duration};

use super::{Cast, Place, cast::Part, conduct::PROFILE};
use crate::{
    capability::{FaultPlugin, FaultPorts, ports},
    config::{Moment, RunConfig},
    environment::Inverse,
    faults::beyond_load,
    observe::{Clock, Fact, Nanos, Severity, Stream, figures, nanos},
};

use assay_bindings::imports::types;

/// What a run would do.
#[derive(Debug, Clone)]
pub struct Plan {
    pub name: String,
    pub environment: String,
    pub phases: Vec<PhasePlan>,
    pub probe: Option<ProbePlan>,
    pub profile: Option<FaultPlan>,
    pub faults: Vec<FaultPlan>,
}

/// What reads and writes all the time beside the load.
#[derive(Debug, Clone)]
pub struct ProbePlan {
    pub plugin: String,
    /// Starts a second, of each.
    pub rate: f64,
    pub users: u32,
}

#[derive(Debug, Clone)]
pub struct PhasePlan {
    pub name: String,
    pub users: u32,
    /// Starts a second, where it is open.
    pub rate: Option<f64>,
    pub start: Nanos,
    pub end: Nanos,
}

/// What a fault or profile says that it would do.
#[derive(Debug, Clone)]
pub struct FaultPlan {
    pub name: String,
    pub plugin: String,
    /// After the load's start; absent for a profile. The earliest, where it waits for another fault.
    pub at: Option<Nanos>,
    /// Whom it waits for, and how long after that one is over it strikes.
    pub after: Option<(String, Duration)>,
    pub recover_within: Option<Duration>,
    /// As things are now: chosen anew when it strikes.
    pub victims: Vec<String>,
    pub actions: Vec<String>,
    pub findings: Vec<(Severity, String)>,
}

/// Asks every fault for a preview. `place` may be one that is only planned: what cannot be known
/// yet is then left open, and only what a profile cannot compute keeps the run from starting.
pub(crate) async fn plan(config: &RunConfig, cast: &Cast, place: &Place) -> Plan {
    let phases = config
        .planned_phases()
        .into_iter()
        .map(|phase| PhasePlan {
            name: phase.name,
            users: phase.users,
            rate: phase.rate,
            start: phase.start,
            end: phase.end,
        })
        .collect();
    let probe = config.probe.as_ref().map(|probe| ProbePlan {
        plugin: probe.behavior.uses.plugin.clone(),
        rate: probe.rate,
        users: probe.users,
    });
    let profile = match &cast.profile {
        Some(part) => Some(preview(cast, part, PROFILE, place).await),
        None => None,
    };
    let moments = config.planned_faults();
    let unseen = beyond_load(&moments, config.load_duration());
    let mut faults = Vec::new();
    for part in &cast.faults {
        let mut fault = preview(cast, part, &part.config.name, place).await;
        fault.at = moments.iter().find(|one| one.name == fault.name).map(|one| one.at);
        fault.after = match &part.config.moment {
            Moment::In { .. } => None,
            Moment::After { fault, offset } => Some((fault.clone(), *offset)),
        };
        fault.recover_within = Some(part.config.recover_within);
        let beyond = unseen.iter().filter(|(name, _)| *name == fault.name);
        fault
            .findings
            .extend(beyond.map(|(_, because)| {
                (Severity::Warning, format!("its recovery cannot be judged: {because}"))
            }));
        faults.push(fault);
    }
    faults.sort_by_key(|fault| fault.at);
    let (name, environment) = (config.name.clone(), config.environment.name.clone());
    Plan { name, environment, phases, probe, profile, faults }
}

async fn preview<C>(cast: &Cast, part: &Part<FaultPlugin, C>, name: &str, place: &Place) -> FaultPlan {
    let mut plan = FaultPlan {
        name: name.to_owned(),
        plugin: part.plugin.plugin().name.clone(),
        at: None,
        after: None,
        recover_within: None,
        victims: Vec::new(),
        actions: Vec::new(),
        findings: Vec::new(),
    };
    let ports = FaultPorts {
        fault: name.to_owned(),
        environment: place.environment.clone(),
        journal: Arc::new(LookOnly),
        credentials: place.credentials.clone(),
    };
    // A preview's own log is of no interest to the run that may follow.
    let tenant = cast.tenant(part.plugin.plugin(), &Stream::new(Clock::start()));
    let forecast = async {
        let mut instance =
            part.plugin.instantiate(&tenant, ports).await.map_err(|error| error.to_string())?;
        instance.configure(&part.json).await.map_err(|error| error.to_string())?;
        instance.preview().await.map_err(|error| error.to_string())
    };
    match forecast.await {
        Ok(forecast) => {
            plan.victims = forecast
                .victims
                .iter()
                .map(|victim| match victim.role.is_empty() {
                    true => victim.name.clone(),
                    false => format!("{} ({})", victim.name, victim.role),
                })
                .collect();
            plan.actions = forecast.actions;
            plan.findings = forecast
                .findings
                .into_iter()
                .map(|finding| (severity(finding.severity), finding.message))
                .collect();
        }
        // A profile is struck before any load: what cannot be said now cannot be done then.
        Err(because) if name == PROFILE => {
            plan.findings.push((Severity::Blocking, format!("the profile cannot be planned: {because}")));
        }
        Err(because) => {
            plan.findings.push((Severity::Note, format!("victims are chosen when it strikes ({because})")));
        }
    }
    plan
}

/// A journal for those who must not change anything: nothing can be written, so nothing is done.
struct LookOnly;

impl ports::Journal for LookOnly {
    fn pending_lines(&self) -> String {
        String::new()
    }

    fn before(&self, _: &str, _: &Inverse) -> std::io::Result<()> {
        Err(std::io::Error::other("a preview changes nothing"))
    }
}

fn severity(severity: types::Severity) -> Severity {
    match severity {
        types::Severity::Note => Severity::Note,
        types::Severity::Warning => Severity::Warning,
        types::Severity::Blocking => Severity::Blocking,
    }
}

impl Plan {
    /// Tells the findings into a run's stream.
    pub fn tell(&self, stream: &Stream) {
        for fault in self.profile.iter().chain(&self.faults) {
            for (severity, message) in &fault.findings {
                let source = fault.plugin.clone();
                stream.tell(Fact::Finding { source, severity: *severity, message: message.clone() });
            }
        }
    }

    /// The first finding that keeps the run from starting.
    pub fn blocked(&self) -> Option<&str> {
        let mut findings = self.profile.iter().chain(&self.faults).flat_map(|fault| &fault.findings);
        findings.find(|(severity, _)| *severity == Severity::Blocking).map(|(_, message)| message.as_str())
    }

    /// As people read it.
    pub fn render(&self) -> String {
        let mut text = format!("plan of {} in environment {}\n\nphases\n", self.name, self.environment);
        for phase in &self.phases {
            let (start, end) = (show(phase.start), show(phase.end));
            let wanted = figures::load(phase.users, phase.rate);
            let _ = writeln!(text, "  {:<12} {wanted:>12}   {start} to {end}", phase.name);
        }
        if let Some(probe) = &self.probe {
            let rate = figures::load(0, Some(probe.rate));
            let users = figures::load(probe.users, None);
            let _ = writeln!(
                text,
                "\nprobe {}\n    - reads at {rate} and writes at {rate}, with {users} of its own, until the target has settled",
                probe.plugin
            );
        }
        if let Some(profile) = &self.profile {
            let _ = writeln!(text, "\nprofile {}", profile.plugin);
            profile.render(&mut text);
        }
        if !self.faults.is_empty() {
            text.push_str("\nfaults\n");
        }
        for fault in &self.faults {
            let within = fault.recover_within.map(|within| format!(", to recover within {within:?}"));
            let within = within.unwrap_or_default();
            let _ = writeln!(text, "  {}  {} by {}{within}", fault.moment(), fault.name, fault.plugin);
            fault.render(&mut text);
        }
        match self.blocked() {
            Some(because) => {
                let _ = writeln!(text, "\nrefused: {because}");
            }
            None => text.push_str("\nmay start\n"),
        }
        text
    }
}

impl FaultPlan {
    /// `1m30s`, or `2m10s at the earliest, 20s after crash is over:`.
    fn moment(&self) -> String {
        let at = self.at.map(show).unwrap_or_default();
        match &self.after {
            None => at,
            Some((fault, offset)) if offset.is_zero() => {
                format!("{at} at the earliest, once {fault} is over:")
            }
            Some((fault, offset)) => {
                format!("{at} at the earliest, {} after {fault} is over:", show(nanos(*offset)))
            }
        }
    }

    fn render(&self, text: &mut String) {
        for (severity, message) in &self.findings {
            let severity = match severity {
                Severity::Note => "note",
                Severity::Warning => "warning",
                Severity::Blocking => "blocking",
            };
            let _ = writeln!(text, "    {severity}: {message}");
        }
        for action in &self.actions {
            let _ = writeln!(text, "    - {action}");
        }
        if !self.victims.is_empty() {
            let _ = writeln!(text, "    as things are now it would strike {}", self.victims.join(", "));
        }
    }
}

/// `29m00s`, or `45s` below a minute.
fn show(at: Nanos) -> String {
    let seconds = at / 1_000_000_000;
    match seconds / 60 {
        0 => format!("{seconds}s"),
        minutes => format!("{minutes}m{:02}s", seconds % 60),
    }
}
