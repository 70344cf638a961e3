//! Products and their stock.

use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde::Deserialize;
use tokio_postgres::Row;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;

use super::Shop;
use super::answer::{Fault, redirect};
use super::posted::Posted;
use super::visitor::Visitor;
use crate::html::{self, esc};
use crate::money::Cents;
use crate::paging::{self, PAGE, Paging};

/// What a product can be.
const CATEGORIES: [&str; 6] = ["rings", "necklaces", "earrings", "bracelets", "brooches", "watches"];

#[derive(Debug, Deserialize)]
pub(super) struct Filter {
    #[serde(default)]
    category: String,
    page: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Search {
    #[serde(default)]
    q: String,
    page: Option<String>,
}

/// `GET /inventory/`
pub(super) async fn list(
    State(shop): State<Shop>,
    visitor: Visitor,
    Query(filter): Query<Filter>,
) -> Result<Response, Fault> {
    let tenant = visitor.tenant();
    let number = paging::requested(filter.page.as_deref());
    // An unknown category shows nothing; it must not fill the cache either.
    let category = filter.category.as_str();
    let is_known = category.is_empty() || CATEGORIES.contains(&category);
    let make = async || {
        let rows = shop
            .database
            .read(
                "SELECT sku, products.name, category, price_cents, quantity, count(*) OVER ()
                 FROM products JOIN stock
                   ON stock.tenant_id = products.tenant_id AND stock.product_id = products.id
                 WHERE products.tenant_id = $1 AND ($2 = '' OR category = $2)
                 ORDER BY products.name, products.id LIMIT $3 OFFSET $4",
                &[
                    (&tenant, Type::INT4),
                    (&category, Type::TEXT),
                    (&PAGE, Type::INT8),
                    (&paging::offset(number), Type::INT8),
                ],
            )
            .await?;
        Ok::<_, Fault>(products(&rows, number, &format!("category={}", html::url_part(category))))
    };
    let body = if number == 1 && is_known {
        shop.cache.fragment(tenant, &format!("inventory:{category}"), make).await?
    } else {
        make().await?
    };
    let filters: String = CATEGORIES
        .iter()
        .map(|name| format!("<a href=\"/inventory/?category={name}\">{name}</a> "))
        .collect();
    let body = format!("<p>{filters}</p>{SEARCH}<p><a href=\"/inventory/new/\">New product</a></p>{body}");
    Ok(visitor.page("Inventory", &body))
}

const SEARCH: &str = "<form action=\"/inventory/search/\"><input name=\"q\"> <button>Search</button></form>";

/// `GET /inventory/search/`
pub(super) async fn search(
    State(shop): State<Shop>,
    visitor: Visitor,
    Query(search): Query<Search>,
) -> Result<Response, Fault> {
    let number = paging::requested(search.page.as_deref());
    let rows = shop
        .database
        .read(
            "SELECT sku, products.name, category, price_cents, quantity, count(*) OVER ()
             FROM products JOIN stock
               ON stock.tenant_id = products.tenant_id AND stock.product_id = products.id
             WHERE products.tenant_id = $1 AND (products.name ILIKE $2 OR sku ILIKE $2)
             ORDER BY products.name, products.id LIMIT $3 OFFSET $4",
            &[
                (&visitor.tenant(), Type::INT4),
                (&containing(&search.q), Type::TEXT),
                (&PAGE, Type::INT8),
                (&paging::offset(number), Type::INT8),
            ],
        )
        .await?;
    let found = products(&rows, number, &format!("q={}", html::url_part(&search.q)));
    let body = format!("{SEARCH}<p>Results for <b>{}</b></p>{found}", esc(&search.q));
    Ok(visitor.page("Inventory search", &body))
}

/// `GET /inventory/{sku}/`
pub(super) async fn detail(
    State(shop): State<Shop>,
    visitor: Visitor,
    Path(sku): Path<String>,
) -> Result<Response, Fault> {
    let row = shop
        .database
        .read_opt(
            "SELECT products.name, category, metal, stone, weight_mg, price_cents, quantity
             FROM products JOIN stock
               ON stock.tenant_id = products.tenant_id AND stock.product_id = products.id
             WHERE products.tenant_id = $1 AND sku = $2",
            &[(&visitor.tenant(), Type::INT4), (&sku, Type::TEXT)],
        )
        .await?
        .ok_or(Fault::NotFound)?;
    let [name, category, metal, stone]: [&str; 4] = std::array::from_fn(|i| row.get(i));
    let weight: i32 = row.get(4);
    let quantity: i32 = row.get(6);
    let body = html::table(
        &["SKU", "Category", "Metal", "Stone", "Weight", "Price", "In stock"],
        [format!(
            "<td id=\"sku\">{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}.{:03} g</td>\
             <td id=\"price\">{}</td><td id=\"quantity\">{quantity}</td>",
            esc(&sku),
            esc(category),
            esc(metal),
            esc(stone),
            weight / 1_000,
            weight % 1_000,
            Cents(row.get(5)),
        )],
    );
    Ok(visitor.page(name, &body))
}

/// `GET /inventory/new/`
pub(super) async fn form(visitor: Visitor) -> Response {
    let categories: String = CATEGORIES.iter().map(|name| format!("<option>{name}</option>")).collect();
    let body = format!(
        "<form method=\"post\">{field}<p>SKU <input name=\"sku\" required></p>\
         <p>Name <input name=\"name\" required></p>\
         <p>Category <select name=\"category\">{categories}</select></p>\
         <p>Metal <input name=\"metal\"></p><p>Stone <input name=\"stone\"></p>\
         <p>Weight in grams <input name=\"weight\"></p><p>Price <input name=\"price\" required></p>\
         <p>Quantity <input name=\"quantity\" required></p><button>Create</button></form>",
        field = visitor.forms.field(),
    );
    visitor.page("New product", &body)
}

/// `POST /inventory/new/`
pub(super) async fn create(
    State(shop): State<Shop>,
    visitor: Visitor,
    posted: Posted,
) -> Result<Response, Fault> {
    let product = Product::read(&posted).map_err(Fault::Invalid)?;
    let mut connection = shop.database.connection().await?;
    let result = connection
        .execute(
            "WITH made AS (
                 INSERT INTO products
                     (tenant_id, sku, name, category, metal, stone, weight_mg, price_cents, cost_cents)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8 / 2) RETURNING id
             )
             INSERT INTO stock (tenant_id, product_id, quantity, reorder_level)
             SELECT $1, id, $9, 5 FROM made",
            &[
                (&visitor.tenant(), Type::INT4),
                (&product.sku, Type::TEXT),
                (&product.name, Type::TEXT),
                (&product.category, Type::TEXT),
                (&posted.field("metal"), Type::TEXT),
                (&posted.field("stone"), Type::TEXT),
                (&product.weight_mg, Type::INT4),
                (&product.price.0, Type::INT8),
                (&product.quantity, Type::INT4),
            ],
        )
        .await;
    match result {
        Err(error) if error.is(&SqlState::UNIQUE_VIOLATION) => {
            Err(Fault::Conflict(format!("there is a product {} already", product.sku)))
        }
        Err(error) => Err(error.into()),
        Ok(_) => redirect(&format!("/inventory/{}/", html::url_part(product.sku))).ok_or(Fault::Broken),
    }
}

