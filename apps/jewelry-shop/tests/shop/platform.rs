//! A PostgreSQL, a Redis and shops over them, all of one test's own.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio_postgres::NoTls;

use crate::{browser::Browser, root};

/// Long enough for a busy machine, short enough for a test that fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// A process that ends with its owner.
#[derive(Debug)]
pub(crate) struct Process(Child);

impl Process {
    fn start(command: &mut Command) -> Self {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        Self(child.unwrap_or_else(|error| panic!("failed to start {command:?}: {error}")))
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let _ = kill_process(pid(self.0.id()), signal);
    }

    /// Waits for the end, and says whether it was a success.
    pub(crate) async fn ended(&mut self) -> bool {
        let started = Instant::now();
        loop {
            match self.0.try_wait().expect("the process is ours") {
                Some(status) => return status.success(),
                None if started.elapsed() > PATIENCE => panic!("{:?} does not end", self.0),
                None => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What the shops of one test stand on.
#[derive(Debug)]
pub(crate) struct Platform {
    home: TempDir,
    pub(crate) postgres_port: u16,
    pub(crate) redis_port: u16,
    postgres: Option<Process>,
    redis: Option<Process>,
    /// PgBouncer and its port, if the shop reaches the database through it.
    pgbouncer: Option<(Process, u16)>,
}

impl Platform {
    /// A platform that runs.
    pub(crate) async fn start() -> Self {
        let mut platform = Self::prepare();
        platform.start_postgres().await;
        platform.start_redis().await;
        platform
    }

    /// A platform on which nothing runs yet.
    pub(crate) fn prepare() -> Self {
        let home = TempDir::new().expect("a temporary directory");
        let open = std::fs::Permissions::from_mode(0o711);
        std::fs::set_permissions(home.path(), open).expect("the directory is ours");
        let data = home.path().join("postgres");
        run(root::command(home.path(), "initdb")
            .args(["--auth=trust", "--username=shop", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8"])
            .arg("--pgdata")
            .arg(&data));
        Self {
            home,
            postgres_port: free_port(),
            redis_port: free_port(),
            postgres: None,
            redis: None,
            pgbouncer: None,
        }
    }

    pub(crate) async fn start_postgres(&mut self) {
        let data = self.home.path().join("postgres");
        let mut command = root::command(self.home.path(), "postgres");
        command.arg("-D").arg(&data).arg("-k").arg(&data);
        command.arg("-p").arg(self.postgres_port.to_string());
        for setting in ["listen_addresses=127.0.0.1", "fsync=off", "log_min_messages=fatal"] {
            command.args(["-c", setting]);
        }
        self.postgres = Some(Process::start(command.stderr(Stdio::null())));
        until("postgres answers", async || self.try_sql("SELECT 1").await.is_ok()).await;
    }

    /// Puts PgBouncer before the database of shops that start from now on.
    pub(crate) async fn start_pgbouncer(&mut self) {
        let port = free_port();
        let settings = self.home.path().join("pgbouncer.ini");
        let text = format!(
            "[databases]\npostgres = host=127.0.0.1 port={} user=shop\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
             auth_type = any\npool_mode = transaction\nserver_login_retry = 1\n\
             ignore_startup_parameters = extra_float_digits\n",
            self.postgres_port
        );
        std::fs::write(&settings, text).expect("the directory is ours");
        let mut command = root::command(self.home.path(), "pgbouncer");
        self.pgbouncer = Some((Process::start(command.arg("--quiet").arg(&settings)), port));
        until("pgbouncer listens", async || {
            tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok()
        })
        .await;
    }

    pub(crate) async fn start_redis(&mut self) {
        let mut command = root::command(self.home.path(), "redis-server");
        command.arg("--port").arg(self.redis_port.to_string());
        command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        command.arg("--dir").arg(self.home.path());
        self.redis = Some(Process::start(&mut command));
        until("redis answers", async || self.redis(&redis::cmd("PING")).await.is_ok()).await;
    }

    /// Ends the database without a word to its clients, and leaves it recoverable.
    pub(crate) async fn crash_postgres(&mut self) {
        let mut postgres = self.postgres.take().expect("it runs");
        postgres.signal(Signal::QUIT);
        postgres.ended().await;
    }

    /// Lets no new session in, and ends those that there are but for the one that is given, which keeps the
    /// database from ending altogether.
    pub(crate) async fn close_postgres(&self, last: &tokio_postgres::Client) {
        self.postgres.as_ref().expect("it runs").signal(Signal::TERM);
        until("sessions are refused", async || self.session().await.is_err()).await;
        let others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                      WHERE usename IS NOT NULL AND pid <> pg_backend_pid()";
        last.simple_query(others).await.expect("the last session goes on");
    }

    /// Waits until PgBouncer no longer lets clients wait for a server.
    pub(crate) async fn pgbouncer_gives_up(&self) {
        let (_, port) = self.pgbouncer.as_ref().expect("it runs");
        let target = format!("host=127.0.0.1 port={port} user=shop dbname=postgres");
        until("pgbouncer has failed to sign in", async || {
            let Ok((client, connection)) = tokio_postgres::connect(&target, NoTls).await else {
                return false;
            };
            let connection = tokio::spawn(connection);
            let answer =
                tokio::time::timeout(Duration::from_millis(500), client.simple_query("SELECT 1")).await;
            connection.abort();
            matches!(answer, Ok(Err(error)) if error.as_db_error().is_some())
        })
        .await;
    }

    pub(crate) async fn stop_redis(&mut self) {
        drop(self.redis.take().expect("it runs"));
    }

    /// Stops the processes of the database in their tracks, or lets them go on. Their sockets
    /// stay open and the kernel goes on accepting for them: only silence tells.
    pub(crate) fn freeze_postgres(&self, is_frozen: bool) {
        let signal = if is_frozen { Signal::STOP } else { Signal::CONT };
        let postgres = self.postgres.as_ref().expect("it runs");
        postgres.signal(signal);
        for child in children(postgres.0.id()) {
            let _ = kill_process(pid(child), signal);
        }
    }

    pub(crate) fn freeze_redis(&self, is_frozen: bool) {
        let signal = if is_frozen { Signal::STOP } else { Signal::CONT };
        self.redis.as_ref().expect("it runs").signal(signal);
    }

    /// Runs statements as the owner of the database.
    pub(crate) async fn sql(&self, sql: &str) -> Vec<String> {
        self.try_sql(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"))
    }

    async fn try_sql(&self, sql: &str) -> Result<Vec<String>, tokio_postgres::Error> {
        let client = self.session().await?;
        let rows = client.simple_query(sql).await?;
        Ok(rows
            .iter()
            .filter_map(|message| match message {
                tokio_postgres::SimpleQueryMessage::Row(row) => {
                    Some(row.get(0).unwrap_or_default().to_owned())
                }
                _ => None,
            })
            .collect())
    }

    /// A session of one's own, beside the shop's.
    pub(crate) async fn session(&self) -> Result<tokio_postgres::Client, tokio_postgres::Error> {
        let target = format!("host=127.0.0.1 port={} user=shop dbname=postgres", self.postgres_port);
        let (client, connection) = tokio_postgres::connect(&target, NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }

    /// Runs one command in Redis.
    pub(crate) async fn redis(&self, command: &redis::Cmd) -> redis::RedisResult<redis::Value> {
        let client = redis::Client::open(("127.0.0.1", self.redis_port))?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        command.query_async(&mut connection).await
    }

    /// Starts the shop in some mode.
    pub(crate) fn shop(&self, arguments: &[&str]) -> Process {
        let database_port = self.pgbouncer.as_ref().map_or(self.postgres_port, |(_, port)| *port);
        let mut command = Command::new(env!("CARGO_BIN_EXE_jewelry-shop"));
        // The settings of whoever runs the tests must not reach the shop.
        command
            .env_clear()
            .args(arguments)
            .env("DATABASE_HOST", "127.0.0.1")
            .env("DATABASE_PORT", database_port.to_string())
            .env("DATABASE_NAME", "postgres")
            .env("DATABASE_USER", "shop")
            .env("REDIS_URL", format!("redis://127.0.0.1:{}/0", self.redis_port))
            .env("SHOP_STAFF", "3")
            .env("SHOP_CACHE_TTL", "0s");
        Process::start(&mut command)
    }

    /// Starts a web shop and waits until it is ready.
    pub(crate) async fn web(&self) -> (Process, String) {
        let (process, origin) = self.web_unready(&[]);
        Browser::new(&origin).until_ready().await;
        (process, origin)
    }

    /// Starts a web shop.
    pub(crate) fn web_unready(&self, more: &[&str]) -> (Process, String) {
        let address = format!("127.0.0.1:{}", free_port());
        let process = self.shop(&[&["web", "--migrate", "--listen", &address], more].concat());
        (process, format!("http://{address}"))
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        if self.postgres.is_some() {
            self.freeze_postgres(false);
            // An immediate shutdown takes the children along, which a kill would orphan.
            let postgres = self.postgres.take().expect("it was there just now");
            postgres.signal(Signal::QUIT);
            let mut postgres = postgres;
            let _ = postgres.0.wait();
        }
    }
}

/// Polls until something is so.
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !is_so().await {
        assert!(started.elapsed() < PATIENCE, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {text}");
}

fn pid(number: u32) -> Pid {
    i32::try_from(number).ok().and_then(Pid::from_raw).expect("a process id")
}

fn children(parent: u32) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").expect("there is a /proc");
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok())
        .filter(|number| {
            let stat = std::fs::read_to_string(format!("/proc/{number}/stat")).unwrap_or_default();
            // The name, in parentheses, may hold anything; the parent is the second field after.
            let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
            fields.split_whitespace().nth(1).and_then(|field| field.parse().ok()) == Some(parent)
        })
        .collect()
}

/// A port that nobody listens on.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    listener.local_addr().expect("it is bound").port()
}
