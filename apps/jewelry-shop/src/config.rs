//! The command line. Every flag can also be given by the environment variable that `--help` names,
//! so that an instance can be described without a shell.

use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};

/// A multi-tenant jewelry shop over PostgreSQL and Redis, to be put under test.
#[derive(Debug, Parser)]
#[command(name = "jewelry-shop", version)]
pub(crate) struct Arguments {
    /// What this process does.
    #[command(subcommand)]
    pub(crate) mode: Mode,

    /// Where PostgreSQL is.
    #[command(flatten)]
    pub(crate) database: DatabaseOptions,

    /// Where Redis is.
    #[command(flatten)]
    pub(crate) redis: RedisOptions,

    /// What a new database is filled with.
    #[command(flatten)]
    pub(crate) catalogue: CatalogueOptions,

    /// Threads that answer requests.
    #[arg(long, env = "SHOP_THREADS", default_value = "2", global = true)]
    pub(crate) threads: NonZeroUsize,
}

/// The modes of the program.
#[derive(Debug, Subcommand)]
pub(crate) enum Mode {
    /// Answer browsers.
    Web(WebOptions),
    /// Take jobs from the queue: sales reports and stock alerts.
    Worker(WorkerOptions),
    /// Put periodic jobs into the queue.
    Scheduler(SchedulerOptions),
    /// Make the tables and fill them, unless that was done before; then exit.
    Seed,
}

/// How the web mode listens and keeps its state.
#[derive(Debug, Args)]
pub(crate) struct WebOptions {
    /// The address to listen on.
    #[arg(long, env = "SHOP_LISTEN", default_value = "0.0.0.0:8000")]
    pub(crate) listen: SocketAddr,

    /// Make and fill the tables first, as `seed` does; not ready until that is done.
    #[arg(long, env = "SHOP_MIGRATE")]
    pub(crate) migrate: bool,

    /// How long a session lives in Redis.
    #[arg(long, env = "SHOP_SESSION_TTL", default_value = "12h")]
    pub(crate) session_ttl: Span,

    /// How long totals and first pages are served from the cache; 0s turns the cache off.
    #[arg(long, env = "SHOP_CACHE_TTL", default_value = "5s")]
    pub(crate) cache_ttl: Span,

    /// How long requests under way may take after SIGTERM.
    #[arg(long, env = "SHOP_DRAIN", default_value = "10s")]
    pub(crate) drain: Span,
}

/// How the worker mode takes jobs.
#[derive(Debug, Args)]
pub(crate) struct WorkerOptions {
    /// How long a worker may be silent before others take over the jobs it had begun.
    #[arg(long, env = "SHOP_WORKER_LEASE", default_value = "15s")]
    pub(crate) lease: Span,
}

/// How often the scheduler mode enqueues.
#[derive(Debug, Args)]
pub(crate) struct SchedulerOptions {
    /// Time between two stock-alert jobs of a tenant.
    #[arg(long, env = "SHOP_SCHEDULE_EVERY", default_value = "30s")]
    pub(crate) every: Span,
}

/// Where PostgreSQL is and how long to wait for it.
#[derive(Debug, Clone, Args)]
pub(crate) struct DatabaseOptions {
    /// Host of PostgreSQL, or of a proxy that leads to its primary.
    #[arg(long, env = "DATABASE_HOST", default_value = "127.0.0.1", global = true)]
    pub(crate) database_host: String,

    /// Port of PostgreSQL or of the proxy.
    #[arg(long, env = "DATABASE_PORT", default_value = "5432", global = true)]
    pub(crate) database_port: u16,

    /// Name of the database.
    #[arg(long, env = "DATABASE_NAME", default_value = "shop", global = true)]
    pub(crate) database_name: String,

    /// Role to sign in as.
    #[arg(long, env = "DATABASE_USER", default_value = "shop", global = true)]
    pub(crate) database_user: String,

    /// Password of the role.
    #[arg(long, env = "DATABASE_PASSWORD", hide_env_values = true, global = true)]
    pub(crate) database_password: Option<Secret>,

    /// File that holds the password of the role.
    #[arg(long, env = "DATABASE_PASSWORD_FILE", conflicts_with = "database_password", global = true)]
    pub(crate) database_password_file: Option<PathBuf>,

    /// Connections that this process holds at most.
    #[arg(long, env = "DATABASE_POOL_SIZE", default_value = "8", global = true)]
    pub(crate) database_pool_size: NonZeroUsize,

