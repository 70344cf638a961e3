//! The sale: the one write whose loss would be noticed, and is looked for.
//!
//! A sale is one transaction: it takes stock, records the items and the payment, and carries a
//! reference that the client chose and that is unique within the tenant. Stock rows are locked in
//! the order of their products, so that two sales of the same pieces queue instead of blocking
//! each other. Only a COMMIT that the server acknowledged makes a sale recorded; a COMMIT whose
//! answer did not come leaves it unknown, and that is what the client is told.

use std::collections::BTreeMap;

use tokio_postgres::Row;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;

use crate::data::{Connection, DataError, Database};
use crate::money::Cents;

/// Lines of one sale at most.
pub(crate) const MOST_LINES: usize = 50;

/// A sale as a client asks for it, checked for form.
#[derive(Debug)]
pub(crate) struct Order {
    /// The client's own name for this sale.
    pub(crate) reference: String,
    /// The customer, if known.
    pub(crate) customer: Option<i64>,
    /// Pieces of each SKU.
    pub(crate) items: BTreeMap<String, i32>,
    /// How it is paid.
    pub(crate) method: String,
    /// What the customer hands over; the exact total if not said.
    pub(crate) tendered: Option<Cents>,
}

/// What became of an order.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Committed.
    Recorded {
        /// What was paid for.
        total: Cents,
    },
    /// A sale of that reference is there, from this client's earlier attempt or another's.
    Duplicate {
        /// What the recorded sale came to.
        total: Cents,
    },
    /// Too few pieces are left; nothing was changed.
    OutOfStock {
        /// What is short.
        sku: String,
        /// Pieces left.
        left: i32,
    },
    /// The order speaks of something that this tenant does not have; nothing was changed.
    Invalid(String),
    /// It could not be done and was not done.
    Failed(DataError),
    /// COMMIT was sent and its answer did not come.
    Unknown(DataError),
}

/// Records a sale.
pub(crate) async fn record(database: &Database, tenant: i32, user: i64, order: &Order) -> Outcome {
    let mut connection = match database.connection().await {
        Ok(connection) => connection,
        Err(error) => return Outcome::Failed(error),
    };
    let prepared = match prepare(&mut connection, tenant, user, order).await {
        Ok(prepared) => prepared,
        // The connection closes with its transaction open, and the server forgets it. An answer that did
        // not come is no matter here: without a COMMIT nothing lives.
        Err(error) => return Outcome::Failed(error),
    };
    let total = match prepared {
        Ok(total) => total,
        Err(refusal) => {
            // If this fails the connection is closed, which has the same effect.
            let _ = connection.roll_back().await;
            return refusal;
        }
    };
    match connection.commit().await {
        Ok(()) => Outcome::Recorded { total },
        Err(error @ (DataError::Refused(_) | DataError::ReadOnly)) => Outcome::Failed(error),
        Err(error) => Outcome::Unknown(error),
    }
}

/// Everything up to the COMMIT: the total, or why there is nothing to commit.
async fn prepare(
    connection: &mut Connection<'_>,
    tenant: i32,
    user: i64,
    order: &Order,
) -> Result<Result<Cents, Outcome>, DataError> {
    connection.begin().await?;
    let skus: Vec<&str> = order.items.keys().map(String::as_str).collect();
    let drawers = connection
        .query(
            "SELECT products.id, products.sku, products.price_cents, stock.quantity
             FROM stock JOIN products ON products.tenant_id = stock.tenant_id AND products.id = stock.product_id
             WHERE stock.tenant_id = $1 AND products.sku = ANY ($2)
             ORDER BY products.id FOR UPDATE OF stock",
            &[(&tenant, Type::INT4), (&skus, Type::TEXT_ARRAY)],
        )
        .await?;
    let basket = match Basket::fill(order, &drawers) {
        Ok(basket) => basket,
        Err(refusal) => {
            // A client that repeats a sale must hear that it is recorded, even if there would be
            // no stock for it any more.
            return Ok(Err(match recorded(connection, tenant, &order.reference).await? {
                Some(total) => Outcome::Duplicate { total },
                None => refusal,
            }));
        }
    };
    match write(connection, tenant, user, order, &basket).await {
        Ok(true) => Ok(Ok(basket.total)),
        Ok(false) => {
            let total = recorded(connection, tenant, &order.reference).await?;
            Ok(Err(Outcome::Duplicate { total: total.unwrap_or(Cents(0)) }))
        }
        Err(error) if error.is(&SqlState::FOREIGN_KEY_VIOLATION) => {
            Ok(Err(Outcome::Invalid("there is no such customer".to_owned())))
        }
        Err(error) => Err(error),
    }
}

