//! A host for unit tests: scripted answers in, recorded calls out, all in this thread.
//!
//! `cargo test` compiles a plugin for the native target, where every capability of the SDK goes to
//! the [`FakeHost`] that the test started. What is not scripted fails in the way its capability
//! would: an unknown URL refuses the connection, an unknown instance or feed is `not-found`.
//!
//! ```
//! use assay_sdk::fake::{self, FakeHost};
//! use assay_sdk::{cluster, sql};
//!
//! let host = FakeHost::start();
//! host.instance(fake::instance("pg-0", "app=postgres,role=replica"));
//! host.sql("pg-0", "select pg_is_in_recovery()", fake::row([false]));
//! let found = cluster::instances("app=postgres")?;
//! let rows = sql::on(&found[0].name).query("select pg_is_in_recovery()", &[])?;
//! assert!(!rows.only()?.boolean(0)?);
//! assert_eq!(host.calls(), ["cluster.instances app=postgres", "sql pg-0:5432 select pg_is_in_recovery()"]);
//! # Ok::<(), assay_sdk::Failure>(())
//! ```

mod basics;
pub(crate) mod cluster;
pub(crate) mod databases;
pub(crate) mod feed;
pub(crate) mod http;
pub(crate) mod kube;
pub(crate) mod observations;
mod script;
mod selector;

use std::cell::RefCell;
use std::marker::PhantomData;
use std::time::Duration;

use crate::behavior::User;
use crate::clock::{Nanos, nanos};

pub(crate) use basics::{clock, ledger, log, metrics, random};
pub use cluster::{instance, workload};
pub(crate) use databases::{redis, sql};
pub use databases::{row, rows};
pub use http::Answer;
pub use observations::{fault_seen, outage_seen, totals};

/// All that a fake host knows.
#[derive(Default)]
struct World {
    calls: Vec<String>,
    logged: Vec<String>,
    now: Nanos,
    random: u64,
    http: http::World,
    cluster: cluster::World,
    databases: databases::World,
    feed: feed::World,
    kube: kube::World,
    observations: observations::World,
}

thread_local! {
    static WORLD: RefCell<Option<World>> = const { RefCell::new(None) };
}

/// Does something with the world of this thread's fake host.
fn with<R>(use_it: impl FnOnce(&mut World) -> R) -> R {
    WORLD.with_borrow_mut(|world| match world {
        Some(world) => use_it(world),
        None => panic!("a plugin called its host, but the test started none: `FakeHost::start()`"),
    })
}

/// Records a call, as `FakeHost::calls` lists it.
fn record(call: impl Into<String>) {
    with(|world| world.calls.push(call.into()));
}

/// The host that this thread's plugins talk to until it is dropped.
#[derive(Debug)]
#[must_use = "the fake host stops when it is dropped"]
pub struct FakeHost {
    /// It belongs to the thread that started it.
    thread: PhantomData<*const ()>,
}

impl FakeHost {
    /// Starts a host that knows nothing yet. Its clock stands at 0 s.
    ///
    /// # Panics
    ///
    /// If this thread has one already.
    pub fn start() -> FakeHost {
        WORLD.with_borrow_mut(|world| {
            assert!(world.is_none(), "this thread has a fake host already");
            *world = Some(World::default());
        });
        FakeHost { thread: PhantomData }
    }

    /// Every call so far but those of `log`, `clock` and `random`, a line each, e.g.
    /// `cluster.terminate pg-0 crash hold`.
    pub fn calls(&self) -> Vec<String> {
        with(|world| world.calls.clone())
    }

    /// Forgets the calls so far.
    pub fn forget_calls(&self) {
        with(|world| world.calls.clear());
    }

    /// Every line written to the log, behind its level: `warn: …`.
    pub fn logged(&self) -> Vec<String> {
        with(|world| world.logged.clone())
    }

    /// Moves the clock on.
    pub fn pass(&self, duration: Duration) {
        with(|world| world.now += nanos(duration));
    }

    /// A virtual user of the run `run`, whose target is `http://target.test`.
    pub fn user(&self, ordinal: u64) -> User {
        User { id: ordinal, ordinal, run: "run".to_owned(), base_url: "http://target.test".to_owned() }
    }
}

impl Drop for FakeHost {
    fn drop(&mut self) {
        WORLD.with_borrow_mut(|world| *world = None);
    }
}
