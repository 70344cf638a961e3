//! The books: what came in, by day of the last week and by means of payment.

use axum::extract::State;
use axum::response::Response;
use tokio_postgres::types::Type;

use super::Shop;
use super::answer::Fault;
use super::visitor::Visitor;
use crate::html::{self, esc};
use crate::money::Cents;

/// `GET /accounting/`
pub(super) async fn show(State(shop): State<Shop>, visitor: Visitor) -> Result<Response, Fault> {
    let tenant = visitor.tenant();
    let body = shop
        .cache
        .fragment(tenant, "accounting", async || {
            let rows = shop
                .database
                .read(
                    "SELECT to_char(date_trunc('day', paid_at), 'YYYY-MM-DD') AS day, method, count(*),
                            sum(amount_cents)::int8
                     FROM payments
                     WHERE tenant_id = $1 AND paid_at >= date_trunc('day', now()) - interval '6 days'
                     GROUP BY day, method ORDER BY day DESC, method",
                    &[(&tenant, Type::INT4)],
                )
                .await?;
            Ok::<_, Fault>(html::table(
                &["Day", "Method", "Payments", "Amount"],
                rows.iter().map(|row| {
                    let (day, method, count): (&str, &str, i64) = (row.get(0), row.get(1), row.get(2));
                    format!(
                        "<td>{day}</td><td>{}</td><td>{count}</td><td>{}</td>",
                        esc(method),
                        Cents(row.get(3))
                    )
                }),
            ))
        })
        .await?;
    Ok(visitor.page("Accounting", &body))
}
