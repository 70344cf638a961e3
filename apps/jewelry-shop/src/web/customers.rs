//! Customers and what they bought.

use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde::Deserialize;
use tokio_postgres::types::Type;

use super::Shop;
use super::answer::Fault;
use super::inventory::{containing, neighbours};
use super::visitor::Visitor;
use crate::html::{self, esc};
use crate::money::Cents;
use crate::paging::{self, PAGE, Paging};

#[derive(Debug, Deserialize)]
pub(super) struct Filter {
    #[serde(default)]
    q: String,
    page: Option<String>,
}

/// `GET /customers/`
pub(super) async fn list(
    State(shop): State<Shop>,
    visitor: Visitor,
    Query(filter): Query<Filter>,
) -> Result<Response, Fault> {
    let number = paging::requested(filter.page.as_deref());
    let rows = shop
        .database
        .read(
            "SELECT id, name, email, city, count(*) OVER ()
             FROM customers WHERE tenant_id = $1 AND (name ILIKE $2 OR email ILIKE $2)
             ORDER BY name, id LIMIT $3 OFFSET $4",
            &[
                (&visitor.tenant(), Type::INT4),
                (&containing(&filter.q), Type::TEXT),
                (&PAGE, Type::INT8),
                (&paging::offset(number), Type::INT8),
            ],
        )
        .await?;
    let table = html::table(
        &["Name", "Email", "City"],
        rows.iter().map(|row| {
            let id: i64 = row.get(0);
            let [name, email, city]: [&str; 3] = std::array::from_fn(|i| row.get(i + 1));
            format!(
                "<td><a href=\"/customers/{id}/\">{}</a></td><td>{}</td><td>{}</td>",
                esc(name),
                esc(email),
                esc(city),
            )
        }),
    );
    let paging = Paging::new(number, rows.first().map_or(0, |row| row.get(4)));
    let links = neighbours(paging, &format!("q={}", html::url_part(&filter.q)));
    let body = format!("<form><input name=\"q\"> <button>Search</button></form>{table}{links}");
    Ok(visitor.page("Customers", &body))
}

/// `GET /customers/{id}/`
pub(super) async fn detail(
    State(shop): State<Shop>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Result<Response, Fault> {
    let id: i64 = id.parse().map_err(|_| Fault::NotFound)?;
    let row = shop
        .database
        .read_opt(
            "SELECT name, email, phone, city, to_char(created_at, 'YYYY-MM-DD'), bought.sales, bought.total
             FROM customers,
                  (SELECT count(*) AS sales, coalesce(sum(total_cents), 0)::int8 AS total
                   FROM sales WHERE tenant_id = $1 AND customer_id = $2) AS bought
             WHERE tenant_id = $1 AND id = $2",
            &[(&visitor.tenant(), Type::INT4), (&id, Type::INT8)],
        )
        .await?
        .ok_or(Fault::NotFound)?;
    let [name, email, phone, city, since]: [&str; 5] = std::array::from_fn(|i| row.get(i));
    let sales: i64 = row.get(5);
    let table = html::table(
        &["Email", "Phone", "City", "Since", "Purchases", "Spent"],
        [format!(
            "<td>{}</td><td>{}</td><td>{}</td><td>{since}</td><td>{sales}</td><td>{}</td>",
            esc(email),
            esc(phone),
            esc(city),
            Cents(row.get(6)),
        )],
    );
    let body = format!("{table}<p><a href=\"/customers/{id}/purchases/\">Purchases</a></p>");
    Ok(visitor.page(name, &body))
}

/// `GET /customers/{id}/purchases/`: the latest of them.
pub(super) async fn purchases(
    State(shop): State<Shop>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Result<Response, Fault> {
    let id: i64 = id.parse().map_err(|_| Fault::NotFound)?;
    let rows = shop
        .database
        .read(
            "SELECT customers.name, reference, total_cents, to_char(sold_at, 'YYYY-MM-DD HH24:MI')
             FROM customers
             LEFT JOIN sales ON sales.tenant_id = $1 AND sales.customer_id = customers.id
             WHERE customers.tenant_id = $1 AND customers.id = $2
             ORDER BY sold_at DESC LIMIT 50",
            &[(&visitor.tenant(), Type::INT4), (&id, Type::INT8)],
        )
        .await?;
    let name: &str = rows.first().ok_or(Fault::NotFound)?.get(0);
    let bought = rows.iter().filter_map(|row| {
        // A customer who bought nothing has one row without a sale.
        let reference = row.get::<_, Option<&str>>(1)?;
        let time: &str = row.get(3);
        Some(format!(
            "<td><a href=\"/pos/sales/{}/\">{}</a></td><td>{}</td><td>{time}</td>",
            html::url_part(reference),
            esc(reference),
            Cents(row.get(2)),
        ))
    });
    let body = html::table(&["Reference", "Total", "Time"], bought);
    Ok(visitor.page(&format!("Purchases of {name}"), &body))
}
