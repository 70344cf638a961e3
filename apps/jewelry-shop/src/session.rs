//! Who is signed in: kept in Redis under a random key, which the browser holds in a cookie.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::csrf;
use crate::store::{Store, StoreError};

/// A signed-in user. The tenant is the user's own and comes from nowhere else.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Session {
    /// The shop that the user works for.
    pub(crate) tenant: i32,
    /// The shop's name.
    pub(crate) shop: String,
    /// The user.
    pub(crate) user: i64,
    /// The user's name.
    pub(crate) name: String,
}

/// Opens a session and returns its key.
pub(crate) async fn open(
    store: &Store,
    session: &Session,
    lifetime: Duration,
) -> anyhow::Result<Result<String, StoreError>> {
    let key = csrf::new_session_key();
    let text = serde_json::to_string(session)?;
    let mut command = redis::cmd("SET");
    command.arg(name(&key)).arg(text).arg("EX").arg(lifetime.as_secs().max(1));
    Ok(store.run::<()>(&command).await.map(|()| key))
}

/// Finds the session of a key.
pub(crate) async fn find(store: &Store, key: &str) -> Result<Option<Session>, StoreError> {
    // Whatever is not a key was never given out, and must not reach into other parts of Redis.
    if !csrf::is_secret(key) {
        return Ok(None);
    }
    let text: Option<String> = store.run(redis::cmd("GET").arg(name(key))).await?;
    // A session that an older version wrote in another form is no session: sign in again.
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
}

/// Ends the session of a key.
pub(crate) async fn close(store: &Store, key: &str) -> Result<(), StoreError> {
    if !csrf::is_secret(key) {
        return Ok(());
    }
    store.run(redis::cmd("DEL").arg(name(key))).await
}

fn name(key: &str) -> String {
    format!("shop:session:{key}")
}
