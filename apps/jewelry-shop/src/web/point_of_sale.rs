//! The counter: looking pieces up, selling them, and the receipt.

use std::collections::BTreeMap;

use axum::extract::{Path, Query, State};
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;
use tokio_postgres::types::Type;

use super::Shop;
use super::answer::{self, Fault, OUTCOME};
use super::inventory::containing;
use super::posted::Posted;
use super::visitor::Visitor;
use crate::html::{self, esc};
use crate::money::Cents;
use crate::sale::{self, MOST_LINES, Order, Outcome};

/// How a sale can be paid.
const METHODS: [&str; 3] = ["card", "cash", "transfer"];

/// `GET /pos/`: a tray of forty pieces, another each time, so that many tills do not all reach
/// for the same drawer.
pub(super) async fn form(State(shop): State<Shop>, visitor: Visitor) -> Result<Response, Fault> {
    let rows = shop
        .database
        .read(
            "SELECT sku, products.name, price_cents, quantity
             FROM products JOIN stock
               ON stock.tenant_id = products.tenant_id AND stock.product_id = products.id
             WHERE products.tenant_id = $1 AND quantity > 0
             ORDER BY products.id LIMIT 40 OFFSET (
                 SELECT floor(random() * greatest(count(*) - 40, 1))::int8 FROM products WHERE tenant_id = $1)",
            &[(&visitor.tenant(), Type::INT4)],
        )
        .await?;
    let options: String = rows
        .iter()
        .map(|row| {
            let (sku, name): (&str, &str) = (row.get(0), row.get(1));
            let quantity: i32 = row.get(3);
            format!(
                "<option value=\"{sku}\" data-stock=\"{quantity}\">{name} ({price})</option>",
                sku = esc(sku),
                name = esc(name),
                price = Cents(row.get(2)),
            )
        })
        .collect();
    let methods: String = METHODS
        .iter()
        .map(|name| format!("<option>{name}</option>"))
        .collect();
    let body = format!(
        "<form method=\"post\" action=\"/pos/sales/\">{field}\
         <p>Reference <input name=\"reference\" maxlength=\"64\" value=\"{reference}\" required></p>\
         <p>Customer <input name=\"customer\" inputmode=\"numeric\"></p>\
         <p>Piece <select name=\"sku\">{options}</select> <input name=\"quantity\" value=\"1\"></p>\
         <p>Payment <select name=\"method\">{methods}</select></p><button>Sell</button></form>",
        field = visitor.forms.field(),
        reference = uuid::Uuid::new_v4(),
    );
    Ok(visitor.page("Point of sale", &body))
}

#[derive(Debug, Deserialize)]
pub(super) struct Lookup {
    #[serde(default)]
    q: String,
}

/// `GET /pos/lookup/`: pieces by name or SKU as JSON, for a till that completes what is typed.
pub(super) async fn lookup(
    State(shop): State<Shop>,
    visitor: Visitor,
    Query(lookup): Query<Lookup>,
) -> Result<Response, Fault> {
    let rows = shop
        .database
        .read(
            "SELECT sku, products.name, price_cents, quantity
             FROM products JOIN stock
               ON stock.tenant_id = products.tenant_id AND stock.product_id = products.id
             WHERE products.tenant_id = $1 AND (products.name ILIKE $2 OR sku ILIKE $2)
             ORDER BY products.name, products.id LIMIT 10",
            &[
                (&visitor.tenant(), Type::INT4),
                (&containing(&lookup.q), Type::TEXT),
            ],
        )
        .await?;
    let products: Vec<_> = rows
        .iter()
        .map(|row| {
            json!({
                "sku": row.get::<_, &str>(0),
                "name": row.get::<_, &str>(1),
                "price_cents": row.get::<_, i64>(2),
                "quantity": row.get::<_, i32>(3),
            })
        })
        .collect();
    Ok(answer::data(
        StatusCode::OK,
        &json!({ "products": products }),
    ))
}

