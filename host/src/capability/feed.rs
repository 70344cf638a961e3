//! Rows of data that behaviors share.

use std::sync::Arc;

use assay_bindings::imports::{feed, types::Failure};
use rand::Rng as _;
use rand_chacha::ChaCha12Rng;

use super::{grant::FeedGrant, ports};
use crate::plugin::{Tenant, cut};

/// What one instance may read.
pub(crate) struct Feeds {
    tenant: Arc<Tenant>,
    instance: u64,
    /// The user's place among all that live.
    place: u64,
    /// Made when a row is first asked for: most instances never do.
    random: Option<Box<ChaCha12Rng>>,
    /// Tells its random stream from that of `random`, whose purpose is the behavior's name alone.
    purpose: String,
    port: Arc<dyn ports::Feeds>,
}

impl Feeds {
    pub(crate) fn new(
        tenant: &Arc<Tenant>,
        behavior: &str,
        instance: u64,
        place: u64,
        port: Arc<dyn ports::Feeds>,
    ) -> Self {
        Self {
            tenant: tenant.clone(),
            instance,
            place,
            random: None,
            purpose: format!("{behavior}: feeds"),
            port,
        }
    }
}

impl feed::Host for Feeds {
    fn next(&mut self, feed: String) -> wasmtime::Result<Result<String, Failure>> {
        let grant = FeedGrant(&self.tenant);
        if !grant.covers(&feed) {
            return Ok(Err(grant.denial(&cut(feed))));
        }
        let Self { tenant, instance, place, random, purpose, port } = self;
        let mut draw =
            || random.get_or_insert_with(|| Box::new(tenant.randomness(*instance, purpose))).next_u64();
        Ok(port.next(&feed, *place, &mut draw))
    }
}
