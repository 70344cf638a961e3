//! The shop as its users and its operators meet it: the real binary over a real PostgreSQL and a
//! real Redis, which each test starts for itself on loopback, breaks, and stops.
//!
//! Needs the Debian packages `postgresql-15` and `redis-server`, or the same elsewhere with
//! `SHOP_TEST_POSTGRES_BIN` naming the directory of `initdb` and `postgres`.

#![forbid(unsafe_code)]

mod audit;
mod browser;
mod jobs;
mod outages;
mod platform;
mod sales;
mod sign_in;
mod start_and_stop;
mod tenants;
