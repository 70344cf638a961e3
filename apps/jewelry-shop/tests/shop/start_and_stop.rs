//! Starting before everything else, starting together, and leaving in order.

use std::time::Duration;

use rustix::process::Signal;

use crate::browser::Browser;
use crate::platform::{Platform, until};

#[tokio::test(flavor = "multi_thread")]
async fn shops_wait_for_their_database_and_seed_it_once() {
    let mut platform = Platform::prepare();
    let shops = [platform.web_unready(&[]), platform.web_unready(&[]), platform.web_unready(&[])];
    let mut first = Browser::new(&shops[0].1);
    until("it lives", async || matches!(first.try_get("/healthz").await, Ok(a) if a.status == 200)).await;
    assert_eq!(first.get("/readyz").await.status, 503);
    let page = first.get("/dashboard/").await;
    assert_eq!(page.status, 302, "nobody is signed in, which needs no Redis to know");

    platform.start_redis().await;
    assert_eq!(first.get("/readyz").await.status, 503);
    platform.start_postgres().await;
    for (_, origin) in &shops {
        Browser::new(origin).until_ready().await;
    }
    let counts = platform.sql("SELECT count(*) FROM users GROUP BY tenant_id").await;
    assert_eq!(counts, ["4", "4", "4"]);
    let counts = platform.sql("SELECT count(*) FROM products GROUP BY tenant_id").await;
    assert_eq!(counts, ["400", "400", "400"]);
    assert!(platform.shop(&["seed"]).ended().await);
    assert_eq!(platform.sql("SELECT count(*) FROM sales").await, ["900"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_under_way_are_answered_before_the_end() {
    let platform = Platform::start().await;
    let (mut web, origin) = platform.web().await;
    let mut browser = Browser::of(&origin, "owner@aurum.example").await;

    let holder = platform.session().await.expect("a session");
    holder.batch_execute("BEGIN; LOCK TABLE sales IN EXCLUSIVE MODE").await.expect("a lock");
    let mut till = browser.clone();
    let sale = tokio::spawn(async move { till.sell("last", &[("AUR-RG-0001", 1)]).await });
    until("the sale waits", async || {
        platform.sql("SELECT count(*) FROM pg_locks WHERE NOT granted").await == ["1"]
    })
    .await;

    web.signal(Signal::TERM);
    until("nobody listens", async || {
        browser.forget("sessionid");
        browser.clone().try_get("/healthz").await.is_err()
    })
    .await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    holder.batch_execute("ROLLBACK").await.expect("it was open");
    let answer = sale.await.expect("no panic");
    assert_eq!(answer.status, 201, "{answer:?}");
    assert!(web.ended().await);
}
