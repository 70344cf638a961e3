//! What plugins may reach, one file per interface of the contract.
//!
//! Each file checks the grant, journals the inverse where something will change, and then acts,
//! through one of the [`ports`]. Nothing here is reached except through a linker.

mod observations;
pub mod ports;

pub use observations::Reader;
