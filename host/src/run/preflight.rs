//! Is the target there at all? Asked before anything is changed.

use std::{sync::Arc, time::Duration};

use assay_bindings::imports::http::{Body, Error, Method, Request};
use url::Url;

use crate::{
    capability::ports::Browser,
    config::HttpConfig,
    load::client::{Client, ClientOptions, Policy, Routes},
    observe::{Clock, nanos},
};

/// How long the target may take to answer once its environment says that it is ready.
const PATIENCE: Duration = Duration::from_secs(10);

/// Most of an answer that is read: more than any page that is not an attack.
const LARGEST_ANSWER: u64 = 64 << 20;

/// Asks the target for anything, as virtual users will, and takes any answer. Runs on the target's
/// network. Otherwise says why there was none, within [`PATIENCE`].
pub(crate) async fn reachable(base_url: &str, http: &HttpConfig, clock: Clock) -> Result<(), String> {
    let options = ClientOptions {
        clock,
        base_url: Url::parse(base_url)
            .map_err(|error| format!("the target `{base_url}` is no URL: {error}"))?,
        granted: Arc::new(|_| Ok(())),
        policy: Policy::new(http).map_err(|error| error.to_string())?,
        routes: Routes::default(),
        body_limit: LARGEST_ANSWER,
    };
    let mut client = Client::silent(Arc::new(options));
    let give_up = clock.now().saturating_add(nanos(PATIENCE));
    loop {
        let because = match client.send(anything(), u64::MAX).await {
            Ok(_) => return Ok(()),
            Err(error) => text(error),
        };
        if clock.now() >= give_up {
            return Err(format!("the target {base_url} does not answer: {because}"));
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

fn anything() -> Request {
    Request {
        method: Method::Get,
        url: "/".to_owned(),
        headers: Vec::new(),
        body: Body::Empty,
        name: None,
        expect: None,
        connect_timeout: Some(nanos(Duration::from_secs(2))),
        timeout: Some(nanos(Duration::from_secs(5))),
        redirects: Some(0),
    }
}

fn text(error: Error) -> String {
    match error {
        Error::Denied(text)
        | Error::Invalid(text)
        | Error::NameResolution(text)
        | Error::Refused(text)
        | Error::Reset(text)
        | Error::ConnectTimeout(text)
        | Error::Timeout(text)
        | Error::Tls(text)
        | Error::Protocol(text) => text,
    }
}
