//! The tables.
//!
//! Every table of a tenant's own carries the tenant in its primary key, and every reference
//! between them includes it: a row cannot point at another tenant's row, whatever the program does.

use tokio_postgres::Row;
use tokio_postgres::types::Type;

use crate::data::{Connection, DataError, Database};

/// The version of the tables that this program works with.
pub(crate) const VERSION: i32 = 1;

const TABLES: &str = r#"
CREATE TABLE IF NOT EXISTS tenants (
    id   integer PRIMARY KEY,
    slug text NOT NULL UNIQUE,
    name text NOT NULL
);

CREATE TABLE IF NOT EXISTS users (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id integer NOT NULL REFERENCES tenants,
    email     text NOT NULL UNIQUE,
    name      text NOT NULL,
    role      text NOT NULL CHECK (role IN ('owner', 'staff')),
    password  text NOT NULL,
    UNIQUE (tenant_id, id)
);

CREATE TABLE IF NOT EXISTS products (
    tenant_id   integer NOT NULL REFERENCES tenants,
    id          bigint GENERATED ALWAYS AS IDENTITY,
    sku         text NOT NULL,
    name        text NOT NULL,
    category    text NOT NULL,
    metal       text NOT NULL,
    stone       text NOT NULL,
    weight_mg   integer NOT NULL CHECK (weight_mg > 0),
    price_cents bigint NOT NULL CHECK (price_cents > 0),
    cost_cents  bigint NOT NULL CHECK (cost_cents >= 0),
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, sku)
);
CREATE INDEX IF NOT EXISTS products_by_name ON products (tenant_id, name, id);

CREATE TABLE IF NOT EXISTS stock (
    tenant_id     integer NOT NULL,
    product_id    bigint NOT NULL,
    quantity      integer NOT NULL CHECK (quantity >= 0),
    reorder_level integer NOT NULL CHECK (reorder_level >= 0),
    PRIMARY KEY (tenant_id, product_id),
    FOREIGN KEY (tenant_id, product_id) REFERENCES products (tenant_id, id)
) WITH (fillfactor = 70);

CREATE TABLE IF NOT EXISTS customers (
    tenant_id  integer NOT NULL REFERENCES tenants,
    id         bigint GENERATED ALWAYS AS IDENTITY,
    name       text NOT NULL,
    email      text NOT NULL,
    phone      text NOT NULL,
    city       text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, email)
);

-- References are compared byte by byte, so that the order of an audit is everyone's order.
CREATE TABLE IF NOT EXISTS sales (
    tenant_id   integer NOT NULL REFERENCES tenants,
    id          bigint GENERATED ALWAYS AS IDENTITY,
    reference   text COLLATE "C" NOT NULL CHECK (length(reference) BETWEEN 1 AND 64),
    customer_id bigint,
    user_id     bigint NOT NULL,
    total_cents bigint NOT NULL CHECK (total_cents >= 0),
    sold_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, reference),
    FOREIGN KEY (tenant_id, customer_id) REFERENCES customers (tenant_id, id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
CREATE INDEX IF NOT EXISTS sales_by_time ON sales (tenant_id, sold_at DESC) INCLUDE (total_cents);
CREATE INDEX IF NOT EXISTS sales_by_customer ON sales (tenant_id, customer_id, sold_at DESC);

CREATE TABLE IF NOT EXISTS sale_items (
    tenant_id        integer NOT NULL,
    sale_id          bigint NOT NULL,
    line             smallint NOT NULL,
    product_id       bigint NOT NULL,
    quantity         integer NOT NULL CHECK (quantity > 0),
    unit_price_cents bigint NOT NULL,
    PRIMARY KEY (tenant_id, sale_id, line),
    FOREIGN KEY (tenant_id, sale_id) REFERENCES sales (tenant_id, id),
    FOREIGN KEY (tenant_id, product_id) REFERENCES products (tenant_id, id)
);

CREATE TABLE IF NOT EXISTS payments (
    tenant_id    integer NOT NULL,
    sale_id      bigint NOT NULL,
    method       text NOT NULL CHECK (method IN ('card', 'cash', 'transfer')),
    amount_cents bigint NOT NULL CHECK (amount_cents >= 0),
    paid_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, sale_id),
    FOREIGN KEY (tenant_id, sale_id) REFERENCES sales (tenant_id, id)
);
CREATE INDEX IF NOT EXISTS payments_by_time ON payments (tenant_id, paid_at DESC) INCLUDE (method, amount_cents);

CREATE TABLE IF NOT EXISTS reports (
    tenant_id   integer NOT NULL REFERENCES tenants,
    job         text NOT NULL,
    days        integer NOT NULL,
    sales       bigint NOT NULL,
    total_cents bigint NOT NULL,
    best_seller text,
    made_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, job)
);
CREATE INDEX IF NOT EXISTS reports_by_time ON reports (tenant_id, made_at DESC);

CREATE TABLE IF NOT EXISTS stock_alerts (
    tenant_id  integer NOT NULL,
    product_id bigint NOT NULL,
    quantity   integer NOT NULL,
    raised_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, product_id),
    FOREIGN KEY (tenant_id, product_id) REFERENCES products (tenant_id, id)
);

CREATE TABLE IF NOT EXISTS shop_schema (version integer PRIMARY KEY);
"#;

/// Makes the tables that are missing, inside the transaction of the caller.
pub(crate) async fn create(connection: &mut Connection<'_>, database: &Database) -> Result<(), DataError> {
    connection.script(TABLES).await?;
    // A default of the role reaches every session, also those that a proxy makes.
    let limit = database.statement_limit().as_millis();
    connection
        .script(&format!(
            "DO $$ BEGIN EXECUTE format('ALTER ROLE %I IN DATABASE %I SET statement_timeout = {limit}', \
             current_user, current_database()); END $$;
             INSERT INTO shop_schema VALUES ({VERSION}) ON CONFLICT DO NOTHING"
        ))
        .await
}

/// Refreshes what the planner knows.
pub(crate) const ANALYZE: &str = "ANALYZE users, products, stock, customers, sales, sale_items, payments";

const FOUND: &str = "SELECT to_regclass('shop_schema') IS NOT NULL";
const CURRENT: &str = "SELECT coalesce(max(version), 0) >= $1 FROM shop_schema";

/// Whether the tables are there in the version that this program needs.
pub(crate) async fn is_current(database: &Database) -> Result<bool, DataError> {
    if !database.read_one(FOUND, &[]).await?.get::<_, bool>(0) {
        return Ok(false);
    }
    Ok(database.read_one(CURRENT, &[(&VERSION, Type::INT4)]).await?.get(0))
}

/// The same, asked within a transaction.
pub(crate) async fn is_made(connection: &mut Connection<'_>) -> Result<bool, DataError> {
    let says_yes = |rows: Vec<Row>| rows.first().is_some_and(|row| row.get(0));
    Ok(says_yes(connection.query(FOUND, &[]).await?)
        && says_yes(connection.query(CURRENT, &[(&VERSION, Type::INT4)]).await?))
}