/// What is sold, in the order of the products.
#[derive(Debug)]
struct Basket {
    products: Vec<i64>,
    quantities: Vec<i32>,
    prices: Vec<i64>,
    total: Cents,
}

impl Basket {
    /// Takes the ordered pieces out of the locked drawers.
    fn fill(order: &Order, drawers: &[Row]) -> Result<Self, Outcome> {
        if let Some(unknown) =
            order.items.keys().find(|sku| !drawers.iter().any(|row| row.get::<_, &str>(1) == sku.as_str()))
        {
            return Err(Outcome::Invalid(format!("there is no product {unknown}")));
        }
        let mut basket = Self { products: vec![], quantities: vec![], prices: vec![], total: Cents(0) };
        for row in drawers {
            let sku: &str = row.get(1);
            let (price, left): (i64, i32) = (row.get(2), row.get(3));
            let quantity = order.items.get(sku).copied().unwrap_or(0);
            if quantity > left {
                return Err(Outcome::OutOfStock { sku: sku.to_owned(), left });
            }
            let cost = Cents(price).times(quantity);
            basket.total = cost
                .and_then(|cost| basket.total.plus(cost))
                .ok_or_else(|| Outcome::Invalid("the total is too large".to_owned()))?;
            basket.products.push(row.get(0));
            basket.quantities.push(quantity);
            basket.prices.push(price);
        }
        match order.tendered {
            Some(tendered) if tendered < basket.total => Err(Outcome::Invalid(format!(
                "the payment of {tendered} does not cover the total of {}",
                basket.total
            ))),
            _ => Ok(basket),
        }
    }
}

/// Writes the sale in one round trip. False if the reference is taken; nothing is written then.
async fn write(
    connection: &mut Connection<'_>,
    tenant: i32,
    user: i64,
    order: &Order,
    basket: &Basket,
) -> Result<bool, DataError> {
    let rows = connection
        .query(
            "WITH sold AS (
                 INSERT INTO sales (tenant_id, reference, customer_id, user_id, total_cents)
                 VALUES ($1, $2, $3, $4, $5) ON CONFLICT (tenant_id, reference) DO NOTHING RETURNING id
             ), items AS (
                 INSERT INTO sale_items (tenant_id, sale_id, line, product_id, quantity, unit_price_cents)
                 SELECT $1, sold.id, line, product, quantity, price
                 FROM sold, unnest($6::int8[], $7::int4[], $8::int8[])
                     WITH ORDINALITY AS item (product, quantity, price, line)
             ), payment AS (
                 INSERT INTO payments (tenant_id, sale_id, method, amount_cents)
                 SELECT $1, sold.id, $9, $5 FROM sold
             ), taken AS (
                 UPDATE stock SET quantity = stock.quantity - item.quantity
                 FROM sold, unnest($6::int8[], $7::int4[]) AS item (product, quantity)
                 WHERE stock.tenant_id = $1 AND stock.product_id = item.product
             )
             SELECT id FROM sold",
            &[
                (&tenant, Type::INT4),
                (&order.reference, Type::TEXT),
                (&order.customer, Type::INT8),
                (&user, Type::INT8),
                (&basket.total.0, Type::INT8),
                (&basket.products, Type::INT8_ARRAY),
                (&basket.quantities, Type::INT4_ARRAY),
                (&basket.prices, Type::INT8_ARRAY),
                (&order.method, Type::TEXT),
            ],
        )
        .await?;
    Ok(!rows.is_empty())
}

/// The total of the sale of that reference, if there is one.
async fn recorded(
    connection: &mut Connection<'_>,
    tenant: i32,
    reference: &str,
) -> Result<Option<Cents>, DataError> {
    let rows = connection
        .query(
            "SELECT total_cents FROM sales WHERE tenant_id = $1 AND reference = $2",
            &[(&tenant, Type::INT4), (&reference, Type::TEXT)],
        )
        .await?;
    Ok(rows.first().map(|row| Cents(row.get(0))))
}
