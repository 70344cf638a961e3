//! The seam between the SDK's wrappers and who answers them: the host that runs the component, or,
//! on a native target, the fake of [`crate::fake`]. Both sides have the same functions.

#[cfg(target_arch = "wasm32")]
pub(crate) use crate::bindings::imports::{
    clock, cluster, feed, http, kube, ledger, log, metrics, observations, random, redis, sql,
};
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use crate::fake::{
    clock, cluster, feed, http, kube, ledger, log, metrics, observations, random, redis, sql,
};
