//! The shop as its users and its operators meet it: the real binary over a real PostgreSQL and a
//! real Redis, which each test starts for itself on loopback, breaks, and stops.
//!
//! PostgreSQL and Redis come out of a Debian root file system, the one that the lab's instances share:
//! `ASSAY_TEST_ROOT` names its folder, as `make test` does. Nothing is installed on the machine, and
//! nothing is written into that folder; entering it takes root.

#![forbid(unsafe_code)]

mod audit;
mod browser;
mod jobs;
mod outages;
mod platform;
mod root;
mod sales;
mod sign_in;
mod start_and_stop;
mod tenants;
