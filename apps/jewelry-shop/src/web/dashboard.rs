//! The first page: how the day goes.

use axum::extract::State;
use axum::response::Response;
use tokio_postgres::types::Type;

use super::Shop;
use super::answer::Fault;
use super::visitor::Visitor;
use crate::html::{self, esc};
use crate::money::Cents;

/// `GET /dashboard/`
pub(super) async fn show(State(shop): State<Shop>, visitor: Visitor) -> Result<Response, Fault> {
    let tenant = visitor.tenant();
    let body = shop
        .cache
        .fragment(tenant, "dashboard", async || {
            let totals = totals(&shop, tenant).await?;
            let latest = latest_sales(&shop, tenant).await?;
            Ok::<_, Fault>(format!("{totals}<h2>Latest sales</h2>{latest}"))
        })
        .await?;
    Ok(visitor.page("Dashboard", &body))
}

async fn totals(shop: &Shop, tenant: i32) -> Result<String, Fault> {
    let row = shop
        .database
        .read_one(
            "SELECT today.sales, today.total,
                    (SELECT count(*) FROM products WHERE tenant_id = $1),
                    (SELECT count(*) FROM customers WHERE tenant_id = $1),
                    (SELECT count(*) FROM stock_alerts WHERE tenant_id = $1)
             FROM (SELECT count(*) AS sales, coalesce(sum(total_cents), 0)::int8 AS total
                   FROM sales WHERE tenant_id = $1 AND sold_at >= date_trunc('day', now())) AS today",
            &[(&tenant, Type::INT4)],
        )
        .await?;
    let [sales, total, products, customers, alerts]: [i64; 5] = std::array::from_fn(|i| row.get(i));
    Ok(html::table(
        &["Sales today", "Revenue today", "Products", "Customers", "Stock alerts"],
        [format!(
            "<td id=\"sales-today\">{sales}</td><td id=\"revenue-today\">{}</td><td>{products}</td>\
             <td>{customers}</td><td>{alerts}</td>",
            Cents(total)
        )],
    ))
}

async fn latest_sales(shop: &Shop, tenant: i32) -> Result<String, Fault> {
    let rows = shop
        .database
        .read(
            "SELECT reference, total_cents, to_char(sold_at, 'YYYY-MM-DD HH24:MI')
             FROM sales WHERE tenant_id = $1 ORDER BY sold_at DESC LIMIT 5",
            &[(&tenant, Type::INT4)],
        )
        .await?;
    Ok(html::table(
        &["Reference", "Total", "Time"],
        rows.iter().map(|row| {
            let (reference, time): (&str, &str) = (row.get(0), row.get(2));
            format!(
                "<td><a href=\"/pos/sales/{}/\">{}</a></td><td>{}</td><td>{time}</td>",
                html::url_part(reference),
                esc(reference),
                Cents(row.get(1)),
            )
        }),
    ))
}
