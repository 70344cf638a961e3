//! Assertions: what an assertion's store holds, and the exports of its instance.

use std::sync::Arc;

use assay_bindings::{
    assertion::{
        AssertionCheck, AssertionCheckPre,
        exports::assay::plugin::assertion::{Moment, Verdict},
    },
    imports::{log, observations, types},
};
use wasmtime::component::{HasData, HasSelf, Linker};
use wasmtime_wasi::{WasiCtxView, WasiView};

use super::trial::{self, Nothing, describe};
use crate::plugin::{
    Artefact, CallError, ConfigureError, Engine, Guest, Hosted, LoadError, Plugin, Sandbox, Tenant, cut,
};

/// What an assertion reads, and all that it can reach.
type Observations = Box<dyn observations::Host + Send>;

/// State of an assertion's store.
pub struct AssertionHost {
    sandbox: Sandbox,
    observations: Observations,
}

impl AssertionHost {
    /// The sandbox, for a host call.
    fn called(&mut self) -> &mut Sandbox {
        self.sandbox.called();
        &mut self.sandbox
    }
}

impl Hosted for AssertionHost {
    fn sandbox(&mut self) -> &mut Sandbox {
        &mut self.sandbox
    }
}

impl WasiView for AssertionHost {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        self.sandbox.wasi()
    }
}

struct HasObservations;

impl HasData for HasObservations {
    type Data<'a> = &'a mut (dyn observations::Host + Send + 'static);
}

/// All that assertions may import.
pub(super) fn linker(engine: &Engine) -> wasmtime::Result<Linker<AssertionHost>> {
    let mut linker = Linker::new(engine.wasmtime());
    let linked = &mut linker;
    wasmtime_wasi::p2::add_to_linker_async(linked)?;
    types::add_to_linker::<_, HasSelf<Sandbox>>(linked, AssertionHost::called)?;
    log::add_to_linker::<_, HasSelf<Sandbox>>(linked, AssertionHost::called)?;
    observations::add_to_linker::<_, HasObservations>(linked, |host| {
        host.sandbox.called();
        &mut *host.observations
    })?;
    Ok(linker)
}

/// An assertion, ready to be instantiated. Clones are cheap.
#[derive(Clone)]
pub struct AssertionPlugin {
    engine: Engine,
    plugin: Arc<Plugin>,
    pre: Arc<AssertionCheckPre<AssertionHost>>,
}

impl std::fmt::Debug for AssertionPlugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("AssertionPlugin").field(&self.plugin).finish()
    }
}

impl AssertionPlugin {
    pub(super) async fn link(
        engine: &Engine,
        linker: &Linker<AssertionHost>,
        artefact: Artefact,
    ) -> Result<Self, LoadError> {
        let pre = linker.instantiate_pre(&artefact.component).and_then(AssertionCheckPre::new);
        let pre = Arc::new(pre.map_err(|error| LoadError::Link {
            name: artefact.name.clone(),
            because: format!("{error:#}"),
        })?);
        let tenant = Arc::new(Tenant::on_trial(&artefact.name));
        let described = match instantiate(engine, &pre, &tenant, Box::new(Nothing)).await {
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

    /// A new instance, not yet configured, over these observations.
    pub async fn instantiate(
        &self,
        tenant: &Arc<Tenant>,
        observations: Box<dyn observations::Host + Send>,
    ) -> Result<AssertionInstance, CallError> {
        let guest = instantiate(&self.engine, &self.pre, tenant, observations).await?;
        Ok(AssertionInstance { guest })
    }

    /// An instance that reaches nothing: to hear whether it accepts a config.
    pub async fn on_trial(&self, tenant: &Arc<Tenant>) -> Result<AssertionInstance, CallError> {
        self.instantiate(tenant, Box::new(Nothing)).await
    }
}

async fn instantiate(
    engine: &Engine,
    pre: &Arc<AssertionCheckPre<AssertionHost>>,
    tenant: &Arc<Tenant>,
    observations: Observations,
) -> Result<Guest<AssertionCheck, AssertionHost>, CallError> {
    let pre = pre.clone();
    let host = AssertionHost { sandbox: Sandbox::new(tenant.clone(), 0), observations };
    Guest::instantiate(engine, host, |store| Box::pin(async move { pre.instantiate_async(store).await }))
        .await
}

/// One assertion.
pub struct AssertionInstance {
    guest: Guest<AssertionCheck, AssertionHost>,
}

impl AssertionInstance {
    /// First call on every instance. `config` is JSON, valid against the plugin's schema.
    pub async fn configure(&mut self, config: &str) -> Result<(), ConfigureError> {
        let config = config.to_owned();
        self.guest
            .configure(async |exports, store| {
                exports.assay_plugin_assertion().call_configure(store, &config).await
            })
            .await
    }

    /// Judges what is observed.
    pub async fn evaluate(&mut self, moment: Moment) -> Result<Vec<Verdict>, CallError> {
        let mut verdicts = self
            .guest
            .try_call("evaluate", async |exports, store| {
                exports.assay_plugin_assertion().call_evaluate(store, moment).await
            })
            .await?;
        for verdict in &mut verdicts {
            verdict.subject = cut(std::mem::take(&mut verdict.subject));
            verdict.because = cut(std::mem::take(&mut verdict.because));
            verdict.requirement = verdict.requirement.take().map(cut);
        }
        Ok(verdicts)
    }

    /// Can it still be called?
    pub fn is_whole(&self) -> bool {
        self.guest.is_whole()
    }
}