/// A product as a form describes it.
#[derive(Debug)]
struct Product<'a> {
    sku: &'a str,
    name: &'a str,
    category: &'a str,
    weight_mg: i32,
    price: Cents,
    quantity: i32,
}

impl<'a> Product<'a> {
    fn read(posted: &'a Posted) -> Result<Self, String> {
        let text = |name: &'static str, longest: usize| {
            let value = posted.field(name);
            let fits = !value.is_empty() && value.len() <= longest && !value.contains('\0');
            fits.then_some(value).ok_or_else(|| format!("{name} is missing or too long"))
        };
        let category = posted.field("category");
        if !CATEGORIES.contains(&category) {
            return Err(format!("category must be one of {}", CATEGORIES.join(", ")));
        }
        let sku = text("sku", 40)?;
        if sku.contains('/') {
            return Err("sku must not contain a slash".to_owned());
        }
        if posted.field("metal").len() > 80 || posted.field("stone").len() > 80 {
            return Err("metal or stone is too long".to_owned());
        }
        let weight_mg = match posted.field("weight") {
            "" => Some(1_000),
            grams => grams.parse::<f64>().ok().map(|grams| (grams * 1_000.0).round() as i32),
        };
        Ok(Self {
            sku,
            name: text("name", 200)?,
            category,
            weight_mg: weight_mg.filter(|&mg| mg > 0).ok_or("weight must be in grams")?,
            price: Cents::parse(posted.field("price"))
                .filter(|price| price.0 > 0)
                .ok_or("price must be an amount such as 1250.00")?,
            quantity: posted
                .field("quantity")
                .parse()
                .ok()
                .filter(|quantity| (0..=1_000_000).contains(quantity))
                .ok_or("quantity must be a number from 0 to 1000000")?,
        })
    }
}

/// A page of products with links to its neighbours.
fn products(rows: &[Row], number: i64, query: &str) -> String {
    let paging = Paging::new(number, rows.first().map_or(0, |row| row.get(5)));
    let table = html::table(
        &["SKU", "Name", "Category", "Price", "In stock"],
        rows.iter().map(|row| {
            let [sku, name, category]: [&str; 3] = std::array::from_fn(|i| row.get(i));
            let quantity: i32 = row.get(4);
            format!(
                "<td><a href=\"/inventory/{}/\">{}</a></td><td>{}</td><td>{}</td><td>{}</td><td>{quantity}</td>",
                html::url_part(sku),
                esc(sku),
                esc(name),
                esc(category),
                Cents(row.get(3)),
            )
        }),
    );
    table + &neighbours(paging, query)
}

/// Links to the pages before and after.
pub(super) fn neighbours(paging: Paging, query: &str) -> String {
    let link = |page: Option<i64>, rel: &str, text: &str| {
        page.map(|page| format!("<a rel=\"{rel}\" href=\"?{query}&amp;page={page}\">{text}</a> "))
            .unwrap_or_default()
    };
    format!(
        "<p>{}Page {} of {} {}</p>",
        link(paging.previous(), "prev", "Previous"),
        paging.number,
        paging.pages,
        link(paging.next(), "next", "Next"),
    )
}

/// A pattern for rows that contain the text as it is.
pub(super) fn containing(text: &str) -> String {
    let mut pattern = String::from("%");
    for c in text.trim().chars().filter(|&c| c != '\0').take(100) {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern + "%"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_take_text_literally() {
        assert_eq!(containing(" 18 kt "), "%18 kt%");
        assert_eq!(containing("100%_\\"), "%100\\%\\_\\\\%");
        assert_eq!(containing(""), "%%");
    }

    #[test]
    fn products_are_checked() {
        let form = |price: &str| {
            let fields = [
                ("sku", "X-1"),
                ("name", "Ring"),
                ("category", "rings"),
                ("price", price),
                ("quantity", "3"),
            ];
            Posted::Form(fields.map(|(key, value)| (key.to_owned(), value.to_owned())).into())
        };
        let posted = form("12.50");
        assert_eq!(Product::read(&posted).expect("it is complete").price, Cents(1_250));
        assert!(Product::read(&form("0")).is_err());
        assert!(Product::read(&Posted::Form(vec![])).is_err());
    }
}
