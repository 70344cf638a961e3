//! Faults and profiles: what a fault's store holds, and the exports of its instance.

use std::{collections::BTreeMap, sync::Arc};

use assay_bindings::{
    fault::{
        FaultInjection, FaultInjectionPre,
        exports::assay::plugin::fault::{Forecast, Impact, InjectError, Injected, Recovery, Strike, Victim},
    },
    imports::{clock, cluster, http, kube, log, random, redis, sql, types},
};
use sha2::{Digest, Sha256};
use wasmtime::component::{HasSelf, Linker};
use wasmtime_wasi::{WasiCtxView, WasiView};

use super::{
    HttpGrant,
    http::{ControlBrowser, Gate, Http},
    ports,
    random::Random,
    reach::Reach,
    redis::Redis,
    sql::Sql,
    trial::{self, Nothing, describe},
    view::{HasWith, With},
};
use crate::{
    config::Credential,
    environment::{Elsewhere, Environment},
    plugin::{
        Artefact, CallError, ConfigureError, Engine, Guest, Hosted, LoadError, Plugin, PluginKind, Sandbox,
        Tenant, cut,
    },
};

/// State of a fault's store.
pub struct FaultHost {
    sandbox: Sandbox,
    reach: Arc<Reach>,
    http: Http,
    random: Random,
    sql: Sql,
    redis: Redis,
}

/// What a fault acts through.
#[derive(Clone)]
pub struct FaultPorts {
    /// The fault's name in the run config.
    pub fault: String,
    pub environment: Arc<dyn Environment>,
    /// What cannot be written here is not done; one that refuses everything makes a fault harmless.
    pub journal: Arc<dyn ports::Journal>,
    pub credentials: Arc<BTreeMap<String, Credential>>,
}

impl FaultPorts {
    fn to_nothing(name: &str) -> Self {
        Self {
            fault: name.to_owned(),
            environment: Arc::new(Elsewhere::at("")),
            journal: Arc::new(Nothing),
            credentials: Arc::default(),
        }
    }
}

impl FaultHost {
    fn new(tenant: &Arc<Tenant>, ports: FaultPorts) -> Self {
        let FaultPorts { fault, environment, journal, credentials } = ports;
        let instance = number(&fault);
        let base_url = environment.base_url();
        let grant = HttpGrant::new(tenant, PluginKind::Fault, &base_url);
        let gate = Gate::new(grant, &base_url, Some(environment.clone()));
        let browser = ControlBrowser::new(gate.clone(), tenant.clock(), tenant.limits().body);
        let random = Random(tenant.randomness(instance, &fault));
        let reach = Arc::new(Reach::new(tenant, fault, environment, journal, credentials));
        Self {
            sandbox: Sandbox::new(tenant.clone(), instance),
            http: Http::new(gate, Box::new(browser)),
            random,
            sql: Sql::new(reach.clone()),
            redis: Redis::new(reach.clone()),
            reach,
        }
    }

    /// The sandbox, for a host call.
    fn called(&mut self) -> &mut Sandbox {
        self.sandbox.called();
        &mut self.sandbox
    }
}

/// A number for a fault, the same in every run.
fn number(fault: &str) -> u64 {
    let digest: [u8; 32] = Sha256::digest(fault).into();
    digest.iter().take(8).fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

impl Hosted for FaultHost {
    fn sandbox(&mut self) -> &mut Sandbox {
        &mut self.sandbox
    }

    fn returned(&mut self) {
        self.reach.allow_changes(false);
    }
}

impl WasiView for FaultHost {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        self.sandbox.wasi()
    }
}

/// All that faults may import. Each way into the host says that the guest is alive.
pub(super) fn linker(engine: &Engine) -> wasmtime::Result<Linker<FaultHost>> {
    fn with_reach(host: &mut FaultHost) -> With<'_, Arc<Reach>> {
        host.sandbox.called();
        With { sandbox: &mut host.sandbox, own: &mut host.reach }
    }
    let mut linker = Linker::new(engine.wasmtime());
    let linked = &mut linker;
    wasmtime_wasi::p2::add_to_linker_async(linked)?;
    types::add_to_linker::<_, HasSelf<Sandbox>>(linked, FaultHost::called)?;
    log::add_to_linker::<_, HasSelf<Sandbox>>(linked, FaultHost::called)?;
    clock::add_to_linker::<_, HasSelf<Sandbox>>(linked, FaultHost::called)?;
    random::add_to_linker::<_, HasSelf<Random>>(linked, |host| {
        host.sandbox.called();
        &mut host.random
    })?;
    http::add_to_linker::<_, HasWith<Http>>(linked, |host| {
        host.sandbox.called();
        With { sandbox: &mut host.sandbox, own: &mut host.http }
    })?;
    cluster::add_to_linker::<_, HasWith<Arc<Reach>>>(linked, with_reach)?;
    kube::add_to_linker::<_, HasWith<Arc<Reach>>>(linked, with_reach)?;
    sql::add_to_linker::<_, HasWith<Sql>>(linked, |host| {
        host.sandbox.called();
        With { sandbox: &mut host.sandbox, own: &mut host.sql }
    })?;
    redis::add_to_linker::<_, HasWith<Redis>>(linked, |host| {
        host.sandbox.called();
        With { sandbox: &mut host.sandbox, own: &mut host.redis }
    })?;
    Ok(linker)
}

/// A fault or profile, ready to be instantiated. Clones are cheap.
#[derive(Clone)]
pub struct FaultPlugin {
    engine: Engine,
    plugin: Arc<Plugin>,
    pre: Arc<FaultInjectionPre<FaultHost>>,
}

