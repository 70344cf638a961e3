//! For supervisors and balancers.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;

use super::Shop;
use super::answer;
use crate::schema;

/// `GET /healthz`: the process answers. Touches nothing else: restarting the shop brings no
/// database back.
pub(super) async fn live() -> Response {
    answer::data(StatusCode::OK, &json!({ "status": "ok" }))
}

/// `GET /readyz`: sending users here makes sense.
pub(super) async fn ready(State(shop): State<Shop>) -> Response {
    let ping = redis::cmd("PING");
    let (tables, pong) = tokio::join!(schema::is_current(&shop.database), shop.store.run::<String>(&ping));
    let database = match tables {
        Ok(true) => "ok".to_owned(),
        Ok(false) => "not migrated".to_owned(),
        Err(error) => error.to_string(),
    };
    let redis = pong.map_or_else(|error| error.to_string(), |_| "ok".to_owned());
    let is_ready = database == "ok" && redis == "ok" && !shop.stopping.is_set();
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    answer::data(
        status,
        &json!({
            "status": if is_ready { "ok" } else { "not ready" },
            "database": database,
            "redis": redis,
            "stopping": shop.stopping.is_set(),
        }),
    )
}
