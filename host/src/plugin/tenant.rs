//! One plugin's part in one run.

use std::sync::Arc;

use rand_chacha::{ChaCha12Rng, rand_core::SeedableRng};
use sha2::{Digest, Sha256};

use super::{Engine, Plugin, Voice};
use crate::{
    config::{Grants, Limits},
    observe::{Clock, Stream},
};

/// A plugin as it takes part in a run: what it may use and reach, and where it is heard. All of
/// its instances share one.
#[derive(Debug)]
pub struct Tenant {
    name: String,
    built_in: bool,
    limits: Limits,
    grants: Grants,
    seed: u64,
    voice: Arc<Voice>,
}

impl Tenant {
    /// Admits a plugin to a run, under its name and with the run's seed.
    pub fn new(
        engine: &Engine,
        plugin: &Plugin,
        limits: Limits,
        grants: Grants,
        stream: Stream,
        seed: u64,
    ) -> Self {
        let voice = Arc::new(Voice::new(&plugin.name, stream));
        engine.listen(&voice);
        Self { name: plugin.name.clone(), built_in: plugin.built_in, limits, grants, seed, voice }
    }

    /// For the instance that a plugin is asked on who it is: no grants, no ears.
    pub(crate) fn on_trial(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            built_in: false,
            limits: Limits { call_timeout: std::time::Duration::from_secs(10), ..Limits::default() },
            grants: Grants::default(),
            seed: 0,
            voice: Arc::new(Voice::new(name, Stream::new(Clock::start()))),
        }
    }

    /// For tests of what a plugin may do.
    #[cfg(test)]
    pub(crate) fn for_tests(name: &str, built_in: bool, grants: Grants) -> Self {
        Self { built_in, grants, ..Self::on_trial(name) }
    }

    /// The plugin's name in the run config.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Is it part of the host's own binary?
    pub fn built_in(&self) -> bool {
        self.built_in
    }

    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    pub fn grants(&self) -> &Grants {
        &self.grants
    }

    pub fn voice(&self) -> &Arc<Voice> {
        &self.voice
    }

    /// The run's clock.
    pub fn clock(&self) -> Clock {
        self.voice.stream().clock()
    }

    /// A random stream of one instance: the same seed, plugin, instance and purpose give the same
    /// numbers on every machine.
    pub(crate) fn randomness(&self, instance: u64, purpose: &str) -> ChaCha12Rng {
        let mut hash = Sha256::new();
        hash.update(self.seed.to_le_bytes());
        hash.update(instance.to_le_bytes());
        // The name is preceded by its length, so that no two pairs run together.
        hash.update((self.name.len() as u64).to_le_bytes());
        hash.update(&self.name);
        hash.update(purpose);
        ChaCha12Rng::from_seed(hash.finalize().into())
    }
}