impl std::fmt::Debug for FaultPlugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("FaultPlugin").field(&self.plugin).finish()
    }
}

impl FaultPlugin {
    pub(super) async fn link(
        engine: &Engine,
        linker: &Linker<FaultHost>,
        artefact: Artefact,
    ) -> Result<Self, LoadError> {
        let pre = linker.instantiate_pre(&artefact.component).and_then(FaultInjectionPre::new);
        let pre = Arc::new(pre.map_err(|error| LoadError::Link {
            name: artefact.name.clone(),
            because: format!("{error:#}"),
        })?);
        let tenant = Arc::new(Tenant::on_trial(&artefact.name));
        let host = FaultHost::new(&tenant, FaultPorts::to_nothing(&artefact.name));
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

    /// A new instance, not yet configured.
    pub async fn instantiate(
        &self,
        tenant: &Arc<Tenant>,
        ports: FaultPorts,
    ) -> Result<FaultInstance, CallError> {
        let guest = instantiate(&self.engine, &self.pre, FaultHost::new(tenant, ports)).await?;
        Ok(FaultInstance { guest })
    }

    /// An instance that reaches nothing: to hear whether it accepts a config.
    pub async fn on_trial(&self, tenant: &Arc<Tenant>) -> Result<FaultInstance, CallError> {
        self.instantiate(tenant, FaultPorts::to_nothing(&self.plugin.name)).await
    }
}

async fn instantiate(
    engine: &Engine,
    pre: &Arc<FaultInjectionPre<FaultHost>>,
    host: FaultHost,
) -> Result<Guest<FaultInjection, FaultHost>, CallError> {
    let pre = pre.clone();
    Guest::instantiate(engine, host, |store| Box::pin(async move { pre.instantiate_async(store).await }))
        .await
}

/// One fault. After a call that broke off it is lost, and `revert` needs a new instance.
pub struct FaultInstance {
    guest: Guest<FaultInjection, FaultHost>,
}

impl FaultInstance {
    /// First call on every instance. `config` is JSON, valid against the plugin's schema.
    pub async fn configure(&mut self, config: &str) -> Result<(), ConfigureError> {
        let config = config.to_owned();
        self.guest
            .configure(async |exports, store| {
                exports.assay_plugin_fault().call_configure(store, &config).await
            })
            .await
    }

    /// What would happen.
    pub async fn preview(&mut self) -> Result<Forecast, CallError> {
        let mut forecast = self
            .guest
            .try_call("preview", async |exports, store| {
                exports.assay_plugin_fault().call_preview(store).await
            })
            .await?;
        cut_victims(&mut forecast.victims);
        forecast.actions.iter_mut().for_each(cut_in_place);
        forecast.findings.iter_mut().for_each(|finding| cut_in_place(&mut finding.message));
        Ok(forecast)
    }

    /// Whom it would strike now.
    pub async fn aim(&mut self) -> Result<Strike, CallError> {
        let mut strike = self
            .guest
            .try_call("aim", async |exports, store| exports.assay_plugin_fault().call_aim(store).await)
            .await?;
        cut_victims(&mut strike.victims);
        Ok(strike)
    }

    /// Strikes. The inner error says that it did not, and whether aiming again may help.
    pub async fn inject(&mut self, strike: Strike) -> Result<Result<Injected, InjectError>, CallError> {
        self.guest.host().reach.allow_changes(true);
        let answer = self
            .guest
            .call("inject", async |exports, store| {
                exports.assay_plugin_fault().call_inject(store, &strike).await
            })
            .await?;
        Ok(match answer {
            Ok(mut injected) => {
                cut_in_place(&mut injected.means);
                Ok(injected)
            }
            Err(InjectError::Stale(because)) => Err(InjectError::Stale(cut(because))),
            Err(InjectError::Failed(failure)) => match self.guest.failed("inject", failure) {
                CallError::Failed(failure) => Err(InjectError::Failed(failure)),
                broken => return Err(broken),
            },
        })
    }

    /// Did it bite?
    pub async fn effect(&mut self) -> Result<Impact, CallError> {
        let mut impact = self
            .guest
            .try_call("effect", async |exports, store| exports.assay_plugin_fault().call_effect(store).await)
            .await?;
        cut_in_place(&mut impact.probed);
        Ok(impact)
    }

    /// How far the target has recovered.
    pub async fn recovered(&mut self) -> Result<Recovery, CallError> {
        let mut recovery = self
            .guest
            .try_call("recovered", async |exports, store| {
                exports.assay_plugin_fault().call_recovered(store).await
            })
            .await?;
        recovery.steps.truncate(1_000);
        for step in &mut recovery.steps {
            cut_in_place(&mut step.name);
            cut_in_place(&mut step.detail);
            if let types::When::Reported(text) = &mut step.at {
                cut_in_place(text);
            }
        }
        Ok(recovery)
    }

    /// Undoes what the host cannot undo itself.
    pub async fn revert(&mut self, undo: &str) -> Result<(), CallError> {
        let undo = undo.to_owned();
        self.guest.host().reach.allow_changes(true);
        self.guest
            .try_call("revert", async |exports, store| {
                exports.assay_plugin_fault().call_revert(store, &undo).await
            })
            .await
    }

    /// Can it still be called?
    pub fn is_whole(&self) -> bool {
        self.guest.is_whole()
    }
}

fn cut_victims(victims: &mut [Victim]) {
    for victim in victims {
        cut_in_place(&mut victim.name);
        cut_in_place(&mut victim.role);
        cut_in_place(&mut victim.because);
    }
}

fn cut_in_place(text: &mut String) {
    *text = cut(std::mem::take(text));
}
