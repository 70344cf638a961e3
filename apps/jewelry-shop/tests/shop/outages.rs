//! What the shop stands on goes away and comes back.

use std::time::Duration;

use crate::browser::{Answer, Browser};
use crate::platform::{Platform, until};

const OWNER: &str = "owner@aurum.example";

/// An answer that nobody had to wait for, with room for a machine that is busy with other tests.
const AT_ONCE: Duration = Duration::from_millis(400);

/// The longest that a request may hang before the outage is known: the query timeout, and room.
const NOTICED: Duration = Duration::from_millis(4_500);

fn is_refusal(answer: &Answer) -> bool {
    answer.status == 503 && answer.took < AT_ONCE
}

/// Asks as long as the outage lasts: the first request may have to find out, all others know.
async fn expect_refusals(browser: &mut Browser, path: &str) {
    let first = browser.get(path).await;
    assert_eq!(first.status, 503, "{first:?}");
    assert!(first.took < NOTICED, "{:?}", first.took);
    for _ in 0..20 {
        let answer = browser.get(path).await;
        assert!(is_refusal(&answer), "{answer:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(browser.get("/healthz").await.status, 200);
    assert_eq!(browser.get("/readyz").await.status, 503);
}

async fn expect_return(browser: &mut Browser, path: &str) {
    until("the page is back", async || browser.get(path).await.status == 200).await;
    for _ in 0..20 {
        assert_eq!(browser.get(path).await.status, 200);
    }
    assert_eq!(browser.get("/readyz").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_gone_is_refused_at_once() {
    let mut platform = Platform::start().await;
    let (_web, origin) = platform.web().await;
    let mut browser = Browser::of(&origin, OWNER).await;
    assert_eq!(browser.get("/customers/").await.status, 200);

    platform.crash_postgres().await;
    expect_refusals(&mut browser, "/customers/").await;
    let sale = browser.sell("away", &[("AUR-RG-0001", 1)]).await;
    assert_eq!((sale.status, sale.outcome.as_deref()), (503, Some("refused")));

    platform.start_postgres().await;
    expect_return(&mut browser, "/customers/").await;
    assert_eq!(browser.sell("away", &[("AUR-RG-0001", 1)]).await.status, 201);
}

/// PgBouncer ends sessions for which it has no server, in words of its own.
#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_without_a_database_is_refused_at_once() {
    let mut platform = Platform::start().await;
    platform.start_pgbouncer().await;
    let (_web, origin) = platform.web().await;
    let mut browser = Browser::of(&origin, OWNER).await;
    assert_eq!(browser.get("/customers/").await.status, 200);

    let last = platform.session().await.expect("it runs");
    platform.close_postgres(&last).await;
    platform.pgbouncer_gives_up().await;
    expect_refusals(&mut browser, "/customers/").await;
    let sale = browser.sell("away", &[("AUR-RG-0001", 1)]).await;
    assert_eq!((sale.status, sale.outcome.as_deref()), (503, Some("refused")));

    platform.crash_postgres().await;
    platform.start_postgres().await;
    expect_return(&mut browser, "/customers/").await;
    assert_eq!(browser.sell("away", &[("AUR-RG-0001", 1)]).await.status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_silent_is_refused_at_once() {
    let platform = Platform::start().await;
    let (_web, origin) = platform.web().await;
    let mut browser = Browser::of(&origin, OWNER).await;
    assert_eq!(browser.get("/customers/").await.status, 200);

    platform.freeze_postgres(true);
    expect_refusals(&mut browser, "/customers/").await;
    platform.freeze_postgres(false);
    expect_return(&mut browser, "/customers/").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cut_connections_do_not_show_on_pages() {
    let platform = Platform::start().await;
    let (_web, origin) = platform.web().await;
    let mut browser = Browser::of(&origin, OWNER).await;
    for _ in 0..5 {
        platform
            .sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'jewelry-shop'")
            .await;
        for path in ["/customers/", "/dashboard/", "/inventory/"] {
            assert_eq!(browser.get(path).await.status, 200, "{path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_refuses_to_write_is_left() {
    let platform = Platform::start().await;
    let (_web, origin) = platform.web().await;
    let mut browser = Browser::of(&origin, OWNER).await;
    assert_eq!(browser.sell("before", &[("AUR-RG-0001", 1)]).await.status, 201);

    // What a pooled connection meets whose server became a replica.
    platform.sql("ALTER SYSTEM SET default_transaction_read_only = on").await;
    platform.sql("SELECT pg_reload_conf()").await;
    until("writes are refused", async || {
        let answer = browser.sell("during", &[("AUR-RG-0001", 1)]).await;
        answer.status == 503 && answer.outcome.as_deref() == Some("refused")
    })
    .await;
    let session = platform.session().await.expect("a session");
    session.batch_execute("SET default_transaction_read_only = off").await.expect("a setting");
    session.batch_execute("ALTER SYSTEM RESET default_transaction_read_only").await.expect("reset");
    session.batch_execute("SELECT pg_reload_conf()").await.expect("reload");
    until("writes are back", async || browser.sell("after", &[("AUR-RG-0001", 1)]).await.status == 201).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_without_an_answer_is_unknown() {
    let platform = Platform::start().await;
    let (_web, origin) = platform.web().await;
    let mut browser = Browser::of(&origin, OWNER).await;

    // A trigger that runs within COMMIT gives the test time to cut the connection there.
    platform
        .sql(
            "CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql
                 AS 'BEGIN PERFORM pg_sleep(1); RETURN NULL; END';
             CREATE CONSTRAINT TRIGGER linger AFTER INSERT ON payments
                 DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION linger()",
        )
        .await;
    let mut till = browser.clone();
    let sale = tokio::spawn(async move { till.sell("limbo", &[("AUR-RG-0001", 1)]).await });
    until("the commit is under way", async || {
        let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'COMMIT'
                   AND state = 'active'";
        !platform.sql(cut).await.is_empty()
    })
    .await;
    let answer = sale.await.expect("no panic");
    assert_eq!((answer.status, answer.outcome.as_deref()), (503, Some("unknown")), "{answer:?}");

    // Asking again with the same reference settles it; here the commit did not come to pass.
    platform.sql("DROP FUNCTION linger CASCADE").await;
    assert_eq!(browser.sell("limbo", &[("AUR-RG-0001", 1)]).await.status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_there_are_no_sessions() {
    let mut platform = Platform::start().await;
    let (_web, origin) = platform.web().await;
    let mut browser = Browser::of(&origin, OWNER).await;

    platform.freeze_redis(true);
    expect_refusals(&mut browser, "/dashboard/").await;
    platform.freeze_redis(false);
    expect_return(&mut browser, "/dashboard/").await;

    platform.stop_redis().await;
    expect_refusals(&mut browser, "/dashboard/").await;
    platform.start_redis().await;
    until("sessions are back", async || browser.get("/dashboard/").await.status == 302).await;
    assert_eq!(browser.sign_in(OWNER, crate::browser::PASSWORD, "").await.status, 302);
    expect_return(&mut browser, "/dashboard/").await;
}
