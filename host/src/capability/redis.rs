//! Redis' protocol, on one instance's own address.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use assay_bindings::imports::{
    redis::{Host, Item, Target},
    types::Failure,
};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, IntoConnectionInfo, RedisConnectionInfo, RedisError,
    Value, aio::MultiplexedConnection,
};

use super::{failure::from_environment, reach::Reach, view::With};
use crate::config::Credential;

const LONGEST: Duration = Duration::from_secs(10);
const MOST_ARGUMENTS: usize = 1_000;
const LARGEST_COMMAND: usize = 1 << 20;
const MOST_ITEMS: usize = 10_000;

/// A fault's reach, and the connection that its last command used.
pub(crate) struct Redis {
    pub(crate) reach: Arc<Reach>,
    kept: Option<(Endpoint, MultiplexedConnection)>,
}

/// What a connection is for. The instance's uid is in it: one that was recreated under the same name
/// is another.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Endpoint {
    uid: String,
    address: SocketAddr,
    credentials: Option<String>,
}

impl Redis {
    pub(crate) fn new(reach: Arc<Reach>) -> Self {
        Self { reach, kept: None }
    }

    async fn command(&mut self, target: Target, arguments: Vec<String>) -> Result<Vec<Item>, Failure> {
        let size: usize = arguments.iter().map(String::len).sum();
        if arguments.is_empty() || arguments.len() > MOST_ARGUMENTS || size > LARGEST_COMMAND {
            let count = arguments.len();
            return Err(Failure::Invalid(format!(
                "a command of {count} arguments and {size} bytes; allowed are 1 to {MOST_ARGUMENTS}, and 1 MiB"
            )));
        }
        let reach = Arc::clone(&self.reach);
        let instance = reach.instance(&reach.redis, &target.instance).await?;
        let credential = target.credentials.as_deref().map(|name| reach.credential(name)).transpose()?;
        let address = reach.environment.endpoint(&target.instance, target.port).await;
        let endpoint = Endpoint {
            uid: instance.uid,
            address: address.map_err(from_environment)?,
            credentials: target.credentials.clone(),
        };
        // Taken out, so that a command that is given up does not leave its answer to the next one.
        let mut connection = match self.kept.take() {
            Some((kept, connection)) if kept == endpoint => connection,
            _ => connect(&endpoint, credential).await?,
        };
        let asked = endpoint.clone();
        let asking = tokio::spawn(async move {
            let answer = ask(&asked, &mut connection, arguments).await;
            (connection, answer)
        });
        let (connection, answer) =
            asking.await.map_err(|error| Failure::Other(format!("the command broke off: {error}")))?;
        if answer.is_ok() {
            self.kept = Some((endpoint, connection));
        }
        answer
    }
}

impl Host for With<'_, Redis> {
    async fn command(
        &mut self,
        target: Target,
        arguments: Vec<String>,
    ) -> wasmtime::Result<Result<Vec<Item>, Failure>> {
        let timeout = self.sandbox.time_for(LONGEST);
        let whom = target.instance.clone();
        let answer = tokio::time::timeout(timeout, self.own.command(target, arguments)).await;
        Ok(answer
            .unwrap_or_else(|_| Err(Failure::TimedOut(format!("'{whom}' did not answer in {timeout:?}")))))
    }
}

async fn connect(
    endpoint: &Endpoint,
    credential: Option<&Credential>,
) -> Result<MultiplexedConnection, Failure> {
    let mut login = RedisConnectionInfo::default().set_skip_set_lib_name();
    if let Some(Credential { user, password }) = credential {
        // Without a user it is the password of the default one, as before there were users.
        if !user.is_empty() {
            login = login.set_username(user);
        }
        login = login.set_password(&password.0);
    }
    let address = endpoint.address;
    let info = ConnectionAddr::Tcp(address.ip().to_string(), address.port())
        .into_connection_info()
        .map_err(|error| failure(endpoint, &error))?;
    let client = Client::open(info.set_redis_settings(login)).map_err(|error| failure(endpoint, &error))?;
    // The call has a deadline of its own, and a second one would only hide it.
    let config = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
    let endpoint = endpoint.clone();
    let connecting = tokio::spawn(async move {
        let connecting = client.get_multiplexed_async_connection_with_config(&config).await;
        connecting.map_err(|error| failure(&endpoint, &error))
    });
    connecting.await.unwrap_or_else(|error| Err(Failure::Other(format!("connecting broke off: {error}"))))
}

async fn ask(
    endpoint: &Endpoint,
    connection: &mut MultiplexedConnection,
    arguments: Vec<String>,
) -> Result<Vec<Item>, Failure> {
    let mut command = Cmd::new();
    command.arg(arguments);
    let mut items = Vec::new();
    match command.query_async::<Value>(connection).await {
        Ok(value) => flatten(value, &mut items)?,
        Err(error) if is_answer(&error) => items.push(Item::Error(error_text(&error))),
        Err(error) => return Err(failure(endpoint, &error)),
    }
    Ok(items)
}

/// Did the server answer with an error, rather than not at all?
fn is_answer(error: &RedisError) -> bool {
    error.code().is_some() && !error.is_io_error()
}

/// As the server wrote it: `READONLY You can't write against a read only replica.`
fn error_text(error: &RedisError) -> String {
    let code = error.code().unwrap_or("ERR");
    match error.detail() {
        Some(detail) => format!("{code} {detail}"),
        None => code.to_owned(),
    }
}

