//! Makes virtual users out of behavior plugins, and asks the target afterwards what it holds.

use std::sync::Arc;

use assay_bindings::behavior::exports::assay::plugin::behavior::UserInfo;
use async_trait::async_trait;

use super::{cast::Part, network::TargetNetwork};
use crate::{
    capability::{BehaviorInstance, BehaviorPlugin, BehaviorPorts, HttpGrant, ports::Browser},
    config::BehaviorConfig,
    load::{
        Load, LoadBehavior, Shortage,
        persona::{CallError, Persona, PersonaFactory, Seat},
    },
    observe::{Audit, Fact, Stream},
    plugin::{self, PluginKind, Tenant},
};

/// Pages that one audit may have: a bound on a plugin that never ends.
const MOST_PAGES: usize = 10_000;

/// The user that audits, and the one that says what the behavior's tasks are: apart from all that the
/// load ever has.
const OUTSIDER: u64 = u64::MAX >> 12;

type BehaviorPart = Part<BehaviorPlugin, BehaviorConfig>;

/// A behavior, ready to be put to use.
pub(crate) async fn behavior(
    part: &BehaviorPart,
    tenant: &Arc<Tenant>,
    load: &Arc<Load>,
    base_url: &str,
) -> Result<LoadBehavior, String> {
    let name = &part.config.name;
    let studio = Arc::new(Studio { part: part.clone(), tenant: tenant.clone(), load: load.clone() });
    let browser = load.silent_browser(granted(tenant, base_url), tenant.limits().body);
    let mut instance = studio
        .instance(OUTSIDER, 0, base_url, Box::new(browser))
        .await
        .map_err(|error| format!("behavior '{name}' cannot be used: {error}"))?;
    let plan = instance.configure(&part.json).await;
    let plan = plan.map_err(|error| format!("behavior '{name}' cannot be used: {error}"))?;
    Ok(LoadBehavior {
        name: name.clone(),
        share: part.config.share,
        pace: part.config.pace,
        mix: part.config.mix.clone(),
        plan,
        granted: granted(tenant, base_url),
        body_limit: tenant.limits().body,
        factory: studio,
    })
}

/// Asks what the target holds of one behavior's writes, and tells what came of it.
pub(crate) async fn audit(
    part: &BehaviorPart,
    tenant: &Arc<Tenant>,
    load: &Arc<Load>,
    run: &str,
    base_url: &str,
    network: &TargetNetwork,
    stream: &Stream,
) {
    let studio = Studio { part: part.clone(), tenant: tenant.clone(), load: load.clone() };
    let browser = load.silent_browser(granted(tenant, base_url), tenant.limits().body);
    let user = UserInfo { id: OUTSIDER, ordinal: 0, run: run.to_owned(), base_url: base_url.to_owned() };
    let held = network.run(async move { studio.held(user, Box::new(browser)).await }).await;
    let ledger = load.ledger();
    let audit = match held {
        Ok(keys) => ledger.audit(&part.config.name, keys.into_iter()),
        Err(because) => {
            // What was attempted is known all the same; what is there is not.
            let counted = ledger.audit(&part.config.name, std::iter::empty());
            Audit { lost: 0, lost_keys: Vec::new(), lost_span: None, failure: Some(because), ..counted }
        }
    };
    if audit.attempted > 0 {
        stream.tell(Fact::Audit(audit));
    }
}

/// Makes instances of one behavior.
struct Studio {
    part: BehaviorPart,
    tenant: Arc<Tenant>,
    load: Arc<Load>,
}

impl Studio {
    async fn instance(
        &self,
        id: u64,
        place: u64,
        base_url: &str,
        browser: Box<dyn Browser>,
    ) -> Result<BehaviorInstance, plugin::CallError> {
        let ports = BehaviorPorts {
            behavior: self.part.config.name.clone(),
            instance: id,
            place,
            base_url: base_url.to_owned(),
            browser,
            feeds: self.load.feeds().clone(),
            ledger: self.load.ledger().clone(),
            metrics: self.load.metrics().clone(),
        };
        self.part.plugin.instantiate(&self.tenant, ports).await
    }

    /// All keys that the target holds.
    async fn held(&self, user: UserInfo, browser: Box<dyn Browser>) -> Result<Vec<String>, String> {
        let instance = self.instance(user.id, 0, &user.base_url, browser).await;
        let mut instance = instance.map_err(|error| error.to_string())?;
        instance.configure(&self.part.json).await.map_err(|error| error.to_string())?;
        instance.start(user).await.map_err(|error| format!("the auditor could not start: {error}"))?;
        let (mut keys, mut after) = (Vec::new(), None);
        for _ in 0..MOST_PAGES {
            let page = instance.audit(after).await.map_err(|error| error.to_string())?;
            keys.extend(page.keys);
            after = page.next;
            if after.is_none() {
                return Ok(keys);
            }
        }
        Err(format!("it has more than {MOST_PAGES} pages"))
    }
}

#[async_trait]
impl PersonaFactory for Studio {
    async fn create(&self, seat: Seat) -> Result<Box<dyn Persona>, CallError> {
        let Seat { user, incarnation, place, browser } = seat;
        // A user has one random stream for each of its instances, and no other user has any of them.
        let number = user.id | incarnation << 40;
        let instance = self.instance(number, place, &user.base_url, browser).await;
        if let Err(plugin::CallError::NoRoom(_)) = &instance {
            self.load.metrics().short(Shortage::Instances);
        }
        let mut instance = instance.map_err(call_error)?;
        // Its config was accepted before; a plugin that refuses it now is at fault.
        instance.configure(&self.part.json).await.map_err(|error| CallError::Failed(error.to_string()))?;
        Ok(Box::new(Actor { user: Some(user), instance }))
    }
}

/// An instance, acting as one user.
struct Actor {
    /// Until it starts.
    user: Option<UserInfo>,
    instance: BehaviorInstance,
}

#[async_trait]
impl Persona for Actor {
    async fn start(&mut self) -> Result<(), CallError> {
        let Some(user) = self.user.take() else {
            return Err(CallError::Failed("a user starts once".to_owned()));
        };
        self.instance.start(user).await.map_err(call_error)
    }

    async fn run(&mut self, task: u32) -> Result<(), CallError> {
        self.instance.run(task).await.map_err(call_error)
    }

    async fn stop(&mut self) -> Result<(), CallError> {
        self.instance.stop().await.map_err(call_error)
    }
}

fn call_error(error: plugin::CallError) -> CallError {
    match error {
        plugin::CallError::Failed(_) => CallError::Failed(error.to_string()),
        plugin::CallError::Broken { kind, message } => CallError::Lost { kind, message },
        plugin::CallError::NoRoom(_) | plugin::CallError::Lost => {
            CallError::Lost { kind: crate::observe::PluginFailureKind::Trapped, message: error.to_string() }
        }
    }
}

fn granted(tenant: &Tenant, base_url: &str) -> crate::load::client::Granted {
    let grant = HttpGrant::new(tenant, PluginKind::Behavior, base_url);
    Arc::new(move |url| grant.covers(url).then_some(()).ok_or_else(|| grant.denial(url)))
}
