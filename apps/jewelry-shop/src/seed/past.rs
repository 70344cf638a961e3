//! Sales of the last month, so that reports have something to say. Their references begin with
//! `PAST-`, which keeps them out of the audit of anything that a client sold.

use rand::RngExt as _;
use rand::seq::IndexedRandom as _;
use rand_chacha::ChaCha8Rng;
use tokio_postgres::types::Type;

use super::Tenant;
use super::catalogue::Piece;
use crate::data::{Connection, DataError};

/// Seconds that the past reaches back.
const MONTH: i32 = 30 * 24 * 3_600;

/// Who sold what to whom.
#[derive(Debug, Clone, Copy)]
pub(super) struct Actors<'a> {
    pub(super) users: &'a [i64],
    pub(super) customers: &'a [i64],
    pub(super) products: &'a [Piece],
}

/// Adds sales with their items and payments. The stock is what was left after them.
pub(super) async fn sales(
    connection: &mut Connection<'_>,
    tenant: &Tenant,
    count: u32,
    actors: Actors<'_>,
    random: &mut ChaCha8Rng,
) -> Result<(), DataError> {
    let mut references = Vec::new();
    let mut buyers: Vec<Option<i64>> = Vec::new();
    let mut sellers = Vec::new();
    let mut totals = Vec::new();
    let mut ages = Vec::new();
    let mut methods = Vec::new();
    let (mut of, mut lines, mut products) = (Vec::new(), Vec::new(), Vec::new());
    let (mut quantities, mut prices) = (Vec::new(), Vec::new());
    for number in 1..=count {
        let Some(seller) = actors.users.choose(random) else {
            break;
        };
        let reference = format!("PAST-{number:06}");
        let mut total = 0;
        for line in 1..=random.random_range(1..=3_i16) {
            let Some(piece) = actors.products.choose(random) else {
                break;
            };
            let quantity = random.random_range(1..=2);
            total += piece.price_cents * i64::from(quantity);
            of.push(reference.clone());
            lines.push(line);
            products.push(piece.id);
            quantities.push(quantity);
            prices.push(piece.price_cents);
        }
        references.push(reference);
        // One in five buys without giving a name.
        buyers.push(actors.customers.choose(random).copied().filter(|_| random.random_range(0..5) > 0));
        sellers.push(*seller);
        totals.push(total);
        ages.push(random.random_range(0..MONTH));
        methods.push(["card", "card", "cash", "transfer"][random.random_range(0..4)]);
    }
    connection
        .execute(
            "WITH sold AS (
                 INSERT INTO sales (tenant_id, reference, customer_id, user_id, total_cents, sold_at)
                 SELECT $1, reference, customer, seller, total, now() - make_interval(secs => age)
                 FROM unnest($2::text[], $3::int8[], $4::int8[], $5::int8[], $6::int4[])
                     AS past (reference, customer, seller, total, age)
                 RETURNING id, reference, total_cents, sold_at
             ), paid AS (
                 INSERT INTO payments (tenant_id, sale_id, method, amount_cents, paid_at)
                 SELECT $1, sold.id, past.method, sold.total_cents, sold.sold_at
                 FROM sold JOIN unnest($2::text[], $7::text[]) AS past (reference, method) USING (reference)
             )
             INSERT INTO sale_items (tenant_id, sale_id, line, product_id, quantity, unit_price_cents)
             SELECT $1, sold.id, item.line, item.product, item.quantity, item.price
             FROM sold JOIN unnest($8::text[], $9::int2[], $10::int8[], $11::int4[], $12::int8[])
                 AS item (reference, line, product, quantity, price) USING (reference)",
            &[
                (&tenant.id, Type::INT4),
                (&references, Type::TEXT_ARRAY),
                (&buyers, Type::INT8_ARRAY),
                (&sellers, Type::INT8_ARRAY),
                (&totals, Type::INT8_ARRAY),
                (&ages, Type::INT4_ARRAY),
                (&methods, Type::TEXT_ARRAY),
                (&of, Type::TEXT_ARRAY),
                (&lines, Type::INT2_ARRAY),
                (&products, Type::INT8_ARRAY),
                (&quantities, Type::INT4_ARRAY),
                (&prices, Type::INT8_ARRAY),
            ],
        )
        .await?;
    Ok(())
}
