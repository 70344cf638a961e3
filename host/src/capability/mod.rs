//! What plugins may reach, one file per interface of the contract.
//!
//! Each file checks the grant, journals the inverse where something will change, and then acts,
//! through one of the [`ports`]. Nothing here is reached except through a linker.
//!
//! [`Worlds`] has one linker for each kind of plugin, and turns a [`Source`](crate::plugin::Source)
//! into a [`BehaviorPlugin`], a [`FaultPlugin`] or an [`AssertionPlugin`]; these are instantiated with
//! what their world needs, and their instances have one method for each export. Instances of
//! behaviors are made and called on threads that reach the target, and so are those of faults: what a
//! plugin sends leaves from the thread that its call runs on.

mod assertion;
mod behavior;
mod clock;
mod cluster;
mod failure;
mod fault;
mod feed;
mod grant;
mod http;
mod kube;
mod ledger;
mod log;
mod metrics;
mod observations;
pub mod ports;
mod random;
mod reach;
mod redis;
mod sql;
mod trial;
mod view;
mod worlds;

pub use assertion::{AssertionHost, AssertionInstance, AssertionPlugin};
pub use behavior::{BehaviorHost, BehaviorInstance, BehaviorPlugin, BehaviorPorts};
pub use failure::failure_text;
pub use fault::{FaultHost, FaultInstance, FaultPlugin, FaultPorts};
pub use grant::HttpGrant;
pub(crate) use http::{EXPECTED, unmet};
pub use observations::Reader;
pub use worlds::{Loaded, Worlds};
