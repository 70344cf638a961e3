//! The counter: looking pieces up, selling them, and the receipt.

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
use super::order::{self, METHODS};
use super::posted::Posted;
use super::visitor::Visitor;
use crate::html::{self, esc};
use crate::money::Cents;
use crate::sale::{self, Outcome};

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
    let methods: String = METHODS.iter().map(|name| format!("<option>{name}</option>")).collect();
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
            &[(&visitor.tenant(), Type::INT4), (&containing(&lookup.q), Type::TEXT)],
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
    Ok(answer::data(StatusCode::OK, &json!({ "products": products })))
}

/// `POST /pos/sales/`: the sale. See the README for how the answers are told apart.
pub(super) async fn sell(State(shop): State<Shop>, visitor: Visitor, posted: Posted) -> Response {
    let order = match order::read(&posted) {
        Ok(order) => order,
        Err(why) => return answer::error(StatusCode::UNPROCESSABLE_ENTITY, "invalid", &why),
    };
    let outcome = sale::record(&shop.database, visitor.tenant(), visitor.session.user, &order).await;
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
        Outcome::Invalid(why) => {
            ("refused", answer::error(StatusCode::UNPROCESSABLE_ENTITY, "invalid", &why))
        }
        Outcome::Failed(error) if error.is_passing() => {
            tracing::debug!("sale refused: {error}");
            let why = "the sale was not recorded; try again";
            ("refused", answer::error(StatusCode::SERVICE_UNAVAILABLE, "unavailable", why))
        }
        Outcome::Failed(error) => {
            tracing::error!("sale failed: {error}");
            let why = "the sale was not recorded";
            ("refused", answer::error(StatusCode::INTERNAL_SERVER_ERROR, "broken", why))
        }
        Outcome::Unknown(error) => {
            tracing::warn!("outcome of sale {reference} unknown: {error}");
            let why = "the sale may or may not be recorded; ask again with the same reference";
            ("unknown", answer::error(StatusCode::SERVICE_UNAVAILABLE, "unknown", why))
        }
    };
    response.headers_mut().insert(OUTCOME, HeaderValue::from_static(word));
    if response.status() == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

/// Marks the answers that were given before a sale was even begun: whoever was turned away for
/// lack of a session or a token was surely refused.
pub(super) async fn say_refused(mut response: Response) -> Response {
    response.headers_mut().entry(OUTCOME).or_insert(HeaderValue::from_static("refused"));
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
    let body =
        format!("{items}<p>Total <b id=\"total\">{}</b>, paid by {}</p>", Cents(sale.get(4)), esc(method),);
    Ok(visitor.page(&format!("Receipt {reference}"), &body))
}
