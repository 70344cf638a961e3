//! The connection to Redis: one, shared by all requests, and made anew in the background when it
//! is lost. While it is away every use of it is refused at once.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ConnectionInfo, ErrorKind, FromRedisValue,
    IntoConnectionInfo as _, RedisError, ServerErrorKind,
};
use tokio::sync::watch;

use crate::config::RedisOptions;

/// Time between two attempts while Redis is away.
const RETRY_EVERY: Duration = Duration::from_millis(200);

/// How long a command that met a dead connection waits for a new one before it gives up.
const PATIENCE: Duration = Duration::from_millis(200);

/// A failed use of Redis.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// There is no connection.
    #[error("redis is away")]
    Away,
    /// Redis refused the command.
    #[error("redis refused: {0}")]
    Refused(RedisError),
}

/// A handle on Redis; clones share one connection.
#[derive(Debug, Clone)]
pub(crate) struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    dial: Dial,
    link: watch::Sender<Link>,
}

/// The connection, if there is one. The number grows with each new one.
#[derive(Clone)]
struct Link {
    number: u64,
    connection: Option<MultiplexedConnection>,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("number", &self.number).field("up", &self.connection.is_some()).finish()
    }
}

impl Store {
    /// Starts connecting.
    pub(crate) fn new(options: &RedisOptions) -> anyhow::Result<Self> {
        let inner = Inner {
            dial: Dial::new(options)?,
            link: watch::Sender::new(Link { number: 0, connection: None }),
        };
        let store = Self(Arc::new(inner));
        tokio::spawn(store.clone().reconnect());
        Ok(store)
    }

    /// How to make connections of one's own, for commands that block.
    pub(crate) fn dial(&self) -> &Dial {
        &self.0.dial
    }

    /// Runs a command. If the connection turns out to be cut, and a new one is there within a moment, the
    /// command is sent again: commands must bear being done twice.
    pub(crate) async fn run<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, StoreError> {
        let link = self.0.link.borrow().clone();
        let Some(mut connection) = link.connection else {
            return Err(StoreError::Away);
        };
        let error = match command.query_async(&mut connection).await {
            Ok(value) => return Ok(value),
            Err(error) if is_outage(&error) => error,
            Err(error) => return Err(StoreError::Refused(error)),
        };
        self.lose(link.number, &error);
        if error.is_timeout() {
            return Err(StoreError::Away);
        }
        let mut news = self.0.link.subscribe();
        let renewed = tokio::time::timeout(PATIENCE, news.wait_for(|l| l.connection.is_some()));
        let Ok(Ok(link)) = renewed.await.map(|r| r.map(|l| l.clone())) else {
            return Err(StoreError::Away);
        };
        let Some(mut connection) = link.connection else {
            return Err(StoreError::Away);
        };
        match command.query_async(&mut connection).await {
            Ok(value) => Ok(value),
            Err(error) if is_outage(&error) => {
                self.lose(link.number, &error);
                Err(StoreError::Away)
            }
            Err(error) => Err(StoreError::Refused(error)),
        }
    }

    /// Gives up the connection of that number, and starts making another unless that was done.
    fn lose(&self, number: u64, why: &RedisError) {
        let mine = self.0.link.send_if_modified(|link| {
            let current = link.number == number && link.connection.is_some();
            if current {
                link.connection = None;
            }
            current
        });
        if mine {
            tracing::warn!("redis away: {why}");
            tokio::spawn(self.clone().reconnect());
        }
    }

    async fn reconnect(self) {
        let since = std::time::Instant::now();
        loop {
            match self.0.dial.connect(self.0.dial.timeout).await {
                Ok(connection) => {
                    self.0.link.send_modify(|link| {
                        link.number += 1;
                        link.connection = Some(connection);
                    });
                    tracing::info!("redis connected after {:.1} s", since.elapsed().as_secs_f64());
                    return;
                }
                Err(error) => tracing::debug!("redis still away: {error}"),
            }
            tokio::time::sleep(RETRY_EVERY).await;
        }
    }
}

/// How connections are made.
#[derive(Debug)]
pub(crate) struct Dial {
    target: ConnectionInfo,
    sentinels: Vec<Client>,
    master: String,
    timeout: Duration,
}

impl Dial {
    fn new(options: &RedisOptions) -> anyhow::Result<Self> {
        let sentinels = options
            .redis_sentinels
            .iter()
            .map(|address| Client::open(format!("redis://{address}")))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            target: options.redis_url.0.as_str().into_connection_info()?,
            sentinels,
            master: options.redis_master.clone(),
            timeout: options.redis_timeout.0,
        })
    }

    /// Connects to the master, and makes sure that it is one.
    pub(crate) async fn connect(
        &self,
        response_timeout: Duration,
    ) -> Result<MultiplexedConnection, RedisError> {
        let target = match self.sentinels.as_slice() {
            [] => self.target.clone(),
            sentinels => {
                let address = self.ask(sentinels).await?;
                self.target.clone().set_addr(address)
            }
        };
        let mut connection = Client::open(target)?
            .get_multiplexed_async_connection_with_config(&self.limits(self.timeout))
            .await?;
        let role: (String,) = {
            let answer: Vec<redis::Value> = redis::cmd("ROLE").query_async(&mut connection).await?;
            let first = answer.into_iter().next().unwrap_or(redis::Value::Nil);
            (redis::from_redis_value(first)?,)
        };
        if role.0 != "master" {
            return Err((ErrorKind::Server(ServerErrorKind::ReadOnly), "not the master").into());
        }
        connection.set_response_timeout(response_timeout);
        Ok(connection)
    }

    /// Asks one Sentinel after the other where the master is.
    async fn ask(&self, sentinels: &[Client]) -> Result<ConnectionAddr, RedisError> {
        let mut last = RedisError::from((ErrorKind::Io, "no sentinel knows the master"));
        for sentinel in sentinels {
            let answer: Result<Option<(String, u16)>, RedisError> = async {
                let mut connection =
                    sentinel.get_multiplexed_async_connection_with_config(&self.limits(self.timeout)).await?;
                redis::cmd("SENTINEL")
                    .arg("get-master-addr-by-name")
                    .arg(&self.master)
                    .query_async(&mut connection)
                    .await
            }
            .await;
            match answer {
                Ok(Some((host, port))) => return Ok(ConnectionAddr::Tcp(host, port)),
                Ok(None) => {}
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn limits(&self, response: Duration) -> AsyncConnectionConfig {
        AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.timeout))
            .set_response_timeout(Some(response))
    }
}

/// Whether the answer speaks of the connection or the server, not of the command.
pub(crate) fn is_outage(error: &RedisError) -> bool {
    error.is_io_error()
        || error.is_timeout()
        || error.is_connection_dropped()
        || error.is_unrecoverable_error()
        || matches!(
            error.kind(),
            ErrorKind::Server(
                ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown | ServerErrorKind::BusyLoading
            )
        )
}
