//! What an author of Assay plugins writes against.
//!
//! A plugin is a WebAssembly component that either is a virtual user ([`Behavior`]), breaks
//! something ([`Fault`]) or judges ([`Assertion`]). Pick the trait, implement it, and say
//! [`export!`]. There is no generated code to look at, and no tool beside cargo and
//! `rustup target add wasm32-unknown-unknown`.
//!
//! ```
//! use assay_sdk::prelude::*;
//! use schemars::JsonSchema;
//! use serde::Deserialize;
//!
//! #[derive(Deserialize, JsonSchema)]
//! #[serde(rename_all = "kebab-case", deny_unknown_fields)]
//! struct Config {
//!     /// How many accounts there are to sign in with.
//!     accounts: u64,
//! }
//!
//! /// Looks at things, and sometimes buys one.
//! struct Visitor {
//!     run: String,
//!     ordinal: u64,
//!     bought: u64,
//! }
//!
//! impl Behavior for Visitor {
//!     type Config = Config;
//!
//!     fn tasks(_: &Config) -> Tasks<Self> {
//!         Tasks::new()
//!             .group("browse", 90, [
//!                 Task::new("list", Self::list).weight(3),
//!                 Task::new("search", Self::search),
//!             ])
//!             .group("buy", 10, [Task::new("buy", Self::buy).writes()])
//!     }
//!
//!     fn start(config: Config, user: User) -> Result<Self> {
//!         let account = format!("user-{}", user.ordinal % config.accounts);
//!         let page = http::get("/login").send()?.expected()?;
//!         let token = page
//!             .capture(r#"name="csrf" value="([^"]+)""#)
//!             .ok_or_else(|| page.fail("no CSRF token"))?;
//!         http::post("/login").form([("user", account), ("csrf", token)]).visit()?;
//!         Ok(Visitor { run: user.run, ordinal: user.ordinal, bought: 0 })
//!     }
//! }
//!
//! impl Visitor {
//!     fn list(&mut self) -> Result<()> {
//!         http::get("/items").visit()
//!     }
//!
//!     fn search(&mut self) -> Result<()> {
//!         let word = random::choose(&["ring", "pearl", "opal"]).unwrap_or(&"ring");
//!         let found = http::get(format!("/items?q={word}")).name("search").send()?.expected()?;
//!         found.check(found.text().contains(word), "results without the word")
//!     }
//!
//!     fn buy(&mut self) -> Result<()> {
//!         self.bought += 1;
//!         let sale = ledger::attempt(format!("{}-{}-{}", self.run, self.ordinal, self.bought));
//!         let answer = http::post("/sales").form([("reference", sale.key())]).send()?;
//!         match answer.status() {
//!             201 => sale.confirm(),
//!             400..=499 => sale.reject(),
//!             _ => {} // It may be there or not, and both are right.
//!         }
//!         answer.expected().map(drop)
//!     }
//! }
//!
//! assay_sdk::export!(behavior Visitor);
//!
//! // Plugins are unit-tested natively, against a fake host.
//! let host = assay_sdk::fake::FakeHost::start();
//! host.http("GET", "/login", 200, r#"<input name="csrf" value="t0ken">"#);
//! host.http("POST", "/login", 200, "welcome");
//! host.http("POST", "/sales", 201, "");
//! let mut visitor = Visitor::start(Config { accounts: 10 }, host.user(3))?;
//! visitor.buy()?;
//! assert!(host.calls().contains(&"ledger.confirm run-3-1".to_owned()));
//! # Ok::<(), assay_sdk::Failure>(())
//! ```
//!
//! # What a guest does not have
//!
//! No files, sockets, threads, environment or clock: `std::time::Instant::now()` panics, `println!`
//! goes nowhere. Use [`clock`], [`random`] and [`log`]. A panic ends the instance; where and why is
//! in the run's log. Crates that ask for entropy through `getrandom` work with this crate's feature
//! `getrandom`.
//!
//! # Layout
//!
//! - The three kinds: [`behavior`], [`fault`], [`assertion`], and their [`config`].
//! - Capabilities, a module each: [`http`], [`feed`], [`ledger`] and [`metrics`] for behaviors; [`http`],
//!   [`cluster`], [`kube`], [`sql`] and [`redis`] for faults; [`observations`] for assertions;
//!   [`log`], [`clock`] and [`random`] (not for assertions: [`log`] only).
//! - [`fake`]: the host that unit tests run against.

pub mod assertion;
pub mod behavior;
#[doc(hidden)]
pub mod bindings;
pub mod clock;
pub mod cluster;
pub mod config;
#[cfg(all(feature = "getrandom", target_arch = "wasm32"))]
mod entropy;
mod export;
mod failure;
#[cfg(not(target_arch = "wasm32"))]
pub mod fake;
pub mod fault;
pub mod feed;
#[doc(hidden)]
pub mod glue;
mod host;
pub mod http;
pub mod kube;
pub mod ledger;
pub mod log;
mod measure;
pub mod metrics;
pub mod numbers;
pub mod observations;
mod panic;
pub mod random;
pub mod redis;
pub mod sql;
mod verdict;

pub use assertion::Assertion;
pub use behavior::Behavior;
pub use failure::{Failure, Result};
pub use fault::Fault;
pub use serde_json;

/// What most plugins use: `use assay_sdk::prelude::*`.
pub mod prelude {
    pub use crate::assertion::{Measure, Moment, Outcome, Verdict};
    pub use crate::behavior::{AuditPage, Task, Tasks, User};
    pub use crate::config::{ConfigError, Cpu, Percent, Period, Rate, Size, Stretch};
    pub use crate::fault::{
        Finding, Forecast, Impact, InjectError, Injected, Recovery, Steps, Strike, Struck, Victim,
    };
    pub use crate::{Assertion, Behavior, Failure, Fault, Result};
    pub use crate::{
        clock, cluster, feed, http, kube, ledger, log, metrics, numbers, observations, random, redis, sql,
    };
}
