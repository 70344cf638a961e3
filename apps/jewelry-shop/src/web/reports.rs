//! Reports: those that are read at once, and those that a worker makes.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;
use tokio_postgres::types::Type;

use super::Shop;
use super::answer::{self, Fault};
use super::posted::Posted;
use super::visitor::Visitor;
use crate::html::{self, esc};
use crate::jobs::{self, Job, Task};
use crate::money::Cents;

/// `GET /reports/sales/`: the last days, and what workers summed up.
pub(super) async fn sales(State(shop): State<Shop>, visitor: Visitor) -> Result<Response, Fault> {
    let tenant = visitor.tenant();
    let days = shop.cache.fragment(tenant, "sales-by-day", async || by_day(&shop, tenant).await).await?;
    let made = made(&shop, tenant).await?;
    let body = format!(
        "{days}<h2>Ordered reports</h2>{made}<form method=\"post\">{field}Days <input name=\"days\" value=\"30\"> \
         <button>Order a report</button></form>",
        field = visitor.forms.field(),
    );
    Ok(visitor.page("Sales report", &body))
}

async fn by_day(shop: &Shop, tenant: i32) -> Result<String, Fault> {
    let rows = shop
        .database
        .read(
            "SELECT to_char(date_trunc('day', sold_at), 'YYYY-MM-DD') AS day, count(*), sum(total_cents)::int8
             FROM sales WHERE tenant_id = $1 AND sold_at >= date_trunc('day', now()) - interval '6 days'
             GROUP BY day ORDER BY day DESC",
            &[(&tenant, Type::INT4)],
        )
        .await?;
    Ok(html::table(
        &["Day", "Sales", "Revenue"],
        rows.iter().map(|row| {
            let (day, sales): (&str, i64) = (row.get(0), row.get(1));
            format!("<td>{day}</td><td>{sales}</td><td>{}</td>", Cents(row.get(2)))
        }),
    ))
}

async fn made(shop: &Shop, tenant: i32) -> Result<String, Fault> {
    let rows = shop
        .database
        .read(
            "SELECT job, days, sales, total_cents, coalesce(best_seller, '–'), to_char(made_at, 'YYYY-MM-DD HH24:MI:SS')
             FROM reports WHERE tenant_id = $1 ORDER BY made_at DESC LIMIT 10",
            &[(&tenant, Type::INT4)],
        )
        .await?;
    Ok(html::table(
        &["Job", "Days", "Sales", "Revenue", "Best seller", "Made"],
        rows.iter().map(|row| {
            let (job, best, time): (&str, &str, &str) = (row.get(0), row.get(4), row.get(5));
            let (days, sales): (i32, i64) = (row.get(1), row.get(2));
            format!(
                "<td>{}</td><td>{days}</td><td>{sales}</td><td>{}</td><td>{}</td><td>{time}</td>",
                esc(job),
                Cents(row.get(3)),
                esc(best),
            )
        }),
    ))
}

/// `POST /reports/sales/`: orders a report from a worker.
pub(super) async fn order(
    State(shop): State<Shop>,
    visitor: Visitor,
    posted: Posted,
) -> Result<Response, Fault> {
    let days = match posted.field("days") {
        "" => Some(30),
        text => text.parse().ok().filter(|days| (1..=365).contains(days)),
    };
    let days = days.ok_or_else(|| Fault::Invalid("days must be from 1 to 365".to_owned()))?;
    let job = Job::new(visitor.tenant(), Task::SalesReport { days });
    jobs::enqueue(&shop.store, &job).await??;
    Ok(answer::data(StatusCode::ACCEPTED, &json!({ "job": job.id })))
}

/// `GET /reports/inventory/`
pub(super) async fn inventory(State(shop): State<Shop>, visitor: Visitor) -> Result<Response, Fault> {
    let tenant = visitor.tenant();
    let body = shop
        .cache
        .fragment(tenant, "inventory-report", async || {
            let worth = worth(&shop, tenant).await?;
            let alerts = alerts(&shop, tenant).await?;
            Ok::<_, Fault>(format!("{worth}<h2>To order anew</h2>{alerts}"))
        })
        .await?;
    Ok(visitor.page("Inventory report", &body))
}

async fn worth(shop: &Shop, tenant: i32) -> Result<String, Fault> {
    let rows = shop
        .database
        .read(
            "SELECT category, count(*), sum(quantity)::int8, sum(quantity * price_cents)::int8
             FROM products JOIN stock
               ON stock.tenant_id = products.tenant_id AND stock.product_id = products.id
             WHERE products.tenant_id = $1 GROUP BY category ORDER BY category",
            &[(&tenant, Type::INT4)],
        )
        .await?;
    Ok(html::table(
        &["Category", "Products", "Pieces", "Worth"],
        rows.iter().map(|row| {
            let category: &str = row.get(0);
            let [products, pieces, worth]: [i64; 3] = std::array::from_fn(|i| row.get(i + 1));
            format!("<td>{}</td><td>{products}</td><td>{pieces}</td><td>{}</td>", esc(category), Cents(worth))
        }),
    ))
}

async fn alerts(shop: &Shop, tenant: i32) -> Result<String, Fault> {
    let rows = shop
        .database
        .read(
            "SELECT sku, name, quantity FROM stock_alerts
             JOIN products ON products.tenant_id = $1 AND products.id = product_id
             WHERE stock_alerts.tenant_id = $1 ORDER BY quantity, sku LIMIT 50",
            &[(&tenant, Type::INT4)],
        )
        .await?;
    Ok(html::table(
        &["SKU", "Name", "Left"],
        rows.iter().map(|row| {
            let (sku, name, left): (&str, &str, i32) = (row.get(0), row.get(1), row.get(2));
            format!("<td>{}</td><td>{}</td><td>{left}</td>", esc(sku), esc(name))
        }),
    ))
}
