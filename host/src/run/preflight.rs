//! Is the target there at all? Asked before anything is changed.

use std::time::Duration;

/// How long the target may take to answer once its environment says that it is ready.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks the target for anything over HTTP, and takes any answer. Runs on the target's network.
/// Otherwise says why there was none, within [`PATIENCE`].
pub(crate) async fn reachable(base_url: &str) -> Result<(), String> {
    let client = reqwest::Client::builder()
        .connect_timeout(Duration::from_secs(2))
        .timeout(Duration::from_secs(5))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .map_err(|error| error.to_string())?;
    let give_up = tokio::time::Instant::now() + PATIENCE;
    loop {
        let because = match client.get(format!("{base_url}/")).send().await {
            Ok(_) => return Ok(()),
            Err(error) => root_cause(&error),
        };
        if tokio::time::Instant::now() >= give_up {
            return Err(format!("the target {base_url} does not answer: {because}"));
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

/// The innermost error: it names what the operating system said.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
