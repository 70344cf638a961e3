//! The web mode: its routes, what handlers share, and how it starts and stops.
//!
//! A request costs well under a millisecond of CPU: pages are short lists written with `format!`, the session
//! is one command to Redis, and a page is one or two statements to PostgreSQL. The exception is
//! signing in, whose hash takes about a millisecond on a thread of its own.

mod accounting;
mod answer;
mod audit;
mod customers;
mod dashboard;
mod health;
mod inventory;
mod order;
mod point_of_sale;
mod posted;
mod reports;
mod sign_in;
mod visitor;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, map_response};
use axum::response::Redirect;
use axum::routing::{get, post};
use axum::serve::ListenerExt as _;
use tokio::net::TcpListener;

use crate::cache::Cache;
use crate::config::{CatalogueOptions, DatabaseOptions, RedisOptions, WebOptions};
use crate::data::Database;
use crate::seed;
use crate::shutdown::Shutdown;
use crate::store::Store;

/// Forms are small; anything larger is a mistake.
const LARGEST_BODY: usize = 64 * 1024;

/// What every handler can reach.
#[derive(Debug, Clone)]
struct Shop(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    database: Database,
    store: Store,
    cache: Cache,
    session_lifetime: Duration,
    /// Set once the process is to end, so that balancers look elsewhere.
    stopping: Shutdown,
}

impl std::ops::Deref for Shop {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// Runs the web mode until a signal ends it.
pub(crate) async fn serve(
    options: WebOptions,
    database: &DatabaseOptions,
    redis: &RedisOptions,
    catalogue: CatalogueOptions,
) -> anyhow::Result<()> {
    let mut shutdown = Shutdown::on_signal()?;
    let database = Database::new(database)?;
    let store = Store::new(redis)?;
    let shop = Shop(Arc::new(Shared {
        cache: Cache::new(store.clone(), options.cache_ttl.0),
        database: database.clone(),
        store,
        session_lifetime: options.session_ttl.0,
        stopping: shutdown.clone(),
    }));
    if options.migrate {
        // Requests are answered meanwhile, so that liveness holds and readiness can say no.
        tokio::spawn(async move {
            if let Err(error) = seed::retry(&database, &catalogue).await {
                tracing::error!("seeding failed for good: {error:#}");
            }
        });
    }

    let listener = TcpListener::bind(options.listen)
        .await
        .with_context(|| format!("failed to listen on {}", options.listen))?;
    tracing::info!("listening on {}", listener.local_addr()?);
    let listener = listener.tap_io(|stream| {
        // Without this a short answer may wait for the acknowledgement of an earlier one.
        let _ = stream.set_nodelay(true);
    });

    let mut told = shutdown.clone();
    let server = axum::serve(listener, routes(shop)).with_graceful_shutdown(async move { told.wait().await });
    let overdue = async {
        shutdown.wait().await;
        tokio::time::sleep(options.drain.0).await;
    };
    tokio::select! {
        result = server => result.context("failed to serve")?,
        () = overdue => tracing::warn!("requests still under way after {:?}", options.drain.0),
    }
    Ok(())
}

fn routes(shop: Shop) -> Router {
    Router::new()
        .route("/", get(async || Redirect::to("/dashboard/")))
        .route("/login/", get(sign_in::form).post(sign_in::submit))
        .route("/logout/", post(sign_in::leave))
        .route("/dashboard/", get(dashboard::show))
        .route("/inventory/", get(inventory::list))
        .route("/inventory/search/", get(inventory::search))
        .route("/inventory/new/", get(inventory::form).post(inventory::create))
        .route("/inventory/{sku}/", get(inventory::detail))
        .route("/pos/", get(point_of_sale::form))
        .route("/pos/lookup/", get(point_of_sale::lookup))
        .route("/pos/sales/", post(point_of_sale::sell).layer(map_response(point_of_sale::say_refused)))
        .route("/pos/sales/{reference}/", get(point_of_sale::receipt))
        .route("/customers/", get(customers::list))
        .route("/customers/{id}/", get(customers::detail))
        .route("/customers/{id}/purchases/", get(customers::purchases))
        .route("/reports/sales/", get(reports::sales).post(reports::order))
        .route("/reports/inventory/", get(reports::inventory))
        .route("/accounting/", get(accounting::show))
        .route("/audit/sales/", get(audit::sales))
        .layer(from_fn(answer::no_store))
        .route("/healthz", get(health::live))
        .route("/readyz", get(health::ready))
        .fallback(async || answer::Fault::NotFound)
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .with_state(shop)
}