    /// How long a request waits for a free connection before it is answered 503.
    #[arg(long, env = "DATABASE_POOL_WAIT", default_value = "500ms", global = true)]
    pub(crate) database_pool_wait: Span,

    /// How long connecting, signing in included, may take.
    #[arg(long, env = "DATABASE_CONNECT_TIMEOUT", default_value = "1s", global = true)]
    pub(crate) database_connect_timeout: Span,

    /// How long the server may work on one statement.
    #[arg(long, env = "DATABASE_STATEMENT_TIMEOUT", default_value = "2s", global = true)]
    pub(crate) database_statement_timeout: Span,

    /// How long this process waits for any answer; longer than the statement timeout, so that
    /// only a server that does not answer at all is taken for dead.
    #[arg(long, env = "DATABASE_QUERY_TIMEOUT", default_value = "2500ms", global = true)]
    pub(crate) database_query_timeout: Span,

    /// Time between two attempts while the database is away.
    #[arg(long, env = "DATABASE_RETRY_EVERY", default_value = "250ms", global = true)]
    pub(crate) database_retry_every: Span,
}

impl DatabaseOptions {
    /// The password, from wherever it was given.
    pub(crate) fn password(&self) -> anyhow::Result<Option<String>> {
        if let Some(path) = &self.database_password_file {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("failed to read the password file {}", path.display()))?;
            return Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()));
        }
        Ok(self.database_password.as_ref().map(|secret| secret.0.clone()))
    }
}

/// Where Redis is and how long to wait for it.
#[derive(Debug, Clone, Args)]
pub(crate) struct RedisOptions {
    /// Redis, or a proxy that leads to its master.
    #[arg(
        long,
        env = "REDIS_URL",
        default_value = "redis://127.0.0.1:6379/0",
        hide_env_values = true,
        global = true
    )]
    pub(crate) redis_url: Secret,

    /// Sentinels to ask for the master, as host:port, separated by commas; the host and port of
    /// the URL are then not used.
    #[arg(long, env = "REDIS_SENTINELS", value_delimiter = ',', global = true)]
    pub(crate) redis_sentinels: Vec<String>,

    /// The name under which the Sentinels watch the master.
    #[arg(long, env = "REDIS_MASTER", default_value = "mymaster", global = true)]
    pub(crate) redis_master: String,

    /// How long Redis may take to answer.
    #[arg(long, env = "REDIS_TIMEOUT", default_value = "1s", global = true)]
    pub(crate) redis_timeout: Span,
}

/// What a new database is filled with.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct CatalogueOptions {
    /// Shops in the database.
    #[arg(long, env = "SHOP_TENANTS", default_value = "3", global = true)]
    pub(crate) tenants: u16,

    /// Products of each shop.
    #[arg(long, env = "SHOP_PRODUCTS", default_value = "400", global = true)]
    pub(crate) products: u32,

    /// Customers of each shop.
    #[arg(long, env = "SHOP_CUSTOMERS", default_value = "200", global = true)]
    pub(crate) customers: u32,

    /// Past sales of each shop.
    #[arg(long, env = "SHOP_PAST_SALES", default_value = "300", global = true)]
    pub(crate) past_sales: u32,

    /// Staff of each shop, beside its owner.
    #[arg(long, env = "SHOP_STAFF", default_value = "40", global = true)]
    pub(crate) staff: u16,
}

/// A length of time as people write it: `250ms`, `2s`, `5m`, `12h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span(pub(crate) Duration);

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unit_at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(unit_at);
        let wrong = || format!("`{text}` is not a duration such as 250ms, 2s, 5m or 12h");
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let milliseconds = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return Err(wrong()),
        };
        number.checked_mul(milliseconds).map(|total| Self(Duration::from_millis(total))).ok_or_else(wrong)
    }
}

/// A value that never shows in logs.
#[derive(Clone)]
pub(crate) struct Secret(pub(crate) String);

impl FromStr for Secret {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_a_number_and_a_unit() {
        assert_eq!("250ms".parse(), Ok(Span(Duration::from_millis(250))));
        assert_eq!("12h".parse(), Ok(Span(Duration::from_secs(43_200))));
        for wrong in ["", "5", "s", "-1s", "1.5s", "1d", "99999999999999999999s"] {
            assert!(wrong.parse::<Span>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn secrets_do_not_show() {
        assert_eq!(format!("{:?}", Secret("hush".to_owned())), "***");
    }

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory as _;
        Arguments::command().debug_assert();
    }
}
