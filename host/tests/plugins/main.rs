//! Plugins against the host: fixtures compiled to components, real engine, real linkers.

#[path = "../support/mod.rs"]
mod support;

mod behaviors;
mod faults;
mod feeds;
mod loading;
mod misdeeds;
mod stage;
