//! SQL over PostgreSQL's protocol, on one instance's own address.
//!
//! Work on a connection runs on tasks of its own, off the guest's fiber.

mod decode;
mod parameter;
#[cfg(test)]
mod server;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use assay_bindings::imports::{
    sql::{Host, Rows, Target, Value},
    types::Failure,
};
use futures::TryStreamExt;
use tokio::net::TcpStream;
use tokio_postgres::{Client, Config, NoTls, error::SqlState, types::Type};

use super::{failure::from_environment, reach::Reach, view::With};
use crate::config::Credential;
use parameter::Parameter;

const LONGEST: Duration = Duration::from_secs(10);
const MOST_ROWS: usize = 1_000;
const LONGEST_STATEMENT: usize = 64 << 10;

/// A fault's reach, and the connection that its last query used.
pub(crate) struct Sql {
    pub(crate) reach: Arc<Reach>,
    kept: Option<(Endpoint, Client)>,
}

/// What a connection is for. The instance's uid is in it: one that was recreated under the same name
/// is another.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Endpoint {
    uid: String,
    address: SocketAddr,
    database: String,
    credentials: String,
}

impl Sql {
    pub(crate) fn new(reach: Arc<Reach>) -> Self {
        Self { reach, kept: None }
    }

    async fn query(
        &mut self,
        target: Target,
        statement: String,
        parameters: Vec<Value>,
    ) -> Result<Rows, Failure> {
        if statement.len() > LONGEST_STATEMENT {
            let length = statement.len();
            return Err(Failure::Invalid(format!(
                "a statement of {length} bytes; at most {LONGEST_STATEMENT} are allowed"
            )));
        }
        let reach = Arc::clone(&self.reach);
        let instance = reach.instance(&reach.sql, &target.instance).await?;
        let credential = reach.credential(&target.credentials)?;
        let address = reach.environment.endpoint(&target.instance, target.port).await;
        let endpoint = Endpoint {
            uid: instance.uid,
            address: address.map_err(from_environment)?,
            database: target.database,
            credentials: target.credentials,
        };
        let client = match self.kept.take() {
            Some((kept, client)) if kept == endpoint && !client.is_closed() => client,
            _ => connect(&endpoint, credential).await?,
        };
        let asking = tokio::spawn(async move {
            let answer = ask(&client, &statement, parameters).await;
            (client, answer)
        });
        let (client, answer) =
            asking.await.map_err(|error| Failure::Other(format!("the query broke off: {error}")))?;
        self.kept = Some((endpoint, client));
        answer
    }
}

impl Host for With<'_, Sql> {
    async fn query(
        &mut self,
        target: Target,
        statement: String,
        parameters: Vec<Value>,
    ) -> wasmtime::Result<Result<Rows, Failure>> {
        let timeout = self.sandbox.time_for(LONGEST);
        let whom = format!("{} on '{}'", target.database, target.instance);
        let answer = tokio::time::timeout(timeout, self.own.query(target, statement, parameters)).await;
        Ok(answer.unwrap_or_else(|_| Err(Failure::TimedOut(format!("{whom} did not answer in {timeout:?}")))))
    }
}

async fn connect(endpoint: &Endpoint, credential: &Credential) -> Result<Client, Failure> {
    let address = endpoint.address;
    let mut config = Config::new();
    config
        .user(&credential.user)
        .password(&credential.password.0)
        .dbname(&endpoint.database)
        .application_name("assay");
    let connecting = tokio::spawn(async move {
        let stream = TcpStream::connect(address)
            .await
            .map_err(|error| Failure::Unreachable(format!("{address}: {error}")))?;
        let (client, connection) =
            config.connect_raw(stream, NoTls).await.map_err(|error| failure(&error))?;
        // Ends with the client; why it ended is told by the query that it ended under.
        tokio::spawn(connection);
        Ok(client)
    });
    connecting.await.unwrap_or_else(|error| Err(Failure::Other(format!("connecting broke off: {error}"))))
}

/// Parses, binds and executes in one round trip, without a name: a pooler that gives every transaction another
/// session has forgotten a prepared statement by the time it is executed.
async fn ask(client: &Client, statement: &str, parameters: Vec<Value>) -> Result<Rows, Failure> {
    let parameters: Vec<_> = parameters.into_iter().map(|value| (Parameter(value), Type::UNKNOWN)).collect();
    let answer = client.query_typed_raw(statement, parameters).await.map_err(|error| failure(&error))?;
    let mut answer = std::pin::pin!(answer);
    let (mut columns, mut rows) = (Vec::new(), Vec::new());
    while let Some(row) = answer.try_next().await.map_err(|error| failure(&error))? {
        if rows.len() == MOST_ROWS {
            return Err(Failure::Invalid(format!("more than the {MOST_ROWS} rows that are allowed")));
        }
        if rows.is_empty() {
            columns = row.columns().iter().map(|column| column.name().to_owned()).collect();
        }
        rows.push(decode::row(&row)?);
    }
    Ok(Rows { columns, rows })
}

