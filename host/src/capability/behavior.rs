//! Behaviors: what a virtual user's store holds, and the exports of its instance.

use std::{collections::HashSet, sync::Arc};

use assay_bindings::{
    behavior::{
        UserBehavior, UserBehaviorPre,
        exports::assay::plugin::behavior::{AuditPage, Plan, UserInfo},
    },
    imports::{clock, feed, http, ledger, log, metrics, random, types, types::ConfigError},
};
use wasmtime::component::{HasSelf, Linker};
use wasmtime_wasi::{WasiCtxView, WasiView};

use super::{
    HttpGrant,
    feed::Feeds,
    http::{Gate, Http},
    ledger::Ledger,
    metrics::Metrics,
    ports,
    random::Random,
    trial::{self, Nothing, describe},
    view::{HasWith, With},
};
use crate::plugin::{
    Artefact, CallError, ConfigureError, Engine, Guest, Hosted, LoadError, Plugin, PluginKind, Sandbox,
    Tenant, cut,
};

/// State of a virtual user's store.
pub struct BehaviorHost {
    sandbox: Sandbox,
    http: Http,
    random: Random,
    metrics: Metrics,
    feeds: Feeds,
    ledger: Ledger,
}

/// What a virtual user acts through.
pub struct BehaviorPorts {
    /// The behavior's name in the run config.
    pub behavior: String,
    /// Tells this instance's random stream from those of others: the user's id.
    pub instance: u64,
    /// The user's place among all that live: the smallest that was free when it came.
    pub place: u64,
    /// The run's target.
    pub base_url: String,
    pub browser: Box<dyn ports::Browser>,
    pub feeds: Arc<dyn ports::Feeds>,
    pub ledger: Arc<dyn ports::Ledger>,
    pub metrics: Arc<dyn ports::Metrics>,
}

impl BehaviorPorts {
    fn to_nothing(name: &str) -> Self {
        Self {
            behavior: name.to_owned(),
            instance: 0,
            place: 0,
            base_url: String::new(),
            browser: Box::new(Nothing),
            feeds: Arc::new(Nothing),
            ledger: Arc::new(Nothing),
            metrics: Arc::new(Nothing),
        }
    }
}

impl BehaviorHost {
    fn new(tenant: &Arc<Tenant>, ports: BehaviorPorts) -> Self {
        let BehaviorPorts { behavior, instance, place, base_url, browser, feeds, ledger, metrics } = ports;
        let grant = HttpGrant::new(tenant, PluginKind::Behavior, &base_url);
        Self {
            sandbox: Sandbox::new(tenant.clone(), instance),
            http: Http::new(Gate::new(grant, &base_url, None), browser),
            random: Random(tenant.randomness(instance, &behavior)),
            metrics: Metrics { tenant: tenant.clone(), port: metrics },
            feeds: Feeds::new(tenant, &behavior, instance, place, feeds),
            ledger: Ledger { tenant: tenant.clone(), behavior, port: ledger },
        }
    }

    /// The sandbox, for a host call.
    fn called(&mut self) -> &mut Sandbox {
        self.sandbox.called();
        &mut self.sandbox
    }
}

impl Hosted for BehaviorHost {
    fn sandbox(&mut self) -> &mut Sandbox {
        &mut self.sandbox
    }

    fn returned(&mut self) {
        self.http.commit_all();
    }
}

impl WasiView for BehaviorHost {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        self.sandbox.wasi()
    }
}

impl types::Host for Sandbox {}

