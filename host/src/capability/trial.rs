//! What stands behind the instance that a plugin is asked on who it is: ports without anything.

use assay_bindings::{
    Response,
    imports::{
        http,
        observations::{self as wit, Filter, Latency, Metric, Span},
        types::{Failure, Finding, Nanos},
    },
};
use futures::future::BoxFuture;

use super::ports;
use crate::{
    environment::Inverse,
    plugin::{About, AboutError, Artefact, CallError, LoadError, Plugin, Wish},
};

/// Nothing can be reached, and nothing is known.
pub(super) struct Nothing;

const WHY: &str = "the plugin is only asked what it is";

impl ports::Browser for Nothing {
    fn send<'a>(&'a mut self, _: http::Request, _: Nanos) -> BoxFuture<'a, Result<Response, http::Error>> {
        Box::pin(async { Err(http::Error::Denied(WHY.to_owned())) })
    }

    fn visit<'a>(
        &'a mut self,
        _: http::Request,
        _: Nanos,
    ) -> BoxFuture<'a, Result<http::Visited, http::Error>> {
        Box::pin(async { Err(http::Error::Denied(WHY.to_owned())) })
    }

    fn send_all<'a>(
        &'a mut self,
        requests: Vec<http::Request>,
        _: u32,
        _: Nanos,
    ) -> BoxFuture<'a, Vec<Result<Response, http::Error>>> {
        Box::pin(async move { requests.iter().map(|_| Err(http::Error::Denied(WHY.to_owned()))).collect() })
    }

    fn fail(&mut self, _: u64, _: &str) {}

    fn commit(&mut self, _: u64) {}

    fn commit_all(&mut self) {}

    fn cookie(&self, _: &str) -> Option<String> {
        None
    }

    fn set_cookie(&mut self, _: &str, _: &str) {}

    fn reset(&mut self) {}
}

impl ports::Ledger for Nothing {
    fn attempt(&self, _: &str, _: &str) -> Result<(), String> {
        Ok(())
    }

    fn confirm(&self, _: &str, _: &str) -> Result<(), String> {
        Ok(())
    }

    fn reject(&self, _: &str, _: &str) -> Result<(), String> {
        Ok(())
    }
}

impl ports::Feeds for Nothing {
    fn next(&self, _: &str, _: u64, _: &mut dyn FnMut() -> u64) -> Result<String, Failure> {
        Err(Failure::Denied(WHY.to_owned()))
    }
}

impl ports::Metrics for Nothing {
    fn check(&self, _: &str, _: bool) {}

    fn count(&self, _: &str, _: f64) {}

    fn trend(&self, _: &str, _: f64) {}
}

impl ports::Journal for Nothing {
    fn pending_lines(&self) -> String {
        String::new()
    }

    fn before(&self, _: &str, _: &Inverse) -> std::io::Result<()> {
        Err(std::io::Error::new(std::io::ErrorKind::PermissionDenied, WHY))
    }
}

type Answer<T> = wasmtime::Result<Result<T, Failure>>;

fn denied<T>() -> Answer<T> {
    Ok(Err(Failure::Denied(WHY.to_owned())))
}

impl wit::Host for Nothing {
    fn summary(&mut self, _: Filter, _: Span, _: f64) -> Answer<wit::Totals> {
        denied()
    }

    fn percentiles(&mut self, _: Filter, _: Span, _: Latency, _: Vec<f64>) -> Answer<Vec<Option<Nanos>>> {
        denied()
    }

    fn series(&mut self, _: Filter, _: Span, _: Metric, _: Nanos) -> Answer<Vec<wit::Point>> {
        denied()
    }

    fn faults(&mut self) -> wasmtime::Result<Vec<wit::FaultSeen>> {
        Ok(Vec::new())
    }

    fn workloads(&mut self) -> wasmtime::Result<Vec<wit::WorkloadSeen>> {
        Ok(Vec::new())
    }

    fn usage(&mut self, _: Span) -> Answer<Vec<wit::UsageSeen>> {
        denied()
    }

    fn checks(&mut self, _: Span) -> Answer<Vec<wit::CheckSeen>> {
        denied()
    }

    fn audits(&mut self) -> wasmtime::Result<Vec<wit::AuditSeen>> {
        Ok(Vec::new())
    }

    fn generator(&mut self) -> wasmtime::Result<wit::GeneratorSeen> {
        Ok(wit::GeneratorSeen {
            bottleneck: false,
            because: WHY.to_owned(),
            cpu_mean: 0,
            cpu_peak: 0,
            lag_p99: 0,
            late: 0,
            dropped: 0,
        })
    }

    fn findings(&mut self) -> wasmtime::Result<Vec<Finding>> {
        Ok(Vec::new())
    }
}

/// Asks a guest to describe itself, in the words of its own world's bindings.
macro_rules! describe {
    ($guest:expr) => {
        $guest
            .call("describe", async |exports, store| exports.assay_plugin_plugin().call_describe(store).await)
            .await
            .map(|about| $crate::capability::trial::Described {
                name: about.name,
                version: about.version,
                summary: about.summary,
                schema: about.config_schema,
                wishes: about
                    .wishes
                    .into_iter()
                    .map(|wish| $crate::plugin::Wish { capability: wish.capability, reason: wish.reason })
                    .collect(),
            })
    };
}
pub(super) use describe;

/// What a plugin said, whatever its world.
pub(super) struct Described {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) summary: String,
    pub(super) schema: String,
    pub(super) wishes: Vec<Wish>,
}

/// A plugin from what is known of its component and what it said of itself.
pub(super) fn plugin(
    artefact: &Artefact,
    described: Result<Described, CallError>,
) -> Result<Plugin, LoadError> {
    let name = artefact.name.clone();
    let said = described.map_err(|error| LoadError::Trial { name: name.clone(), error })?;
    let about = About::new(said.name, said.version, said.summary, said.schema, said.wishes)
        .map_err(|error: AboutError| LoadError::About { name: name.clone(), error })?;
    Ok(Plugin {
        name,
        kind: artefact.kind,
        version: about.version.clone(),
        digest: artefact.digest.clone(),
        built_in: artefact.built_in,
        imports: artefact.imports.clone(),
        about,
    })
}
