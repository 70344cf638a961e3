//! Products and what lies in the drawers.

use rand::RngExt as _;
use rand::seq::IndexedRandom as _;
use rand_chacha::ChaCha8Rng;
use tokio_postgres::types::Type;

use super::Tenant;
use crate::data::{Connection, DataError};

/// A kind of piece: what it is called, its code in a SKU, and the weight of its metal in
/// milligrams, from and to.
struct Kind {
    category: &'static str,
    code: &'static str,
    forms: &'static [&'static str],
    weight: (i32, i32),
}

const KINDS: [Kind; 6] = [
    Kind {
        category: "rings",
        code: "RG",
        forms: &[
            "Solitaire Ring",
            "Eternity Band",
            "Signet Ring",
            "Wedding Band",
            "Halo Ring",
            "Stacking Ring",
        ],
        weight: (1_800, 9_500),
    },
    Kind {
        category: "necklaces",
        code: "NK",
        forms: &["Pendant Necklace", "Rivière Necklace", "Rope Chain", "Choker", "Locket"],
        weight: (2_400, 28_000),
    },
    Kind {
        category: "earrings",
        code: "ER",
        forms: &["Stud Earrings", "Hoop Earrings", "Drop Earrings", "Chandelier Earrings", "Huggies"],
        weight: (900, 7_500),
    },
    Kind {
        category: "bracelets",
        code: "BR",
        forms: &["Tennis Bracelet", "Bangle", "Charm Bracelet", "Cuff", "Curb Bracelet"],
        weight: (3_500, 32_000),
    },
    Kind {
        category: "brooches",
        code: "BC",
        forms: &["Leaf Brooch", "Cameo Brooch", "Bar Brooch", "Butterfly Brooch"],
        weight: (2_500, 14_000),
    },
    Kind {
        category: "watches",
        code: "WT",
        forms: &["Dress Watch", "Cocktail Watch", "Pocket Watch"],
        weight: (24_000, 85_000),
    },
];

/// A metal and the price of one gram in cents.
const METALS: [(&str, i64); 7] = [
    ("Sterling Silver", 110),
    ("Rose Gold 9 kt", 2_900),
    ("Yellow Gold 14 kt", 4_500),
    ("White Gold 14 kt", 4_600),
    ("Yellow Gold 18 kt", 5_800),
    ("Rose Gold 18 kt", 5_900),
    ("Platinum 950", 3_400),
];

/// A stone and what it adds to the price, in cents, from and to.
const STONES: [(&str, i64, i64); 11] = [
    ("", 0, 0),
    ("Diamond", 45_000, 620_000),
    ("Sapphire", 22_000, 240_000),
    ("Ruby", 26_000, 280_000),
    ("Emerald", 24_000, 260_000),
    ("Akoya Pearl", 9_000, 95_000),
    ("Opal", 7_000, 60_000),
    ("Amethyst", 2_500, 18_000),
    ("Aquamarine", 6_000, 55_000),
    ("Garnet", 2_000, 16_000),
    ("Cubic Zirconia", 400, 2_500),
];

const COLLECTIONS: [&str; 14] = [
    "Aurelia",
    "Bellamy",
    "Celeste",
    "Delphine",
    "Evergreen",
    "Florentine",
    "Gallant",
    "Heritage",
    "Isolde",
    "Juniper",
    "Lumière",
    "Meridian",
    "Nocturne",
    "Odette",
];

/// What the past needs to know about a product.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) id: i64,
    pub(super) price_cents: i64,
}

/// Fills the catalogue and the stock of a tenant. Every fortieth piece is nearly sold out, so that there
/// is something to warn about; of the others there are thousands, so that a long test does not run dry.
pub(super) async fn stock_up(
    connection: &mut Connection<'_>,
    tenant: &Tenant,
    count: u32,
    random: &mut ChaCha8Rng,
) -> Result<Vec<Piece>, DataError> {
    let prefix: String = tenant.slug.chars().filter(char::is_ascii_alphanumeric).take(3).collect();
    let prefix = prefix.to_ascii_uppercase();
    let mut skus = Vec::new();
    let mut names = Vec::new();
    let mut categories = Vec::new();
    let mut metals = Vec::new();
    let mut stones = Vec::new();
    let mut weights = Vec::new();
    let mut prices = Vec::new();
    let mut costs = Vec::new();
    let mut quantities = Vec::new();
    for (index, kind) in (0..count).zip(KINDS.iter().cycle()) {
        let form = kind.forms.choose(random).copied().unwrap_or(kind.category);
        let (metal, per_gram) = METALS[random.random_range(0..METALS.len())];
        let (stone, least, most) = STONES[random.random_range(0..STONES.len())];
        let collection = COLLECTIONS[random.random_range(0..COLLECTIONS.len())];
        let weight = random.random_range(kind.weight.0..=kind.weight.1);
        let cost = i64::from(weight) * per_gram / 1_000 + random.random_range(least..=most) + 1_500;
        let price = shelf_price(cost * random.random_range(195..=260) / 100);
        skus.push(format!("{prefix}-{}-{:04}", kind.code, index + 1));
        names.push(match stone {
            "" => format!("{collection} {form}, {metal}"),
            stone => format!("{collection} {stone} {form}, {metal}"),
        });
        categories.push(kind.category);
        metals.push(metal);
        stones.push(stone);
        weights.push(weight);
        prices.push(price);
        costs.push(cost);
        quantities.push(if index % 40 == 39 {
            random.random_range(0..=3)
        } else {
            random.random_range(4_000..=9_000)
        });
    }
    let rows = connection
        .query(
            "WITH made AS (
                 INSERT INTO products
                     (tenant_id, sku, name, category, metal, stone, weight_mg, price_cents, cost_cents)
                 SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[],
                                          $7::int4[], $8::int8[], $9::int8[])
                 RETURNING id, sku, price_cents
             ), stocked AS (
                 INSERT INTO stock (tenant_id, product_id, quantity, reorder_level)
                 SELECT $1, made.id, drawer.quantity, 5
                 FROM made JOIN unnest($2::text[], $10::int4[]) AS drawer (sku, quantity) USING (sku)
             )
             SELECT id, price_cents FROM made ORDER BY sku",
            &[
                (&tenant.id, Type::INT4),
                (&skus, Type::TEXT_ARRAY),
                (&names, Type::TEXT_ARRAY),
                (&categories, Type::TEXT_ARRAY),
                (&metals, Type::TEXT_ARRAY),
                (&stones, Type::TEXT_ARRAY),
                (&weights, Type::INT4_ARRAY),
                (&prices, Type::INT8_ARRAY),
                (&costs, Type::INT8_ARRAY),
                (&quantities, Type::INT4_ARRAY),
            ],
        )
        .await?;
    Ok(rows.iter().map(|row| Piece { id: row.get(0), price_cents: row.get(1) }).collect())
}

/// The next price above that ends in 9.00.
fn shelf_price(cents: i64) -> i64 {
    cents / 1_000 * 1_000 + 900
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shelf_prices_end_in_nine() {
        assert_eq!(shelf_price(1), 900);
        assert_eq!(shelf_price(12_345), 12_900);
    }
}