/// All that behaviors may import. Each way into the host says that the guest is alive.
pub(super) fn linker(engine: &Engine) -> wasmtime::Result<Linker<BehaviorHost>> {
    let mut linker = Linker::new(engine.wasmtime());
    let linked = &mut linker;
    wasmtime_wasi::p2::add_to_linker_async(linked)?;
    types::add_to_linker::<_, HasSelf<Sandbox>>(linked, BehaviorHost::called)?;
    log::add_to_linker::<_, HasSelf<Sandbox>>(linked, BehaviorHost::called)?;
    clock::add_to_linker::<_, HasSelf<Sandbox>>(linked, BehaviorHost::called)?;
    random::add_to_linker::<_, HasSelf<Random>>(linked, |host| {
        host.sandbox.called();
        &mut host.random
    })?;
    http::add_to_linker::<_, HasWith<Http>>(linked, |host| {
        host.sandbox.called();
        With { sandbox: &mut host.sandbox, own: &mut host.http }
    })?;
    metrics::add_to_linker::<_, HasSelf<Metrics>>(linked, |host| {
        host.sandbox.called();
        &mut host.metrics
    })?;
    feed::add_to_linker::<_, HasSelf<Feeds>>(linked, |host| {
        host.sandbox.called();
        &mut host.feeds
    })?;
    ledger::add_to_linker::<_, HasSelf<Ledger>>(linked, |host| {
        host.sandbox.called();
        &mut host.ledger
    })?;
    Ok(linker)
}

/// A behavior, ready to be instantiated. Clones are cheap.
#[derive(Clone)]
pub struct BehaviorPlugin {
    engine: Engine,
    plugin: Arc<Plugin>,
    pre: Arc<UserBehaviorPre<BehaviorHost>>,
}

impl std::fmt::Debug for BehaviorPlugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("BehaviorPlugin").field(&self.plugin).finish()
    }
}

impl BehaviorPlugin {
    pub(super) async fn link(
        engine: &Engine,
        linker: &Linker<BehaviorHost>,
        artefact: Artefact,
    ) -> Result<Self, LoadError> {
        let pre = linker.instantiate_pre(&artefact.component).and_then(UserBehaviorPre::new);
        let pre = Arc::new(pre.map_err(|error| LoadError::Link {
            name: artefact.name.clone(),
            because: format!("{error:#}"),
        })?);
        let tenant = Arc::new(Tenant::on_trial(&artefact.name));
        let host = BehaviorHost::new(&tenant, BehaviorPorts::to_nothing(&artefact.name));
        let described = match instantiate(engine, &pre, host).await {
            Ok(mut guest) => describe!(guest),
            Err(error) => Err(error),
        };
        let plugin = Arc::new(trial::plugin(&artefact, described)?);
        Ok(Self { engine: engine.clone(), plugin, pre })
    }

    /// What it is.
    pub fn plugin(&self) -> &Plugin {
        &self.plugin
    }

    /// A new virtual user, not yet configured.
    pub async fn instantiate(
        &self,
        tenant: &Arc<Tenant>,
        ports: BehaviorPorts,
    ) -> Result<BehaviorInstance, CallError> {
        let guest = instantiate(&self.engine, &self.pre, BehaviorHost::new(tenant, ports)).await?;
        Ok(BehaviorInstance { guest })
    }

    /// An instance that reaches nothing: to hear whether it accepts a config.
    pub async fn on_trial(&self, tenant: &Arc<Tenant>) -> Result<BehaviorInstance, CallError> {
        self.instantiate(tenant, BehaviorPorts::to_nothing(&self.plugin.name)).await
    }
}

async fn instantiate(
    engine: &Engine,
    pre: &Arc<UserBehaviorPre<BehaviorHost>>,
    host: BehaviorHost,
) -> Result<Guest<UserBehavior, BehaviorHost>, CallError> {
    let pre = pre.clone();
    Guest::instantiate(engine, host, |store| Box::pin(async move { pre.instantiate_async(store).await }))
        .await
}

/// One virtual user.
pub struct BehaviorInstance {
    guest: Guest<UserBehavior, BehaviorHost>,
}

impl BehaviorInstance {
    /// First call on every instance. `config` is JSON, valid against the plugin's schema.
    pub async fn configure(&mut self, config: &str) -> Result<Plan, ConfigureError> {
        let config = config.to_owned();
        let plan = self
            .guest
            .configure(async |exports, store| {
                exports.assay_plugin_behavior().call_configure(store, &config).await
            })
            .await?;
        check(plan)
    }

