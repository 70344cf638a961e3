//! The binary: reads the command line, sets up logging and the runtime, and starts one mode.
//!
//! The shop is one program with several modes, as the platforms it stands for are: `web` answers
//! browsers, `worker` takes jobs from a queue, `scheduler` puts periodic jobs there, `seed` makes
//! the tables and fills them. They share the database and Redis and nothing else, so that any of
//! them can be killed, restarted or multiplied at any moment.
//!
//! # Layout
//!
//! - `config`: the command line and the environment.
//! - `data`: the connection to PostgreSQL: pool, time limits, circuit, kinds of failure.
//! - `store`: the connection to Redis, and what is kept there: sessions, cached fragments, jobs.
//! - `schema`, `seed`: tables and what they start with.
//! - `sale`: the one write that must never be lost.
//! - `web`: pages, forms and endpoints.
//! - `worker`, `scheduler`: the modes without a listener.

#![forbid(unsafe_code)]

mod cache;
mod config;
mod csrf;
mod data;
mod html;
mod jobs;
mod money;
mod paging;
mod password;
mod sale;
mod scheduler;
mod schema;
mod seed;
mod session;
mod shutdown;
mod store;
mod web;
mod worker;

use std::process::ExitCode;

use clap::Parser as _;
use tracing_subscriber::EnvFilter;

use crate::config::{Arguments, Mode};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_env_filter(EnvFilter::try_from_env("SHOP_LOG").unwrap_or_else(|_| {
            // The pool's own warnings repeat what the circuit says once, and the server's notices
            // speak of tables that are there already.
            EnvFilter::new("info,deadpool=off,deadpool.postgres=off,tokio_postgres=warn")
        }))
        .init();
    match start(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start(arguments: Arguments) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(arguments.threads.get())
        .enable_all()
        .build()?;
    let result = runtime.block_on(run(arguments));
    // A password hash may still be under way on a blocking thread; nobody waits for it any more.
    runtime.shutdown_background();
    result
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let Arguments { mode, database, redis, catalogue, .. } = arguments;
    match mode {
        Mode::Web(options) => web::serve(options, &database, &redis, catalogue).await,
        Mode::Worker(options) => worker::run(options, &database, &redis).await,
        Mode::Scheduler(options) => scheduler::run(options, &database, &redis).await,
        Mode::Seed => seed::until_done(&database, &catalogue).await,
    }
}
