//! A well-behaved fault, for the host's tests: strikes by the cluster call that its config names.

use std::time::Duration;

use assay_sdk::cluster::{Direction, InstanceState, Manner, Quota};
use assay_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Deserialize, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
enum Action {
    /// Crashes every selected instance; its supervisor brings it back.
    Crash,
    /// Crashes and holds every selected instance.
    CrashAndHold,
    /// Freezes every selected instance.
    Freeze,
    /// Cuts the selected instances off from `peer`, or from everything.
    Isolate,
    /// Scales the workloads of the selected instances to 0.
    ScaleToZero,
    /// Bounds the group of the selected workloads to one processor.
    SetQuota,
    /// Cordons the nodes of the selected instances.
    Cordon,
    /// Drains the nodes of the selected instances.
    Drain,
    /// Turns off the nodes of the selected instances.
    FailNode,
    /// Runs `true` inside every selected instance, and in `revert` again.
    Exec,
    /// Changes nothing.
    Nothing,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Config {
    /// Whom it strikes.
    selector: String,
    action: Action,
    /// For `isolate`.
    #[serde(default)]
    peer: Option<String>,
    /// A finding of `preview` that keeps the run from starting.
    #[serde(default)]
    blocking: Option<String>,
    /// Dies here, after it struck.
    #[serde(default)]
    panic_in_effect: bool,
}

/// What the victims were when aimed at.
#[derive(Deserialize, Serialize)]
struct Memo {
    uids: Vec<String>,
}

struct PlainFault {
    config: Config,
    steps: Steps,
}

impl PlainFault {
    fn strike_one(&self, instance: &cluster::Instance) -> Result<String> {
        let (name, uid) = (&instance.name, &instance.uid);
        match self.config.action {
            Action::Crash => cluster::terminate(name, uid, Manner::Crash),
            Action::CrashAndHold => cluster::terminate_and_hold(name, uid, Manner::Crash),
            Action::Freeze => cluster::terminate_and_hold(name, uid, Manner::Freeze),
            Action::ScaleToZero => cluster::scale(&instance.workload, 0).map(|()| "scaled to 0".to_owned()),
            Action::Cordon => cluster::cordon(&instance.node).map(|()| "cordoned".to_owned()),
            Action::Drain => {
                cluster::drain(&instance.node, Duration::from_secs(60)).map(|()| "drained".to_owned())
            }
            Action::FailNode => cluster::fail_node(&instance.node),
            Action::Exec => cluster::exec(name, &["true"]).map(|it| format!("exit code {}", it.exit_code)),
            Action::Isolate | Action::SetQuota | Action::Nothing => Ok("nothing".to_owned()),
        }
    }
}

impl Fault for PlainFault {
    type Config = Config;
    const WISHES: &'static [(&'static str, &'static str)] = &[("cluster", "strikes what its config selects")];

    fn new(config: Config) -> Self {
        PlainFault { config, steps: Steps::new() }
    }

    fn preview(&mut self) -> Result<Forecast> {
        let victims = self.aim()?.victims;
        let findings = self.config.blocking.iter().map(Finding::blocking).collect();
        Ok(Forecast { victims, actions: vec![format!("strikes {}", self.config.selector)], findings })
    }

    fn aim(&mut self) -> Result<Strike> {
        let instances = cluster::instances(&self.config.selector)?;
        if instances.is_empty() {
            return Err(Failure::NotFound(format!("nothing is {}", self.config.selector)));
        }
        let memo = Memo { uids: instances.iter().map(|each| each.uid.clone()).collect() };
        let victims = instances.into_iter().map(|each| Victim::new(each.name, "", "it is selected"));
        Strike::on(victims).undo(&self.config.selector).remember(&memo)
    }

    fn inject(&mut self, strike: &Strike) -> Result<Injected, InjectError> {
        let memo: Memo = strike.recall()?;
        let instances = cluster::instances(&self.config.selector)?;
        if !instances.iter().map(|each| &each.uid).eq(&memo.uids) {
            return Err(InjectError::Stale("other instances than those aimed at".to_owned()));
        }
        let at = clock::now();
        let mut means = match self.config.action {
            Action::Isolate => {
                let peer = self.config.peer.as_deref();
                cluster::isolate(&self.config.selector, peer, Direction::Both)?;
                "isolated".to_owned()
            }
            Action::SetQuota => {
                cluster::set_quota(&self.config.selector, Quota { cpu: Some(1000), memory: None })?;
                "bounded".to_owned()
            }
            _ => String::new(),
        };
        if means.is_empty() {
            for instance in &instances {
                means = self.strike_one(instance)?;
            }
        }
        Ok(Injected::new(at, means))
    }

    fn effect(&mut self) -> Result<Impact> {
        assert!(!self.config.panic_in_effect, "the config said so");
        let ready = ready(&self.config.selector)?;
        Ok(Impact::proven(format!("{ready} are ready")))
    }

    fn recovered(&mut self) -> Result<Recovery> {
        let ready = ready(&self.config.selector)?;
        if ready > 0 {
            self.steps.observe("ready-again", clock::now(), format!("{ready} are ready"));
        }
        Ok(self.steps.recovery(ready > 0))
    }

    fn revert(&mut self, undo: &str) -> Result<()> {
        log::info(&format!("reverts {undo}"));
        if self.config.action == Action::Exec {
            for instance in cluster::instances(undo)? {
                cluster::exec(&instance.name, &["true"])?;
            }
        }
        Ok(())
    }
}

fn ready(selector: &str) -> Result<usize> {
    let instances = cluster::instances(selector)?;
    Ok(instances.iter().filter(|each| each.state == InstanceState::Ready).count())
}

assay_sdk::export!(fault PlainFault);