fn failure(endpoint: &Endpoint, error: &RedisError) -> Failure {
    let text = format!("{}: {error}", endpoint.address);
    match error {
        _ if error.is_timeout() => Failure::TimedOut(text),
        _ if error.is_io_error() || error.is_connection_dropped() => Failure::Unreachable(text),
        _ if error.kind() == redis::ErrorKind::AuthenticationFailed => Failure::Invalid(text),
        _ => Failure::Other(text),
    }
}

/// Nested arrays as their elements in order, depth first.
fn flatten(value: Value, items: &mut Vec<Item>) -> Result<(), Failure> {
    let text = |bytes: Vec<u8>| Item::Text(String::from_utf8_lossy(&bytes).into_owned());
    let item = match value {
        Value::Nil => Item::Nil,
        Value::Int(number) => Item::Integer(number.to_string()),
        Value::BulkString(bytes) => text(bytes),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Item::Text(text),
        Value::Okay => Item::Text("OK".to_owned()),
        Value::Double(number) => Item::Text(number.to_string()),
        Value::Boolean(truth) => Item::Integer(i32::from(truth).to_string()),
        Value::BigNumber(digits) => text(digits),
        Value::ServerError(error) => Item::Error(
            format!("{} {}", error.code(), error.details().unwrap_or_default()).trim_end().to_owned(),
        ),
        Value::Array(values) | Value::Set(values) | Value::Push { data: values, .. } => {
            return values.into_iter().try_for_each(|value| flatten(value, items));
        }
        Value::Map(pairs) => {
            return pairs.into_iter().try_for_each(|(key, value)| {
                flatten(key, items)?;
                flatten(value, items)
            });
        }
        Value::Attribute { data, .. } => return flatten(*data, items),
        other => return Err(Failure::Other(format!("a reply of an unknown kind: {other:?}"))),
    };
    if items.len() == MOST_ITEMS {
        return Err(Failure::Invalid(format!(
            "a reply of more than the {MOST_ITEMS} items that are allowed"
        )));
    }
    items.push(item);
    Ok(())
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
        net::TcpListener,
    };

    use super::*;
    use crate::config::Secret;

    /// A server that answers by what the command's name is, and does not hear after `DIE`.
    async fn server() -> Endpoint {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (reader, mut writer) = stream.into_split();
                let mut lines = BufReader::new(reader).lines();
                while let Ok(Some(count)) = lines.next_line().await {
                    let count: usize = count.trim_start_matches('*').parse().expect("an array");
                    let mut words = Vec::new();
                    for _ in 0..count {
                        lines.next_line().await.expect("a length");
                        words.push(lines.next_line().await.expect("a word").expect("a word"));
                    }
                    let answer = match words[0].as_str() {
                        "AUTH" if words[1..] == ["app", "secret"] => "+OK\r\n",
                        "AUTH" => "-WRONGPASS invalid username-password pair\r\n",
                        "ROLE" => "*3\r\n$6\r\nmaster\r\n:7\r\n*1\r\n$-1\r\n",
                        "SET" => "-READONLY You can't write against a read only replica.\r\n",
                        "DIE" => break,
                        _ => "-ERR unknown command\r\n",
                    };
                    writer.write_all(answer.as_bytes()).await.expect("answers");
                }
            }
        });
        Endpoint { uid: "1".to_owned(), address, credentials: None }
    }

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[tokio::test]
    async fn answers_errors_and_silence_are_told_apart() {
        let endpoint = server().await;
        let credential = Credential { user: "app".to_owned(), password: Secret("secret".to_owned()) };
        let mut connection = connect(&endpoint, Some(&credential)).await.expect("connects");
        let role = ask(&endpoint, &mut connection, words(&["ROLE"])).await;
        let text = |text: &str| Item::Text(text.to_owned());
        assert_eq!(role, Ok(vec![text("master"), Item::Integer("7".to_owned()), Item::Nil]));
        let set = ask(&endpoint, &mut connection, words(&["SET", "a", "b"])).await;
        let readonly = "READONLY You can't write against a read only replica.";
        assert_eq!(set, Ok(vec![Item::Error(readonly.to_owned())]));
        let died = ask(&endpoint, &mut connection, words(&["DIE"])).await;
        assert!(matches!(died, Err(Failure::Unreachable(_))), "{died:?}");
    }

    #[tokio::test]
    async fn a_wrong_password_and_a_closed_port_are_told_apart() {
        let endpoint = server().await;
        let credential = Credential { user: "app".to_owned(), password: Secret("wrong".to_owned()) };
        let refused = connect(&endpoint, Some(&credential)).await.map(drop);
        assert!(matches!(refused, Err(Failure::Invalid(_))), "{refused:?}");
        assert!(!format!("{refused:?}").contains("wrong\""), "{refused:?}");
        let closed = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("bound");
        let unreachable = connect(&Endpoint { address: closed, ..endpoint }, None).await.map(drop);
        assert!(matches!(unreachable, Err(Failure::Unreachable(_))), "{unreachable:?}");
    }

    #[test]
    fn replies_are_flattened_depth_first() {
        let reply = Value::Array(vec![
            Value::SimpleString("master".to_owned()),
            Value::Int(7),
            Value::Array(vec![Value::Nil, Value::BulkString(b"x".to_vec())]),
        ]);
        let mut items = Vec::new();
        flatten(reply, &mut items).expect("few");
        let text = |text: &str| Item::Text(text.to_owned());
        assert_eq!(items, [text("master"), Item::Integer("7".to_owned()), Item::Nil, text("x")]);
    }
}
