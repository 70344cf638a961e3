//! What the database holds, for whoever compares it with what was confirmed.

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;
use tokio_postgres::types::Type;

use super::Shop;
use super::answer::{self, Fault};
use super::visitor::Visitor;

/// References on one page, unless asked otherwise, and at most.
const PAGE: i64 = 1_000;
const LARGEST_PAGE: i64 = 5_000;

#[derive(Debug, Deserialize)]
pub(super) struct Page {
    /// Only references that begin with this.
    #[serde(default)]
    prefix: String,
    /// Only references after this one.
    #[serde(default)]
    after: String,
    limit: Option<i64>,
}

/// `GET /audit/sales/`: references of recorded sales in the order of their bytes, page by page.
///
/// Never from a cache, and never from a replica, which may lag: the same statement that reads the
/// references asks the server what it is.
pub(super) async fn sales(
    State(shop): State<Shop>,
    visitor: Visitor,
    Query(page): Query<Page>,
) -> Result<Response, Fault> {
    let limit = page.limit.unwrap_or(PAGE).clamp(1, LARGEST_PAGE);
    let row = shop
        .database
        .read_one(
            "SELECT pg_is_in_recovery(), ARRAY(
                 SELECT reference FROM sales
                 WHERE tenant_id = $1 AND reference > $2 AND reference ^@ $3
                 ORDER BY reference LIMIT $4)",
            &[
                (&visitor.tenant(), Type::INT4),
                (&page.after, Type::TEXT),
                (&page.prefix, Type::TEXT),
                (&limit, Type::INT8),
            ],
        )
        .await?;
    if row.get(0) {
        return Err(Fault::Unavailable("the database is not the primary"));
    }
    let references: Vec<String> = row.get(1);
    // A full page may be the last one; then the next is empty.
    let is_full = i64::try_from(references.len()).is_ok_and(|length| length == limit);
    let next = if is_full { references.last() } else { None };
    Ok(answer::data(StatusCode::OK, &json!({ "references": references, "next": next })))
}
