//! What a new database starts with: shops with their staff, a catalogue, customers and a past.
//!
//! All of it is drawn from one seeded random stream, so that two databases have the same rows,
//! but for salts and the moment from which the past is counted back. Seeding is one transaction
//! under a lock; any number of processes may try at once, and one that comes later finds it done.

mod catalogue;
mod past;
mod people;

use std::time::Duration;

use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use tokio_postgres::types::Type;

use crate::config::{CatalogueOptions, DatabaseOptions};
use crate::data::{Connection, DataError, Database};
use crate::schema;
use crate::shutdown::Shutdown;

/// The password of every seeded user.
pub(crate) const PASSWORD: &str = "assay-demo-pass";

/// The key of the lock that one seeder holds.
const LOCK: i64 = 0x6a_6577_656c_7279;

/// Time between two attempts.
const RETRY_EVERY: Duration = Duration::from_millis(300);

/// The first tenants; further ones are numbered.
const SHOPS: [(&str, &str); 6] = [
    ("aurum", "Aurum & Sons"),
    ("belle-epoque", "Belle Époque Bijoux"),
    ("cobalt", "Cobalt Street Jewelers"),
    ("damask", "Damask Gold House"),
    ("ember", "Ember & Ash Silversmiths"),
    ("fjord", "Fjord Fine Jewellery"),
];

/// One shop to be filled.
#[derive(Debug)]
struct Tenant {
    id: i32,
    slug: String,
    name: String,
}

impl Tenant {
    fn numbered(index: u16) -> Self {
        let (slug, name) = match SHOPS.get(usize::from(index)) {
            Some((slug, name)) => ((*slug).to_owned(), (*name).to_owned()),
            None => (format!("shop-{}", index + 1), format!("Jewelry Shop No. {}", index + 1)),
        };
        Self { id: i32::from(index) + 1, slug, name }
    }
}

/// The `seed` mode: tries until the tables are there and filled, or the process is told to stop.
pub(crate) async fn until_done(
    options: &DatabaseOptions,
    catalogue: &CatalogueOptions,
) -> anyhow::Result<()> {
    let database = Database::new(options)?;
    let mut shutdown = Shutdown::on_signal()?;
    tokio::select! {
        result = retry(&database, catalogue) => result,
        () = shutdown.wait() => anyhow::bail!("stopped before the database was seeded"),
    }
}

/// Tries until it is done; ends early only with a fault that waiting does not mend.
pub(crate) async fn retry(database: &Database, catalogue: &CatalogueOptions) -> anyhow::Result<()> {
    let mut told = String::new();
    loop {
        match once(database, catalogue).await {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            Err(error) if error.is_passing() => {
                let text = error.to_string();
                if text != told {
                    tracing::info!("cannot seed yet: {text}");
                    told = text;
                }
            }
            Err(error) => return Err(error.into()),
        }
        tokio::time::sleep(RETRY_EVERY).await;
    }
}

/// Makes tables and rows. False when another process is at it.
async fn once(database: &Database, catalogue: &CatalogueOptions) -> Result<bool, DataError> {
    let started = std::time::Instant::now();
    let mut connection = database.connection().await?;
    connection.begin_unhurried().await?;
    let mine = connection
        .query("SELECT pg_try_advisory_xact_lock($1)", &[(&LOCK, Type::INT8)])
        .await?
        .first()
        .is_some_and(|row| row.get(0));
    if !mine {
        connection.roll_back().await?;
        return Ok(false);
    }
    // Making what is there already would still lock the tables of a shop at work.
    if !schema::is_made(&mut connection).await? {
        schema::create(&mut connection, database).await?;
    }
    let mut filled = 0;
    for index in 0..catalogue.tenants {
        let tenant = Tenant::numbered(index);
        let added = connection
            .execute(
                "INSERT INTO tenants VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
                &[(&tenant.id, Type::INT4), (&tenant.slug, Type::TEXT), (&tenant.name, Type::TEXT)],
            )
            .await?;
        if added == 1 {
            fill(&mut connection, &tenant, catalogue).await?;
            filled += 1;
        }
    }
    connection.commit().await?;
    if filled > 0 {
        // The planner must not guess while the first load arrives; if this fails, autovacuum will
        // come.
        let _ = connection.script(schema::ANALYZE).await;
        tracing::info!("seeded {filled} tenants in {:.1} s", started.elapsed().as_secs_f64());
    } else {
        tracing::info!("tables and rows are there");
    }
    Ok(true)
}

async fn fill(
    connection: &mut Connection<'_>,
    tenant: &Tenant,
    catalogue: &CatalogueOptions,
) -> Result<(), DataError> {
    // A stream for each tenant: more tenants do not change those that are there.
    let mut random = ChaCha8Rng::seed_from_u64(0x0a55_a700 + u64::from(tenant.id.unsigned_abs()));
    let users = people::staff(connection, tenant, catalogue.staff, &mut random).await?;
    let customers = people::customers(connection, tenant, catalogue.customers, &mut random).await?;
    let products = catalogue::stock_up(connection, tenant, catalogue.products, &mut random).await?;
    past::sales(
        connection,
        tenant,
        catalogue.past_sales,
        past::Actors { users: &users, customers: &customers, products: &products },
        &mut random,
    )
    .await
}
