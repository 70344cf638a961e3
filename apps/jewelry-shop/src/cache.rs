//! Fragments of pages that may be a few seconds old, kept in Redis for each tenant. The cache may
//! vanish at any moment: a fragment that is not there is made from the database.

use std::time::Duration;

use crate::store::Store;

/// The cache of all tenants.
#[derive(Debug, Clone)]
pub(crate) struct Cache {
    store: Store,
    lifetime: Duration,
}

impl Cache {
    /// A cache whose fragments live that long; none are kept when it is zero.
    pub(crate) fn new(store: Store, lifetime: Duration) -> Self {
        Self { store, lifetime }
    }

    /// The fragment, from the cache or else freshly made.
    pub(crate) async fn fragment<E>(
        &self,
        tenant: i32,
        name: &str,
        make: impl AsyncFnOnce() -> Result<String, E>,
    ) -> Result<String, E> {
        if self.lifetime.is_zero() {
            return make().await;
        }
        let key = format!("shop:cache:{tenant}:{name}");
        if let Ok(Some(fragment)) = self.store.run::<Option<String>>(redis::cmd("GET").arg(&key)).await {
            return Ok(fragment);
        }
        let fragment = make().await?;
        let mut command = redis::cmd("SET");
        let lifetime = u64::try_from(self.lifetime.as_millis()).unwrap_or(u64::MAX);
        command.arg(&key).arg(&fragment).arg("PX").arg(lifetime);
        // A fragment that could not be kept is made again next time.
        let _: Result<(), _> = self.store.run(&command).await;
        Ok(fragment)
    }
}