/// `POST /pos/sales/`: the sale. See the README for how the answers are told apart.
pub(super) async fn sell(State(shop): State<Shop>, visitor: Visitor, posted: Posted) -> Response {
    let order = match read(&posted) {
        Ok(order) => order,
        Err(why) => return answer::error(StatusCode::UNPROCESSABLE_ENTITY, "invalid", &why),
    };
    let outcome = sale::record(
        &shop.database,
        visitor.tenant(),
        visitor.session.user,
        &order,
    )
    .await;
    let reference = order.reference.as_str();
    let (word, mut response) = match outcome {
        Outcome::Recorded { total } => {
            let body = json!({ "reference": reference, "total_cents": total.0 });
            ("recorded", answer::data(StatusCode::CREATED, &body))
        }
        Outcome::Duplicate { total } => {
            let body = json!({
                "error": "duplicate-reference", "reference": reference, "total_cents": total.0,
            });
            ("recorded", answer::data(StatusCode::CONFLICT, &body))
        }
        Outcome::OutOfStock { sku, left } => {
            let body = json!({ "error": "out-of-stock", "sku": sku, "left": left });
            ("refused", answer::data(StatusCode::CONFLICT, &body))
        }
        Outcome::Invalid(why) => (
            "refused",
            answer::error(StatusCode::UNPROCESSABLE_ENTITY, "invalid", &why),
        ),
        Outcome::Failed(error) if error.is_passing() => {
            tracing::debug!("sale refused: {error}");
            let why = "the sale was not recorded; try again";
            (
                "refused",
                answer::error(StatusCode::SERVICE_UNAVAILABLE, "unavailable", why),
            )
        }
        Outcome::Failed(error) => {
            tracing::error!("sale failed: {error}");
            let why = "the sale was not recorded";
            (
                "refused",
                answer::error(StatusCode::INTERNAL_SERVER_ERROR, "broken", why),
            )
        }
        Outcome::Unknown(error) => {
            tracing::warn!("outcome of sale {reference} unknown: {error}");
            let why = "the sale may or may not be recorded; ask again with the same reference";
            (
                "unknown",
                answer::error(StatusCode::SERVICE_UNAVAILABLE, "unknown", why),
            )
        }
    };
    response
        .headers_mut()
        .insert(OUTCOME, HeaderValue::from_static(word));
    if response.status() == StatusCode::SERVICE_UNAVAILABLE {
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

/// Marks the answers that were given before a sale was even begun: whoever was turned away for
/// lack of a session or a token was surely refused.
pub(super) async fn say_refused(mut response: Response) -> Response {
    response
        .headers_mut()
        .entry(OUTCOME)
        .or_insert(HeaderValue::from_static("refused"));
    response
}

/// `GET /pos/sales/{reference}/`
pub(super) async fn receipt(
    State(shop): State<Shop>,
    visitor: Visitor,
    Path(reference): Path<String>,
) -> Result<Response, Fault> {
    let rows = shop
        .database
        .read(
            "SELECT sku, products.name, sale_items.quantity, unit_price_cents, total_cents, method
             FROM sales
             JOIN payments ON payments.tenant_id = $1 AND payments.sale_id = sales.id
             JOIN sale_items ON sale_items.tenant_id = $1 AND sale_items.sale_id = sales.id
             JOIN products ON products.tenant_id = $1 AND products.id = sale_items.product_id
             WHERE sales.tenant_id = $1 AND reference = $2 ORDER BY line",
            &[(&visitor.tenant(), Type::INT4), (&reference, Type::TEXT)],
        )
        .await?;
    let sale = rows.first().ok_or(Fault::NotFound)?;
    let items = html::table(
        &["SKU", "Piece", "Quantity", "Unit price"],
        rows.iter().map(|row| {
            let (sku, name): (&str, &str) = (row.get(0), row.get(1));
            let quantity: i32 = row.get(2);
            format!(
                "<td>{}</td><td>{}</td><td>{quantity}</td><td>{}</td>",
                esc(sku),
                esc(name),
                Cents(row.get(3)),
            )
        }),
    );
    let method: &str = sale.get(5);
    let body = format!(
        "{items}<p>Total <b id=\"total\">{}</b>, paid by {}</p>",
        Cents(sale.get(4)),
        esc(method),
    );
    Ok(visitor.page(&format!("Receipt {reference}"), &body))
}

/// A sale as a script sends it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sent {
    reference: String,
    customer: Option<i64>,
    items: Vec<SentItem>,
    #[serde(default = "card")]
    method: String,
    tendered_cents: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SentItem {
    sku: String,
    quantity: i32,
}

fn card() -> String {
    "card".to_owned()
}

/// Reads an order from a form or from JSON.
fn read(posted: &Posted) -> Result<Order, String> {
    let sent = match posted {
        Posted::Json(body) => serde_json::from_slice(body).map_err(|error| error.to_string())?,
        Posted::Form(_) => read_form(posted)?,
    };
    check(sent)
}

fn read_form(posted: &Posted) -> Result<Sent, String> {
    let quantities: Vec<&str> = posted.fields("quantity").collect();
    let skus: Vec<&str> = posted.fields("sku").collect();
    if skus.len() != quantities.len() {
        return Err("every sku needs a quantity".to_owned());
    }
    let items = skus.iter().zip(quantities).map(|(sku, quantity)| {
        let quantity = quantity
            .parse()
            .map_err(|_| format!("`{quantity}` is not a quantity"))?;
        Ok(SentItem {
            sku: (*sku).to_owned(),
            quantity,
        })
    });
    let customer = match posted.field("customer") {
        "" => None,
        text => Some(
            text.parse()
                .map_err(|_| "customer must be a number".to_owned())?,
        ),
    };
    let tendered_cents = match posted.field("tendered") {
        "" => None,
        text => Some(Cents::parse(text).ok_or("tendered must be an amount")?.0),
    };
    let method = match posted.field("method") {
        "" => card(),
        method => method.to_owned(),
    };
    Ok(Sent {
        reference: posted.field("reference").to_owned(),
        customer,
        items: items.collect::<Result<_, String>>()?,
        method,
        tendered_cents,
    })
}

fn check(sent: Sent) -> Result<Order, String> {
    let is_plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':');
    if !(1..=64).contains(&sent.reference.len()) || !sent.reference.bytes().all(is_plain) {
        return Err("reference must be 1 to 64 letters, digits, or any of - _ . :".to_owned());
    }
    if !METHODS.contains(&sent.method.as_str()) {
        return Err(format!("method must be one of {}", METHODS.join(", ")));
    }
    if sent.items.is_empty() || sent.items.len() > MOST_LINES {
        return Err(format!("a sale has 1 to {MOST_LINES} items"));
    }
    let mut items: BTreeMap<String, i32> = BTreeMap::new();
    for SentItem { sku, quantity } in sent.items {
        if !(1..=1_000).contains(&quantity) {
            return Err("a quantity is from 1 to 1000".to_owned());
        }
        if sku.contains('\0') {
            return Err("there is no such product".to_owned());
        }
        // The same piece scanned twice is one line; at most 50 × 1000, which fits.
        *items.entry(sku).or_default() += quantity;
    }
    Ok(Order {
        reference: sent.reference,
        customer: sent.customer,
        items,
        method: sent.method,
        tendered: sent.tendered_cents.map(Cents),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(fields: &[(&str, &str)]) -> Posted {
        Posted::Form(
            fields
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect(),
        )
    }

    #[test]
    fn forms_and_scripts_say_the_same() {
        let by_form = read(&form(&[
            ("reference", "run-1"),
            ("customer", "7"),
            ("sku", "A"),
            ("quantity", "1"),
            ("sku", "B"),
            ("quantity", "2"),
            ("sku", "A"),
            ("quantity", "3"),
            ("method", "cash"),
            ("tendered", "1,000.00"),
        ]))
        .expect("a good form");
        let by_script = read(&Posted::Json(
            r#"{"reference":"run-1","customer":7,"method":"cash","tendered_cents":100000,
                "items":[{"sku":"A","quantity":4},{"sku":"B","quantity":2}]}"#
                .into(),
        ))
        .expect("good JSON");
        assert_eq!(format!("{by_form:?}"), format!("{by_script:?}"));
        assert_eq!(by_form.items["A"], 4);
    }

    #[test]
    fn nonsense_is_refused() {
        for fields in [
            &[][..],
            &[("reference", "r")],
            &[("reference", ""), ("sku", "A"), ("quantity", "1")],
            &[("reference", "a b"), ("sku", "A"), ("quantity", "1")],
            &[("reference", "r"), ("sku", "A")],
            &[("reference", "r"), ("sku", "A"), ("quantity", "0")],
            &[("reference", "r"), ("sku", "A"), ("quantity", "-1")],
            &[
                ("reference", "r"),
                ("sku", "A"),
                ("quantity", "1"),
                ("method", "barter"),
            ],
            &[
                ("reference", "r"),
                ("sku", "A"),
                ("quantity", "1"),
                ("customer", "me"),
            ],
        ] {
            assert!(read(&form(fields)).is_err(), "{fields:?}");
        }
        assert!(read(&Posted::Json("{}".into())).is_err());
    }
}
