//! Workers and schedulers.

use std::time::Duration;

use crate::browser::Browser;
use crate::platform::{Platform, until};

#[tokio::test(flavor = "multi_thread")]
async fn ordered_reports_are_made() {
    let mut platform = Platform::start().await;
    let (_web, origin) = platform.web().await;
    let mut browser = Browser::of(&origin, "owner@aurum.example").await;

    // Ordered while nobody works, and begun by a worker that is gone.
    let waiting = browser.post("/reports/sales/", &[("days", "7")]).await;
    assert_eq!(waiting.status, 202);
    let orphan = r#"{"id":"orphan","tenant":1,"task":{"sales-report":{"days":30}}}"#;
    platform.redis(redis::cmd("LPUSH").arg("shop:jobs:of:gone").arg(orphan)).await.expect("redis");
    platform.redis(redis::cmd("ZADD").arg("shop:workers").arg(1).arg("gone")).await.expect("redis");

    let _worker = platform.shop(&["worker"]);
    let _another = platform.shop(&["worker"]);
    let job = waiting.json()["job"].as_str().expect("a name").to_owned();
    for job in [job.as_str(), "orphan"] {
        until("the report is made", async || browser.get("/reports/sales/").await.body.contains(job)).await;
    }
    let sales = platform.sql("SELECT sales FROM reports WHERE job = 'orphan'").await;
    assert_eq!(sales, ["300"]);

    // A new Redis knows neither the workers nor the session.
    platform.stop_redis().await;
    platform.start_redis().await;
    Browser::new(&origin).until_ready().await;
    let mut browser = Browser::of(&origin, "owner@aurum.example").await;
    let late = browser.post("/reports/sales/", &[("days", "1")]).await;
    let job = late.json()["job"].as_str().expect("a name").to_owned();
    until("workers are back", async || browser.get("/reports/sales/").await.body.contains(&job)).await;
    assert_eq!(browser.post("/reports/sales/", &[("days", "0")]).await.status, 422);
}

#[tokio::test(flavor = "multi_thread")]
async fn schedulers_ask_once_for_each_tenant() {
    let platform = Platform::start().await;
    let (_web, _) = platform.web().await;
    let _one = platform.shop(&["scheduler", "--every", "1h"]);
    let _two = platform.shop(&["scheduler", "--every", "1h"]);
    let waiting = async || {
        let length = platform.redis(redis::cmd("LLEN").arg("shop:jobs")).await.expect("redis answers");
        redis::from_redis_value::<i64>(length).expect("a number")
    };
    until("jobs are there", async || waiting().await >= 3).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(waiting().await, 3);

    let _worker = platform.shop(&["worker"]);
    let low = platform.sql("SELECT count(*) FROM stock WHERE quantity <= reorder_level").await;
    until("alerts are raised", async || platform.sql("SELECT count(*) FROM stock_alerts").await == low).await;
}