    /// Signs in.
    pub async fn start(&mut self, user: UserInfo) -> Result<(), CallError> {
        self.guest
            .try_call("start", async |exports, store| {
                exports.assay_plugin_behavior().call_start(store, &user).await
            })
            .await
    }

    /// Runs the task of that index in the plan.
    pub async fn run(&mut self, task: u32) -> Result<(), CallError> {
        self.guest
            .try_call("run", async |exports, store| {
                exports.assay_plugin_behavior().call_run(store, task).await
            })
            .await
    }

    /// Leaves in good order.
    pub async fn stop(&mut self) -> Result<(), CallError> {
        self.guest
            .call("stop", async |exports, store| exports.assay_plugin_behavior().call_stop(store).await)
            .await
    }

    /// One page of what the target holds.
    pub async fn audit(&mut self, after: Option<String>) -> Result<AuditPage, CallError> {
        self.guest
            .try_call("audit", async |exports, store| {
                exports.assay_plugin_behavior().call_audit(store, after.as_deref()).await
            })
            .await
    }

    /// Can it still be called? Not after a call that broke off, or whose future was dropped.
    pub fn is_whole(&self) -> bool {
        self.guest.is_whole()
    }
}

/// A plan that the load room can rely on.
fn check(mut plan: Plan) -> Result<Plan, ConfigureError> {
    let reject = |message: String| {
        Err(ConfigureError::Rejected(vec![ConfigError { pointer: String::new(), message }]))
    };
    if plan.tasks.is_empty() {
        return reject("the plugin has no tasks".to_owned());
    }
    for task in &mut plan.tasks {
        task.name = cut(std::mem::take(&mut task.name));
        task.group = cut(std::mem::take(&mut task.group));
    }
    let groups: HashSet<_> = plan.groups.iter().map(|(group, _)| group.as_str()).collect();
    if groups.len() != plan.groups.len() {
        return reject("the plugin names a task group twice".to_owned());
    }
    let mut names = HashSet::new();
    for task in &plan.tasks {
        if !names.insert(task.name.as_str()) {
            return reject(format!("the plugin has two tasks called '{}'", task.name));
        }
        if task.weight == 0 {
            return reject(format!("the plugin's task '{}' has the weight 0", task.name));
        }
        if !groups.contains(task.group.as_str()) {
            return reject(format!(
                "the plugin's task '{}' is in the unknown group '{}'",
                task.name, task.group
            ));
        }
    }
    Ok(plan)
}

#[cfg(test)]
mod tests {
    use assay_bindings::behavior::exports::assay::plugin::behavior::Task;

    use super::*;

    fn plan(tasks: &[(&str, &str, u32)], groups: &[&str]) -> Result<Plan, ConfigureError> {
        check(Plan {
            tasks: tasks
                .iter()
                .map(|(name, group, weight)| Task {
                    name: (*name).to_owned(),
                    group: (*group).to_owned(),
                    weight: *weight,
                    writes: false,
                })
                .collect(),
            groups: groups.iter().map(|group| ((*group).to_owned(), 1)).collect(),
        })
    }

    #[test]
    fn only_plans_of_use_are_accepted() {
        plan(&[("a", "x", 1), ("b", "x", 2)], &["x"]).expect("fine");
        let refused = |tasks, groups| plan(tasks, groups).expect_err("refused").to_string();
        assert_eq!(refused(&[], &[]), ": the plugin has no tasks");
        assert_eq!(refused(&[("a", "x", 1), ("a", "x", 1)], &["x"]), ": the plugin has two tasks called 'a'");
        assert_eq!(refused(&[("a", "x", 0)], &["x"]), ": the plugin's task 'a' has the weight 0");
        assert_eq!(refused(&[("a", "y", 1)], &["x"]), ": the plugin's task 'a' is in the unknown group 'y'");
        assert_eq!(refused(&[("a", "x", 1)], &["x", "x"]), ": the plugin names a task group twice");
    }
}