fn failure(error: &tokio_postgres::Error) -> Failure {
    let Some(reason) = error.as_db_error() else {
        let mut text = error.to_string();
        if let Some(cause) = std::error::Error::source(error) {
            text.push_str(&format!(": {cause}"));
        }
        // A parameter that cannot be written is the statement's fault, not the connection's.
        return match error.is_closed() || !text.starts_with("error serializing") {
            true => Failure::Unreachable(text),
            false => Failure::Invalid(text),
        };
    };
    let code = reason.code();
    let text = format!("{} (SQLSTATE {})", reason.message(), code.code());
    match *code {
        SqlState::QUERY_CANCELED => Failure::TimedOut(text),
        SqlState::READ_ONLY_SQL_TRANSACTION => Failure::Conflict(text),
        // So a server calls it when there are fewer parameters than the statement has.
        SqlState::PROTOCOL_VIOLATION => Failure::Invalid(text),
        _ => match &code.code()[..2] {
            // Connection exceptions, operator intervention, insufficient resources.
            "08" | "57" | "53" => Failure::Unreachable(text),
            // State that forbids it: prerequisites, transactions rolled back.
            "55" | "40" | "25" => Failure::Conflict(text),
            // Data, authorization, syntax.
            "22" | "23" | "26" | "28" | "42" | "3D" => Failure::Invalid(text),
            _ => Failure::Other(text),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    fn endpoint(address: SocketAddr) -> Endpoint {
        Endpoint {
            uid: "1".to_owned(),
            address,
            database: "postgres".to_owned(),
            credentials: "admin".to_owned(),
        }
    }

    fn credential() -> Credential {
        Credential { user: "postgres".to_owned(), password: Secret("secret".to_owned()) }
    }

    #[tokio::test]
    async fn a_closed_port_is_unreachable() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        drop(listener);
        let refused = connect(&endpoint(address), &credential()).await.map(drop);
        assert!(matches!(refused, Err(Failure::Unreachable(_))), "{refused:?}");
    }

    #[tokio::test]
    async fn a_server_that_hangs_up_is_unreachable() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                drop(stream);
            }
        });
        let broken = connect(&endpoint(address), &credential()).await.map(drop);
        assert!(matches!(broken, Err(Failure::Unreachable(_))), "{broken:?}");
    }

    /// Connects once the server answers.
    async fn connected(server: &server::Server) -> Client {
        let give_up = std::time::Instant::now() + Duration::from_secs(30);
        loop {
            match connect(&endpoint(server.address), &credential()).await {
                Ok(client) => return client,
                Err(failure) => assert!(std::time::Instant::now() < give_up, "{failure:?}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    #[tokio::test]
    async fn a_server_answers_typed_values_and_named_errors() {
        let server = server::Server::start();
        let client = connected(&server).await;
        let text = |text: &str| Value::Text(text.to_owned());
        let integer = |number: i64| Value::Integer(number.to_string());
        let rows = ask(
            &client,
            "select 1::int2, $1::int8 + 1, $2::numeric * 2, $3::text, $4::bool, null::text, \
             2.5::float8, '2026-01-02 03:04:05Z'::timestamptz, '1/2A'::pg_lsn, '{}'::jsonb",
            vec![integer(41), text("1.25"), text("it's"), Value::Boolean(true)],
        );
        let rows = rows.await.expect("answers");
        let expected = vec![
            integer(1),
            integer(42),
            text("2.50"),
            text("it's"),
            Value::Boolean(true),
            Value::Null,
            Value::Float(2.5),
            text("2026-01-02T03:04:05Z"),
            text("1/2A"),
            text("{}"),
        ];
        assert_eq!(rows.rows, [expected]);

        let failed = |statement: &'static str, parameters: Vec<Value>| {
            let client = &client;
            async move { ask(client, statement, parameters).await.expect_err("fails") }
        };
        assert!(matches!(failed("selec 1", vec![]).await, Failure::Invalid(_)));
        assert!(matches!(failed("select $1::int4", vec![]).await, Failure::Invalid(_)));
        assert!(matches!(failed("select 1", vec![text("x")]).await, Failure::Invalid(_)));
        assert!(matches!(failed("select $1::int4", vec![text("x")]).await, Failure::Invalid(_)));
        assert!(matches!(
            failed("select * from generate_series(1, 1001)", vec![]).await,
            Failure::Invalid(_)
        ));
        let Failure::Invalid(cast) = failed("select now() - now() as age", vec![]).await else {
            panic!("read")
        };
        assert_eq!(cast, "column 'age' is of type interval; cast it to text: age::text");
        ask(&client, "set default_transaction_read_only = on", vec![]).await.expect("sets");
        assert!(matches!(failed("create table t (a int)", vec![]).await, Failure::Conflict(_)));
        let prepared = ask(&client, "select count(*) from pg_prepared_statements", vec![]).await;
        assert_eq!(prepared.expect("answers").rows, [[integer(0)]], "what has no name is not kept");
        let dead = failed("select pg_terminate_backend(pg_backend_pid())", vec![]).await;
        assert!(matches!(dead, Failure::Unreachable(_)), "{dead:?}");
    }
}
